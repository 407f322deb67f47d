// What stands around the cells: norms, residuals, scales; and what is said of options that do not fit.
#include "src/checkpoint.h"
#include "src/error.h"
#include "src/norm.h"
#include "src/surface.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"

using nowcell::Config;
using nowcell::Error;
using nowcell::FrameSize;
using nowcell::ModelOptions;
using nowcell::Norm;

namespace {

torch::Tensor hidden() {
    at::manual_seed(4);
    return at::randn({3, 4, 6, 5, 7}) * 2.0 + 0.7;
}

torch::Tensor buffer(const Norm& norm, const char* name) { return norm.named_buffers()[name]; }

// (x - mean) / sqrt(var + eps), as the text books say.
torch::Tensor normal(const torch::Tensor& x, at::IntArrayRef axes, double eps) {
    const torch::Tensor mean = x.mean(axes, /*keepdim=*/true);
    const torch::Tensor var = (x - mean).square().mean(axes, /*keepdim=*/true);
    return (x - mean) / (var + eps).sqrt();
}

double difference(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

ModelOptions scaled(std::vector<std::int64_t> factors) {
    ModelOptions options;
    std::int64_t filters = 3;
    for (const std::int64_t factor : factors) options.layers.push_back({.filters = filters++, .downsample = factor});
    return options;
}

torch::Tensor frames(std::int64_t steps, const FrameSize& size, std::int64_t channels = 1) {
    at::manual_seed(9);
    return at::rand({2, steps, channels, size.height, size.width});
}

std::string refusal(const std::string& lines, const std::vector<std::string>& overrides = {}) {
    try {
        nowcell::check_config(Config::parse("[data]\npath = \"a.h5\"\n" + lines, "exp.toml", overrides));
    } catch (const Error& error) {
        CHECK(error.code() == nowcell::ExitCode::usage);
        return error.block("nowcell");
    }
    return "";
}

}  // namespace

TEST_CASE("batch norm: PyTorch's and Keras' constants, running statistics and forecasts") {
    const c10::NoGradGuard no_grad;
    const torch::Tensor x = hidden();
    const auto count = static_cast<double>(x.numel() / 6);
    const torch::Tensor mean = x.mean(at::IntArrayRef{0, 1, 3, 4});
    const torch::Tensor biased = x.var(at::IntArrayRef{0, 1, 3, 4}, /*unbiased=*/false);
    for (const bool keras : {false, true}) {
        Norm norm(keras ? "batch_keras" : "batch", 6, 1);
        const double eps = keras ? 1e-3 : 1e-5;
        norm.named_parameters()["weight"].fill_(1.5);
        norm.named_parameters()["bias"].fill_(-0.25);
        CHECK(difference(norm.forward(x), normal(x, {0, 1, 3, 4}, eps) * 1.5 - 0.25) < 1e-5);
        // Keras keeps 0.99 of the old value and the variance over N, PyTorch 0.9 and N-1.
        const double kept = keras ? 0.99 : 0.9;
        const torch::Tensor var = keras ? biased : biased * (count / (count - 1.0));
        CHECK(difference(buffer(norm, "running_mean"), mean * (1.0 - kept)) < 1e-6);
        CHECK(difference(buffer(norm, "running_var"), kept + var * (1.0 - kept)) < 1e-5);
        norm.forward(x);
        CHECK(difference(buffer(norm, "running_mean"), mean * (1.0 - kept * kept)) < 1e-6);
        norm.eval();
        const torch::Tensor before = buffer(norm, "running_var").clone();
        const auto each = [](const torch::Tensor& channel) { return channel.view({1, 1, 6, 1, 1}); };
        const torch::Tensor expected =
            (x - each(buffer(norm, "running_mean"))) / (each(before) + eps).sqrt() * 1.5 - 0.25;
        CHECK(difference(norm.forward(x), expected) < 1e-5);
        CHECK(at::equal(buffer(norm, "running_var"), before));
        // A forecast does not depend on what else is in the batch.
        CHECK(at::allclose(norm.forward(x.narrow(0, 1, 1)), norm.forward(x).narrow(0, 1, 1), 1e-6, 1e-6));
    }
}

TEST_CASE("layer and group norm look at one frame, in training too") {
    const c10::NoGradGuard no_grad;
    const torch::Tensor x = hidden();
    Norm layer("layer", 6, 1);
    CHECK(difference(layer.forward(x), normal(x, {2}, 1e-5)) < 1e-5);
    for (const std::int64_t groups : {1, 2, 3, 6}) {
        Norm group("group", 6, groups);
        const torch::Tensor expected = normal(x.unflatten(2, {groups, 6 / groups}), {3, 4, 5}, 1e-5).flatten(2, 3);
        CHECK(difference(group.forward(x), expected) < 1e-5);
        CHECK(at::allclose(group.forward(x.narrow(1, 2, 1)), group.forward(x).narrow(1, 2, 1), 1e-5, 1e-6));
    }
    CHECK(layer.named_buffers().is_empty());
    CHECK_THROWS_AS(Norm("group", 6, 4), c10::ValueError);
    CHECK_THROWS_AS(Norm("instance", 6, 1), c10::ValueError);
}

TEST_CASE("a checkpoint holds the running statistics of batch norm") {
    const c10::NoGradGuard no_grad;
    ModelOptions options;
    options.strategy = "next-frame";
    options.layers = {{.filters = 4, .norm = "batch_keras"}, {.filters = 3, .norm = "batch"}};
    auto model = nowcell::make_sequence_model(1, options);
    model->train();
    const torch::Tensor input = frames(4, {6, 6});
    model->supervised({input, input});
    model->eval();
    nowcell::Checkpoint checkpoint;
    checkpoint.put_model(*model);
    CHECK(checkpoint.tensors.count("model.stack.norm0.running_var") == 1);
    CHECK(checkpoint.tensors.count("model.stack.norm1.running_mean") == 1);
    auto other = nowcell::make_sequence_model(1, options);
    other->eval();
    CHECK_FALSE(at::equal(other->forecast(input, {}, 3), model->forecast(input, {}, 3)));
    checkpoint.get_model(*other);
    CHECK(at::equal(other->forecast(input, {}, 3), model->forecast(input, {}, 3)));
}

TEST_CASE("a residual layer whose cell gives nothing hands its input on") {
    const c10::NoGradGuard no_grad;
    for (const std::int64_t channels : {4, 2}) {
        nowcell::Stack stack(channels, {{.filters = 4, .forget_bias = 0.0, .residual = true}});
        for (const auto& entry : stack.named_parameters()) {
            if (entry.key().rfind("layer0", 0) == 0) torch::Tensor(entry.value()).zero_();
        }
        std::vector<nowcell::State> states;
        const torch::Tensor x = frames(3, {5, 6}, channels);
        const torch::Tensor out = stack.forward(x, states);
        CHECK(out.size(2) == 4);
        if (channels == 4) {
            CHECK(at::equal(out, x));
            continue;
        }
        const torch::Tensor weight = stack.named_parameters()["residual0.weight"];
        CHECK(weight.sizes() == std::vector<std::int64_t>({4, 2, 1, 1}));
        CHECK(at::allclose(out, at::einsum("ocij,btchw->btohw", {weight, x}), 1e-5, 1e-6));
    }
}

TEST_CASE("scales: states are handed over at each, and frames of any size come back") {
    const c10::NoGradGuard no_grad;
    for (const auto& factors : {std::vector<std::int64_t>{1, 2}, {1, 2, 2}, {2, 3}, {1, 1, 4}}) {
        for (const FrameSize size : {FrameSize{16, 12}, {13, 9}, {5, 7}}) {
            for (const bool guided : {false, true}) {
                INFO(size.text() << (guided ? " guided" : ""));
                ModelOptions options = scaled(factors);
                if (guided) options.decoder_inputs = {"persistence", "seasonal"};
                auto model = nowcell::make_sequence_model(1, options);
                CHECK_FALSE(model->misfit(size));
                const torch::Tensor guides = guided ? frames(5, size, 2) : torch::Tensor();
                const torch::Tensor forecast = model->forecast(frames(3, size), guides, 5);
                CHECK(forecast.sizes() == std::vector<std::int64_t>({2, 5, 1, size.height, size.width}));
                // Only through the states does the decoder of guides know the input.
                if (guided) CHECK_FALSE(at::allclose(forecast, model->forecast(frames(3, size) * 3.0, guides, 5)));
            }
        }
    }
}

TEST_CASE("scales: an encoder's state has the size of its scale, and the decoder streams from it") {
    const c10::NoGradGuard no_grad;
    const ModelOptions options = scaled({1, 2, 3});
    nowcell::Stack encoder(1, options.layers);
    std::vector<nowcell::State> states;
    encoder.forward(frames(4, {13, 12}), states);
    REQUIRE(states.size() == 3);
    CHECK(nowcell::size_of(states[0].h) == FrameSize{13, 12});
    CHECK(nowcell::size_of(states[1].h) == FrameSize{7, 6});
    CHECK(nowcell::size_of(states[2].h) == FrameSize{3, 2});
    nowcell::UpStack decoder(1, options.layers);
    std::vector<nowcell::State> whole = states;
    std::vector<nowcell::State> running = states;
    const torch::Tensor x = frames(4, {13, 12});
    const torch::Tensor all = decoder.forward(x, whole);
    CHECK(all.sizes() == std::vector<std::int64_t>({2, 4, 3, 13, 12}));
    for (std::int64_t t = 0; t < 4; ++t) {
        CHECK(at::allclose(decoder.forward(x.narrow(1, t, 1), running), all.narrow(1, t, 1), 1e-4, 1e-5));
    }
    for (std::size_t i = 0; i < 3; ++i) CHECK(at::allclose(whole[i].h, running[i].h, 1e-4, 1e-5));
    // A change of the coarsest state alone is seen in the frames.
    std::vector<nowcell::State> changed = states;
    changed[2].h = changed[2].h + 1.0;
    CHECK_FALSE(at::allclose(decoder.forward(x, changed), all));
}

TEST_CASE("scales: a layer that is tied to a frame size gets that of its scale") {
    ModelOptions options = scaled({1, 2, 2});
    options.patch = 2;
    options.layers[2].peephole = "pixel";
    auto model = nowcell::make_sequence_model(1, options, FrameSize{24, 20});
    for (const char* side : {"encoder", "decoder"}) {
        CHECK(model->named_parameters()[std::string(side) + ".layer2.peephole"].sizes() ==
              std::vector<std::int64_t>({3, 5, 3, 3}));
    }
    CHECK(model->forecast(frames(2, {24, 20}), {}, 2).size(3) == 24);
    CHECK(model->misfit({20, 20}));
}

TEST_CASE("the head's bias can be left out") {
    ModelOptions options;
    options.layers = {{.filters = 4}};
    const std::int64_t with = nowcell::make_sequence_model(3, options)->parameter_count();
    options.head_bias = false;
    CHECK(nowcell::make_sequence_model(3, options)->parameter_count() == with - 3);
}

TEST_CASE("what says nothing or cannot work is refused with the position of the key") {
    const auto refused = [](const std::string& lines, const std::string& what, const std::string& hint) {
        const std::string block = refusal(lines);
        INFO(block);
        CHECK(holds(block, what));
        CHECK(holds(block, hint));
        CHECK(holds(block, "exp.toml:"));
    };
    const std::string layer = "[[model.layers]]\nfilters = 6\n";
    const std::string next = "[model]\nstrategy = \"next-frame\"\n";
    refused(layer + "norm_groups = 3\n", "model.layers[0].norm_groups says nothing, as norm is \"none\"", "\"group\"");
    refused(layer + "norm = \"group\"\nnorm_groups = 4\n", "norm_groups is 4, expected a divisor of filters = 6", "");
    refused(layer + "residual = true\nstride = 2\n", "residual adds the layer's input", "stride = 1");
    refused(layer + "residual = true\npadding = \"valid\"\n", "residual adds the layer's input", "padding = \"same\"");
    refused(layer + "scale_kernel = 5\n", "scale_kernel says nothing", "downsample = 2");
    refused(next + layer + "downsample = 2\n", "which strategy \"next-frame\" has not", "encoder-forecaster");
    refused(layer + "[[model.layers]]\ndownsample = 2\nstride = 2\n", "stride makes hidden frames smaller",
            "downsample");
    refused(layer + "padding = \"valid\"\n[[model.layers]]\ndownsample = 2\n", "layers[0].padding makes hidden frames",
            "padding = \"same\"");
    refused("[model]\nstrategy = \"direct\"\nhead = \"conv3d\"\n" + layer, "there is no time to convolve over",
            "conv2d");
    refused("[model]\ntime_padding = \"same\"\n" + layer, "time_padding says nothing", "conv3d");
    refused("[model]\nhead = \"conv3d\"\ntime_padding = \"same\"\n" + layer, "this decoder reads its own forecasts",
            "causal");
    refused("[model]\nresidual_on = \"persistence\"\nstrategy = \"next-frame\"\n" + layer, "needs a decoder",
            "\"direct\"");
    CHECK(refusal(next + "head = \"conv3d\"\ntime_padding = \"same\"\n" + layer).empty());
    CHECK(refusal("[model]\nstrategy = \"direct\"\n" + layer + "return_sequences = false\n").empty());
    CHECK(
        refusal(layer + "[[model.layers]]\nfilters = 8\ndownsample = 2\nscale_kernel = 5\nnorm = \"group\"\n").empty());
}

TEST_CASE("an output activation that cannot give the normalised frames is refused") {
    const std::string layer = "[[model.layers]]\n";
    const auto said = [&](const std::string& activation, const std::string& normalize) {
        return refusal(layer, {"model.output_activation=" + activation, "data.normalize=" + normalize});
    };
    for (const char* activation : {"sigmoid", "tanh", "relu", "softplus"}) {
        INFO(activation);
        CHECK(said(activation, "minmax").empty());
        CHECK(said(activation, "log1p").empty());
        CHECK(said(activation, "none").empty());  // judged when the data are known
        CHECK(holds(said(activation, "zscore"), "but the normalised frames go from -inf to inf"));
        CHECK(holds(said(activation, "zscore"), "data.normalize = \"minmax\""));
    }
    CHECK(said("linear", "zscore").empty());
    ModelOptions options;
    options.output_activation = "sigmoid";
    CHECK_NOTHROW(nowcell::check_output_range(options, 0.0, 1.0));
    CHECK_THROWS_AS(nowcell::check_output_range(options, 0.0, 255.0), Error);
    options.output_activation = "relu";
    CHECK_NOTHROW(nowcell::check_output_range(options, 0.0, 255.0));
    CHECK_THROWS_AS(nowcell::check_output_range(options, -3.0, 255.0), Error);
}
