// What must hold for every kind of layer, in every strategy and under both heads.
#include "src/sequence_model.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <functional>

using nowcell::FrameSize;
using nowcell::LayerOptions;
using nowcell::ModelOptions;
using nowcell::SequenceModel;

namespace {

constexpr FrameSize kFrame{12, 10};

/// A kind of layer; the network has two of it, one above the other.
struct Row {
    const char* name;
    LayerOptions layer;
    bool noisy = false;   // training draws random numbers
    bool batch = false;   // forecasts use statistics that training has gathered
    bool scaled = false;  // encoder-forecaster alone
};

const std::vector<Row>& table() {
    static const std::vector<Row> rows = {
        {"conv_lstm", {}},
        {"conv_gru", {.cell = "conv_gru"}},
        {"even kernel", {.kernel = {2}}},
        {"kernel per axis", {.kernel = {2, 5}}},
        {"strided", {.stride = {2}}},
        {"strided along the width, gru", {.cell = "conv_gru", .stride = {1, 3}}},
        {"dilated", {.dilation = {2, 1}}},
        {"valid", {.padding = "valid"}},
        {"valid, strided, even", {.kernel = {2}, .stride = {2}, .padding = "valid"}},
        {"valid, dilated, gru", {.cell = "conv_gru", .dilation = {1, 2}, .padding = "valid"}},
        {"relu and hard_sigmoid", {.activation = "relu", .recurrent_activation = "hard_sigmoid"}},
        {"linear and hard_sigmoid_keras2", {.activation = "linear", .recurrent_activation = "hard_sigmoid_keras2"}},
        {"no bias", {.bias = false}},
        {"no bias, gru", {.cell = "conv_gru", .bias = false}},
        {"peephole channel", {.peephole = "channel"}},
        {"peephole pixel, strided", {.stride = {2}, .peephole = "pixel"}},
        {"norm channels", {.gate_norm = "channels"}},
        {"norm frame, valid", {.padding = "valid", .gate_norm = "frame"}},
        {"norm frame on the sum, peephole pixel", {.peephole = "pixel", .gate_norm = "frame", .gate_norm_on = "sum"}},
        {"reset before, update replace", {.cell = "conv_gru", .reset = "before", .update = "replace"}},
        {"dropout", {.dropout = 0.3, .recurrent_dropout = 0.2}, true},
        {"zoneout", {.zoneout = 0.3, .zoneout_cell = 0.2}, true},
        {"dropout and zoneout, gru, strided",
         {.cell = "conv_gru", .stride = {2}, .dropout = 0.3, .recurrent_dropout = 0.2, .zoneout = 0.2},
         true},
        {"batch norm", {.norm = "batch"}, false, true},
        {"batch norm as Keras, gru", {.cell = "conv_gru", .norm = "batch_keras"}, false, true},
        {"layer norm, strided", {.stride = {2}, .norm = "layer"}},
        {"group norm", {.norm = "group", .norm_groups = 1}},
        {"residual", {.residual = true}},
        {"residual around a layer norm, gru", {.cell = "conv_gru", .norm = "layer", .residual = true}},
        {"two scales", {.downsample = 2}, false, false, true},
        {"scales of a third, residual, layer norm",
         {.norm = "layer", .residual = true, .downsample = 3, .scale_kernel = 2},
         false,
         false,
         true},
        {"recompute", {.memory = "recompute"}},
        {"recompute, gru", {.cell = "conv_gru", .memory = "recompute"}},
    };
    return rows;
}

ModelOptions network(const Row& row, const std::string& strategy, const std::string& head, std::int64_t patch = 1) {
    ModelOptions options;
    options.strategy = strategy;
    options.head = head;
    options.patch = patch;
    options.layers = {row.layer, row.layer};
    options.layers[0].filters = 4;
    options.layers[1].filters = 3;
    options.output_steps = 3;
    return options;
}

std::shared_ptr<SequenceModel> built(const ModelOptions& options, const FrameSize& frame = kFrame) {
    at::manual_seed(21);
    return nowcell::make_sequence_model(1, options, frame);
}

torch::Tensor frames(std::int64_t steps, std::uint64_t seed = 11, const FrameSize& frame = kFrame) {
    at::manual_seed(seed);
    return at::rand({2, steps, 1, frame.height, frame.width});
}

using Check = std::function<void(const Row&, const std::string& strategy, const std::string& head)>;

void for_all(const Check& check) {
    for (const Row& row : table()) {
        for (const char* strategy : {"next-frame", "encoder-forecaster", "direct"}) {
            for (const char* head : {"conv2d", "conv3d"}) {
                const bool offered = strategy != std::string("direct") || head == std::string("conv2d");
                if (!offered || (row.scaled && strategy != std::string("encoder-forecaster"))) continue;
                INFO(row.name << ", " << strategy << ", " << head);
                check(row, strategy, head);
            }
        }
    }
}

double loss_of(SequenceModel& model) {
    const c10::NoGradGuard no_grad;
    const auto pair = model.supervised({frames(3), frames(3, 12)});
    return (pair.prediction - pair.target).square().mean().item<double>();
}

// Replaces everything after frame t of input and target, and returns how much predictions at or before t change.
double leak(SequenceModel& model, std::int64_t t) {
    const c10::NoGradGuard no_grad;
    const torch::Tensor truth = frames(7);
    torch::Tensor changed = truth.clone();
    changed.narrow(1, t + 1, 6 - t).copy_(frames(6 - t, 13) * 5.0 - 2.0);
    const auto predict = [&](const torch::Tensor& all) {
        return model.supervised({all.narrow(1, 0, 4), all.narrow(1, 4, 3)}).prediction;
    };
    const torch::Tensor before = predict(truth);
    const torch::Tensor after = predict(changed);
    // What comes later must move, or nothing was tested.
    CHECK((before - after).narrow(1, t + 1, 5 - t).abs().max().item<double>() > 1e-6);
    return (before - after).narrow(1, 0, t + 1).abs().max().item<double>();
}

}  // namespace

