// Reading and forecasting frame by frame, whatever the network.
#include "src/rollout.h"
#include "src/allocation_meter.h"
#include "src/sequence_model.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "tests/support/catch.h"

#include <functional>

using nowcell::ModelOptions;
using nowcell::SequenceMemory;
using nowcell::SequenceModel;

namespace {

/// A network, apart from its strategy.
struct Kind {
    const char* name;
    std::function<void(ModelOptions&)> change;
};

std::vector<Kind> kinds() {
    const auto layers = [](auto change) {
        return [change](ModelOptions& options) {
            for (nowcell::LayerOptions& layer : options.layers) change(layer);
        };
    };
    return {
        {"plain", [](ModelOptions&) {}},
        {"conv_gru", layers([](auto& layer) { layer.cell = "conv_gru"; })},
        {"kernel 5, direct convolution", layers([](auto& layer) {
             layer.kernel = {5};
             layer.algorithm = "direct";
         })},
        {"winograd-fast", layers([](auto& layer) { layer.algorithm = "winograd-fast"; })},
        {"valid, strided, peephole", layers([](auto& layer) {
             layer.stride = {2};
             layer.padding = "valid";
             layer.peephole = "channel";
         })},
        {"norms and residuals", layers([](auto& layer) {
             layer.norm = "layer";
             layer.gate_norm = "channels";
             layer.residual = true;
             layer.zoneout = 0.2;
         })},
        {"last only", [](ModelOptions& options) { options.layers.back().return_sequences = false; }},
        {"patch 2", [](ModelOptions& options) { options.patch = 2; }},
        {"head over time", [](ModelOptions& options) { options.head = "conv3d"; }},
        {"sigmoid", [](ModelOptions& options) { options.output_activation = "sigmoid"; }},
        {"two scales", [](ModelOptions& options) { options.layers[1].downsample = 2; }},
        {"residual on persistence", [](ModelOptions& options) { options.residual_on = "persistence"; }},
        {"two baselines seen",
         [](ModelOptions& options) {
             options.decoder_inputs = {"persistence", "seasonal"};
         }},
    };
}

struct Built {
    std::shared_ptr<SequenceModel> model;
    std::int64_t channels;

    torch::Tensor frames(std::int64_t steps, std::uint64_t seed = 5) const {
        at::manual_seed(seed);
        return at::rand({2, steps, channels, 12, 10});
    }
    // Of the lead times [first, first + leads); undefined when there are none.
    torch::Tensor guides(std::int64_t first, std::int64_t leads) const {
        const auto count = static_cast<std::int64_t>(model->options().guides().size());
        if (count == 0) return {};
        at::manual_seed(77);
        return at::rand({2, 40, count * channels, 12, 10}).narrow(1, first, leads);
    }
};

void for_all(const std::function<void(const Built&)>& check, bool relative = false) {
    const c10::NoGradGuard no_grad;
    for (const Kind& kind : kinds()) {
        for (const std::string strategy : {"next-frame", "encoder-forecaster", "direct"}) {
            for (const std::int64_t channels : {1, 3}) {
                ModelOptions options;
                options.strategy = strategy;
                options.layers = {{.filters = 4}, {.filters = 3}};
                options.input_steps = 4;
                options.output_steps = 3;
                options.relative = relative;
                kind.change(options);
                const bool guided = !options.guides().empty();
                const bool offered = (strategy != "next-frame" || (!guided && !options.scaled())) &&
                                     (strategy != "direct" || (options.head == "conv2d" && !options.scaled())) &&
                                     (strategy != "encoder-forecaster" || options.layers.back().return_sequences) &&
                                     !(relative && options.output_activation != "linear");
                if (!offered) continue;
                INFO(kind.name << ", " << strategy << ", " << channels << " channels");
                at::manual_seed(21);
                const Built built{nowcell::make_sequence_model(channels, options, nowcell::FrameSize{12, 10}),
                                  channels};
                for (const torch::Tensor& weight : built.model->parameters()) {  // heads of corrections start at zero
                    if (weight.abs().max().item<double>() == 0.0) torch::Tensor(weight).normal_(0.0, 0.1);
                }
                built.model->eval();
                check(built);
            }
        }
    }
}

constexpr std::int64_t kFrameBytes = std::int64_t{2} * 12 * 10 * 4;  // of one channel

torch::Tensor largest(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max(); }

void check_same(const SequenceMemory& a, const SequenceMemory& b) {
    const auto one = a.tensors();
    const auto other = b.tensors();
    REQUIRE(one.size() == other.size());
    for (const auto& [name, tensor] : one) {
        INFO(name);
        REQUIRE(other.count(name) == 1);
        CHECK(at::equal(tensor, other.at(name)));
    }
}

}  // namespace