TEST_CASE("every kind of layer learns: all parameters get gradients, and a step along them lowers the loss") {
    for_all([](const Row& row, const std::string& strategy, const std::string& head) {
        auto model = built(network(row, strategy, head));
        model->train(row.batch);
        const double before = loss_of(*model);
        model->train();
        const auto pair = model->supervised({frames(3), frames(3, 12)});
        (pair.prediction - pair.target).square().mean().backward();
        {
            const c10::NoGradGuard no_grad;
            for (const auto& entry : model->named_parameters()) {
                INFO(entry.key());
                REQUIRE(entry.value().grad().defined());
                CHECK(entry.value().grad().isfinite().all().item<bool>());
                CHECK(entry.value().grad().abs().max().item<double>() > 0.0);
                torch::Tensor(entry.value()).sub_(entry.value().grad() * 0.001);
            }
        }
        model->train(row.batch);
        if (row.noisy) {
            CHECK(loss_of(*model) != before);
        } else {
            CHECK(loss_of(*model) < before);
        }
    });
}

TEST_CASE("every kind of layer forecasts frames of the size it reads, the same ones each time") {
    const c10::NoGradGuard no_grad;
    for_all([](const Row& row, const std::string& strategy, const std::string& head) {
        auto model = built(network(row, strategy, head));
        model->eval();
        for (const std::int64_t horizon : {1, 4}) {
            const torch::Tensor forecast = model->forecast(frames(3), {}, horizon);
            CHECK(forecast.sizes() == std::vector<std::int64_t>({2, horizon, 1, kFrame.height, kFrame.width}));
            CHECK(at::equal(model->forecast(frames(3), {}, horizon), forecast));
        }
        model->train();
        const auto drawn = [&](std::uint64_t seed) {
            const torch::Tensor input = frames(3);
            at::manual_seed(seed);
            return model->forecast(input, {}, 2);
        };
        CHECK(at::equal(drawn(1), drawn(2)) == !row.noisy);
    });
}

TEST_CASE("no kind of layer sees a later frame") {
    for (const Row& row : table()) {
        if (row.scaled) continue;
        for (const char* head : {"conv2d", "conv3d"}) {
            INFO(row.name << ", " << head);
            auto model = built(network(row, "next-frame", head));
            model->eval();
            for (const std::int64_t t : {0, 2, 4}) CHECK(leak(*model, t) == 0.0);
        }
    }
}

TEST_CASE("no kind of layer sees a baseline of a later lead time") {
    const c10::NoGradGuard no_grad;
    for_all([](const Row& row, const std::string& strategy, const std::string& head) {
        if (strategy != "next-frame") {
            ModelOptions options = network(row, strategy, head);
            options.decoder_inputs = {"persistence"};
            auto model = built(options);
            model->eval();
            const torch::Tensor guides = frames(4, 31);
            torch::Tensor changed = guides.clone();
            changed.narrow(1, 2, 2).copy_(frames(2, 32) * 5.0);
            const torch::Tensor before = model->forecast(frames(3), guides, 4);
            const torch::Tensor after = model->forecast(frames(3), changed, 4);
            CHECK(at::equal(before.narrow(1, 0, 2), after.narrow(1, 0, 2)));
            CHECK_FALSE(at::equal(before.select(1, 2), after.select(1, 2)));
        }
    });
}

TEST_CASE("every kind of layer gives frame by frame what it gives for the whole sequence") {
    const c10::NoGradGuard no_grad;
    for (const Row& row : table()) {
        if (row.scaled) continue;
        for (const char* head_name : {"conv2d", "conv3d"}) {
            INFO(row.name << ", " << head_name);
            const ModelOptions options = network(row, "next-frame", head_name);
            at::manual_seed(22);
            nowcell::Stack stack(1, options.layers, kFrame);
            nowcell::Head head(stack.output_channels(), 1, options, false);
            stack.eval();
            const torch::Tensor x = frames(5);
            std::vector<nowcell::State> states;
            nowcell::HeadHistory history;
            const torch::Tensor whole = head.forward(stack.forward(x, states), kFrame, history);
            std::vector<nowcell::State> running;
            nowcell::HeadHistory remembered;
            for (std::int64_t t = 0; t < 5; ++t) {
                const torch::Tensor one = head.forward(stack.forward(x.narrow(1, t, 1), running), kFrame, remembered);
                CHECK(at::allclose(one, whole.narrow(1, t, 1), 1e-4, 1e-5));
            }
            CHECK(at::allclose(running.back().h, states.back().h, 1e-4, 1e-5));
        }
    }
}