TEST_CASE("lead times do not depend on the pieces they are asked for in, bit for bit") {
    for (const bool relative : {false, true}) {
        for_all(
            [](const Built& built) {
                const torch::Tensor input = built.frames(4);
                const torch::Tensor whole = built.model->forecast(input, built.guides(0, 8), 8);
                CHECK(whole.sizes() == std::vector<std::int64_t>({2, 8, built.channels, 12, 10}));
                for (const std::vector<std::int64_t>& pieces : {std::vector<std::int64_t>(8, 1), {2, 1, 5}, {7, 1}}) {
                    SequenceMemory memory = built.model->begin(input);
                    std::int64_t done = 0;
                    for (const std::int64_t leads : pieces) {
                        const torch::Tensor frames = built.model->advance(memory, built.guides(done, leads), leads);
                        CHECK(at::equal(frames, whole.narrow(1, done, leads)));
                        done += leads;
                        CHECK(memory.leads == done);
                    }
                }
            },
            relative);
    }
}

TEST_CASE("frames read in pieces of any size leave the same memory, and that of a window") {
    for_all([](const Built& built) {
        const torch::Tensor input = built.frames(7);
        SequenceMemory one_by_one;
        for (std::int64_t t = 0; t < 7; ++t) built.model->observe(input.narrow(1, t, 1), one_by_one);
        CHECK(one_by_one.frames == 7);
        for (const std::vector<std::int64_t>& pieces : {std::vector<std::int64_t>{7}, {3, 4}, {1, 5, 1}}) {
            SequenceMemory memory;
            std::int64_t done = 0;
            for (const std::int64_t count : pieces) {
                built.model->observe(input.narrow(1, done, count), memory);
                done += count;
            }
            check_same(memory, one_by_one);
        }
        SequenceMemory window = built.model->begin(input);
        const torch::Tensor of_window = built.model->advance(window, built.guides(0, 5), 5);
        const torch::Tensor of_stream = built.model->advance(one_by_one, built.guides(0, 5), 5);
        // Operators of LibTorch may add in another order for more frames at once; norms of three channels enlarge that.
        CHECK(largest(of_window, of_stream).item<double>() < 1e-3);
        // A forecast of other frames is another one: the memory is looked at.
        SequenceMemory other = built.model->begin(built.frames(7, 6));
        CHECK(largest(built.model->advance(other, built.guides(0, 5), 5), of_stream).item<double>() > 1e-4);
    });
}

TEST_CASE("a memory comes back from its tensors, and a copy of it is apart") {
    for (const bool relative : {false, true}) {
        for_all(
            [](const Built& built) {
                SequenceMemory memory = built.model->begin(built.frames(4));
                const SequenceMemory copy = memory;
                const SequenceMemory stored = SequenceMemory::from(memory.tensors());
                check_same(stored, memory);
                built.model->advance(memory, built.guides(0, 4), 4);
                check_same(copy, stored);  // nothing was changed in place
                SequenceMemory half = SequenceMemory::from(memory.tensors());
                const torch::Tensor on = built.model->advance(memory, built.guides(4, 3), 3);
                CHECK(at::equal(built.model->advance(half, built.guides(4, 3), 3), on));
                SequenceMemory again = stored;
                built.model->advance(again, built.guides(0, 4), 4);
                CHECK(at::equal(built.model->advance(again, built.guides(4, 3), 3), on));
            },
            relative);
    }
    CHECK_THROWS_AS(SequenceMemory::from({{"state.x.h", at::zeros({1})}}), c10::ValueError);
    CHECK_THROWS_AS(SequenceMemory::from({{"state.0.z", at::zeros({1})}}), c10::ValueError);
    CHECK_THROWS_AS(SequenceMemory::from({{"else", at::zeros({1})}}), c10::ValueError);
}