TEST_CASE("the rollout of every kind of layer goes on from the state of its input") {
    const c10::NoGradGuard no_grad;
    for (const Row& row : table()) {
        if (row.scaled) continue;
        INFO(row.name);
        auto model = built(network(row, "next-frame", "conv3d"));
        model->eval();
        const torch::Tensor rolled = model->forecast(frames(4), {}, 3);
        // The rolled-out frames, given back as if they were the truth, must be forecast again.
        const auto taught = model->supervised({frames(4), rolled});
        CHECK(at::allclose(taught.prediction.narrow(1, 3, 3), rolled, 1e-4, 1e-5));
    }
}

TEST_CASE("hidden frames are resized to the nearest pixel before the head's convolution") {
    const c10::NoGradGuard no_grad;
    ModelOptions options = network(table().front(), "next-frame", "conv2d");
    options.head_kernel = 1;
    nowcell::Head head(1, 1, options, false);
    head.named_parameters()["weight"].fill_(1.0);
    nowcell::HeadHistory history;
    const torch::Tensor hidden = at::arange(6, at::kFloat).view({1, 1, 1, 2, 3});
    const torch::Tensor out = head.forward(hidden, {4, 6}, history);
    for (std::int64_t y = 0; y < 4; ++y) {
        for (std::int64_t x = 0; x < 6; ++x) {
            CHECK(out[0][0][0][y][x].item<float>() == hidden[0][0][0][y / 2][x / 2].item<float>());
        }
    }
}

TEST_CASE("networks that are tied to a frame size are built for it and refuse others") {
    const c10::NoGradGuard no_grad;
    for (const Row& row : table()) {
        INFO(row.name);
        const ModelOptions options = network(row, "encoder-forecaster", "conv2d", 2);
        const bool tied = row.layer.peephole == "pixel" || row.layer.gate_norm == "frame";
        CHECK(options.tie().empty() != tied);
        const FrameSize large{24, 20};
        auto model = built(options, large);
        model->eval();
        CHECK(model->frame().has_value() == tied);
        CHECK(model->forecast(frames(3, 1, large), {}, 2).size(3) == 24);
        if (!tied) {
            CHECK(model->forecast(frames(3, 1, {26, 28}), {}, 2).size(4) == 28);
            CHECK_FALSE(model->misfit({26, 28}));
            CHECK_NOTHROW(nowcell::make_sequence_model(1, options));
            continue;
        }
        CHECK_THROWS_AS(model->forecast(frames(3, 1, {26, 28}), {}, 2), c10::ValueError);
        const auto problem = model->misfit({26, 28});
        REQUIRE(problem);
        CHECK(holds(problem->what, "frames of 26x28"));
        CHECK(holds(problem->what, "expected 24x20"));
        CHECK(holds(problem->what, "model.layers[0]." + row.layer.tie()));
        CHECK_THROWS_AS(nowcell::make_sequence_model(1, options), c10::ValueError);
    }
}

TEST_CASE("a later layer ties the network too, to the size that the layers below leave it") {
    ModelOptions options = network({"plain", {}}, "next-frame", "conv2d", 2);
    options.layers[0].stride = {2};
    options.layers[1].peephole = "pixel";
    CHECK(options.tie() == "model.layers[1].peephole = \"pixel\"");
    auto model = built(options, {24, 20});
    CHECK(model->named_parameters()["stack.layer1.peephole"].sizes() == std::vector<std::int64_t>({3, 3, 6, 5}));
}

TEST_CASE("frames that are too small for a kernel without padding are refused by name") {
    const ModelOptions options = network({"valid", {.kernel = {3, 4}, .padding = "valid"}}, "next-frame", "conv2d");
    auto model = nowcell::make_sequence_model(1, options);
    CHECK_FALSE(model->misfit({5, 7}));
    CHECK_NOTHROW(model->forecast(frames(2, 1, {5, 7}), {}, 1));
    for (const FrameSize frame : {FrameSize{4, 7}, FrameSize{5, 6}, FrameSize{1, 1}}) {
        INFO(frame.text());
        const auto problem = model->misfit(frame);
        REQUIRE(problem);
        CHECK(holds(problem->what, "frames of " + frame.text() + " are too small"));
        CHECK(holds(problem->what, "expected at least 3x4"));
        CHECK_THROWS_AS(model->forecast(frames(2, 1, frame), {}, 1), c10::ValueError);
    }
    CHECK(holds(model->misfit({4, 7})->what, "model.layers[1].padding is \"valid\" and the layer reads 2x4"));
    CHECK(holds(model->misfit({1, 1})->what, "model.layers[0].padding is \"valid\" and the layer reads 1x1"));
}