TEST_CASE("what cannot be read or forecast piece by piece is refused") {
    for_all(
        [](const Built& built) {
            SequenceMemory memory;
            CHECK_THROWS_WITH(built.model->observe(built.frames(1), memory), Catch::Contains("model.relative"));
        },
        true);
    for_all([](const Built& built) {
        SequenceMemory empty;
        CHECK_THROWS_AS(built.model->advance(empty, built.guides(0, 1), 1), c10::ValueError);
        SequenceMemory memory = built.model->begin(built.frames(2));
        CHECK_THROWS_AS(built.model->advance(memory, built.guides(0, 1), 0), c10::ValueError);
        CHECK_THROWS_AS(built.model->begin(built.frames(2).narrow(3, 0, 3).narrow(2, 0, 0)), c10::ValueError);
        if (!built.model->options().guides().empty()) {
            CHECK_THROWS_AS(built.model->advance(memory, {}, 1), c10::ValueError);
            CHECK_THROWS_AS(built.model->advance(memory, built.guides(0, 2), 1), c10::ValueError);
        }
        built.model->advance(memory, built.guides(0, 1), 1);
        CHECK_THROWS_WITH(built.model->observe(built.frames(1), memory), Catch::Contains("from before the forecast"));
    });
    const c10::NoGradGuard no_grad;
    ModelOptions ahead;
    ahead.layers = {{.filters = 3}};
    ahead.head = "conv3d";
    ahead.time_padding = "same";
    ahead.decoder_inputs = {"persistence"};
    const Built built{nowcell::make_sequence_model(1, ahead), 1};
    SequenceMemory memory = built.model->begin(built.frames(3));
    CHECK_THROWS_WITH(built.model->advance(memory, built.guides(0, 1), 1), Catch::Contains("time_padding"));
    CHECK(built.model->forecast(built.frames(3), built.guides(0, 4), 4).size(1) == 4);
    // A next-frame network has zeros behind its last frame in any case.
    ahead.decoder_inputs = {};
    ahead.strategy = "next-frame";
    const Built causal{nowcell::make_sequence_model(1, ahead), 1};
    SequenceMemory whole = causal.model->begin(causal.frames(5));
    SequenceMemory pieces;
    causal.model->observe(causal.frames(5), pieces);
    CHECK(largest(causal.model->advance(whole, {}, 4), causal.model->advance(pieces, {}, 4)).item<double>() < 1e-5);
}

TEST_CASE("memory does not grow with the horizon, nor with the frames read") {
    for_all([](const Built& built) {
        if (built.channels > 1) return;
        const auto guides = [&](std::int64_t lead) { return built.guides(lead % 40, 1); };
        const auto peak = [&](std::int64_t horizon) {
            SequenceMemory memory = built.model->begin(built.frames(4));
            const nowcell::AllocationMeter meter;
            for (std::int64_t lead = 0; lead < horizon; ++lead) built.model->advance(memory, guides(lead), 1);
            return meter.peak_bytes();
        };
        peak(10);  // workspaces that stay
        // Not counted exactly: blocks from before the meter are given back while it runs.
        CHECK(peak(300) < peak(20) + 20 * kFrameBytes);
        if (built.model->options().strategy != "direct") {
            const torch::Tensor frame = built.frames(1);
            const auto read = [&](std::int64_t count) {
                SequenceMemory memory;
                const nowcell::AllocationMeter meter;
                for (std::int64_t t = 0; t < count; ++t) built.model->observe(frame, memory);
                return meter.peak_bytes();
            };
            CHECK(read(150) < read(20) + 20 * kFrameBytes);
        }
    });
}

TEST_CASE("direct: later blocks are made from as many frames as in training, however many were read") {
    const c10::NoGradGuard no_grad;
    ModelOptions options;
    options.strategy = "direct";
    options.layers = {{.filters = 4}};
    options.input_steps = 4;
    options.output_steps = 2;
    const Built built{nowcell::make_sequence_model(1, options), 1};
    const torch::Tensor input = built.frames(9);
    SequenceMemory memory;
    built.model->observe(input, memory);
    CHECK(memory.last.size(1) == 4);
    const torch::Tensor first = built.model->advance(memory, {}, 2);
    const torch::Tensor second = built.model->advance(memory, {}, 2);
    const torch::Tensor known = at::cat({input.narrow(1, 7, 2), first}, 1);
    CHECK(at::equal(second, built.model->forecast(known, {}, 2)));
}
