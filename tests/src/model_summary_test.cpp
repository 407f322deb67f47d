// The arithmetic of `nowcell model info` beside the networks themselves.
#include "src/model_summary.h"
#include "src/allocation_meter.h"
#include "src/error.h"
#include "src/presets.h"
#include "src/sequence_model.h"
#include "src/surface.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <functional>

using nowcell::Config;
using nowcell::FrameSize;
using nowcell::LayerOptions;
using nowcell::ModelOptions;
using nowcell::ModelSummary;
using nowcell::TrainingShape;

namespace {

ModelOptions network(const std::string& strategy, std::vector<LayerOptions> layers,
                     const std::function<void(ModelOptions&)>& change = {}) {
    ModelOptions options;
    options.strategy = strategy;
    options.layers = std::move(layers);
    options.output_steps = 3;
    if (change) change(options);
    return options;
}

std::vector<ModelOptions> networks() {
    const auto conv3d = [](ModelOptions& options) { options.head = "conv3d"; };
    const auto guided = [](ModelOptions& options) {
        options.patch = 2;
        options.residual_on = "persistence";
        options.decoder_inputs = {"seasonal"};
    };
    return {
        network("next-frame", {{.filters = 4}, {.filters = 3}}),
        network("next-frame", {{.filters = 4, .kernel = {2, 5}, .norm = "batch"}, {.filters = 3}}, conv3d),
        network("next-frame", {{.filters = 4, .norm = "layer"}, {.filters = 3, .return_sequences = false}}),
        network("next-frame", {{.cell = "conv_gru", .filters = 4, .reset = "before"}, {.filters = 3, .stride = {2}}}),
        network("next-frame", {{.filters = 4, .padding = "valid", .peephole = "pixel", .gate_norm = "frame"}}),
        network("next-frame", {{.filters = 4, .dilation = {2}, .gate_norm = "channels", .gate_norm_on = "sum"}}),
        network("encoder-forecaster", {{.filters = 4, .norm = "batch_keras", .residual = true}, {.filters = 4}}),
        network("encoder-forecaster", {{.filters = 4, .peephole = "channel"}, {.filters = 3, .residual = true}},
                guided),
        network("encoder-forecaster", {{.filters = 4}, {.filters = 3, .downsample = 2, .scale_kernel = 5}}),
        network("encoder-forecaster",
                {{.cell = "conv_gru", .filters = 4, .downsample = 2},
                 {.filters = 3, .norm = "group", .norm_groups = 3, .residual = true},
                 {.filters = 5, .bias = false, .downsample = 3}},
                guided),
        network("direct", {{.filters = 4}, {.filters = 3, .return_sequences = false}}, guided),
        network("direct", {{.filters = 4, .norm = "batch"}}, [](ModelOptions& options) { options.head_bias = false; }),
    };
}

constexpr FrameSize kFrame{24, 18};

std::int64_t numbers(const std::vector<torch::Tensor>& tensors) {
    std::int64_t count = 0;
    for (const torch::Tensor& tensor : tensors) count += tensor.numel();
    return count;
}

ModelSummary preset_summary(const std::string& name) {
    const nowcell::Preset& preset = nowcell::find_preset(name);
    const Config config = Config::parse(preset.text, name);
    const std::vector<std::int64_t> frame = preset.frame();
    return nowcell::summarize(ModelOptions::from(config), {{frame.at(2), {frame.at(0), frame.at(1)}},
                                                           config.integer("train.batch"),
                                                           config.integer("data.input_steps"),
                                                           config.integer("data.output_steps")});
}

// Rows and columns of the pixels that have a gradient.
FrameSize extent(const torch::Tensor& gradient) {
    const auto span = [&](std::int64_t other) {
        const torch::Tensor hit = gradient.abs().sum(other).nonzero();
        return hit.size(0) == 0 ? 0 : (hit.max() - hit.min()).item<std::int64_t>() + 1;
    };
    return {span(1), span(0)};
}

}  // namespace

TEST_CASE("a summary counts the parameters of each part as the network has them") {
    for (const ModelOptions& options : networks()) {
        auto model = nowcell::make_sequence_model(2, options, kFrame);
        const ModelSummary summary = nowcell::summarize(options, {{2, kFrame}, 1, 4, 3});
        CHECK(summary.parameters == numbers(model->parameters()));
        CHECK(summary.statistics == numbers(model->buffers()));
        std::int64_t named = 0;
        for (const nowcell::PartSummary& part : summary.parts) {
            std::int64_t count = 0;
            for (const auto& entry : model->named_parameters()) {
                const bool own = entry.key() == part.name || entry.key().rfind(part.name + ".", 0) == 0;
                count += own ? entry.value().numel() : 0;
            }
            INFO(part.name);
            CHECK(count == part.parameters);
            named += count;
        }
        CHECK(named == summary.parameters);
    }
}

TEST_CASE("parameters and multiplications of published networks") {
    const ModelSummary squares = preset_summary("keras-moving-squares");
    CHECK(squares.parameters + squares.statistics == 407001);
    const ModelSummary mnist = preset_summary("moving-mnist");
    CHECK(mnist.parameters + mnist.statistics == 746689);
    const ModelSummary openstl = preset_summary("openstl-convlstm-s");
    CHECK(openstl.parameters == 11675648);
    CHECK(static_cast<double>(openstl.macs) / 1e9 == Catch::Approx(56.790).epsilon(1e-4));
    const auto per_frame = [](const ModelSummary& summary) {
        return static_cast<double>(summary.macs) / static_cast<double>(summary.parts.front().steps) / 1e6;
    };
    CHECK(per_frame(squares) == Catch::Approx(649.2).epsilon(1e-3));
    CHECK(per_frame(mnist) == Catch::Approx(3053).epsilon(1e-3));
}

TEST_CASE("each preset parses, builds, and has the parameters that it says") {
    CHECK(nowcell::all_presets().size() >= 8);
    for (const nowcell::Preset& preset : nowcell::all_presets()) {
        INFO(preset.name);
        const Config config = Config::parse(preset.text, preset.name);
        CHECK_NOTHROW(nowcell::check_config(config));
        CHECK(preset.summary().size() > 20);
        CHECK(holds(nowcell::presets_text(), preset.name + " "));
        const std::vector<std::int64_t> frame = preset.frame();
        if (frame.empty()) continue;
        const ModelOptions options = ModelOptions::from(config);
        const FrameSize size{frame[0], frame[1]};
        CHECK_FALSE(nowcell::misfit(options, size, {}));
        auto model = nowcell::make_sequence_model(frame[2], options, size);
        const ModelSummary summary = preset_summary(preset.name);
        CHECK(model->parameter_count() == summary.parameters);
        CHECK(numbers(model->buffers()) == summary.statistics);
        std::string count = fmt::format("{}", summary.parameters);
        for (std::size_t at = count.size(); at > 3; at -= 3) count.insert(at - 3, ",");
        INFO(count);
        CHECK(holds(preset.text, count + " parameters"));
        if (summary.statistics > 0) {
            CHECK(holds(preset.text, fmt::format("{} running statistics", summary.statistics)));
        }
    }
    for (const char* name : {"keras-moving-squares", "moving-mnist", "frame-prediction", "openstl-convlstm-s",
                             "colour-images", "three-scales"}) {
        CHECK_FALSE(nowcell::find_preset(name).frame().empty());
    }
    CHECK(nowcell::find_preset("moving_mnist").name == "moving-mnist");
    try {
        nowcell::find_preset("moving-mnst");
        FAIL("found");
    } catch (const nowcell::Error& error) {
        CHECK(holds(error.block("nowcell"), "moving-mnist"));
    }
}

TEST_CASE("the receptive field is where the gradients of a forecast pixel reach") {
    const FrameSize large{60, 56};
    const std::int64_t steps = 3;
    const auto exact = [](LayerOptions layer) {  // Winograd's rounding reaches all pixels of a tile
        layer.algorithm = "direct";
        return layer;
    };
    for (const std::string strategy : {"next-frame", "encoder-forecaster", "direct"}) {
        for (const std::int64_t patch : {1, 2}) {
            INFO(strategy << ", patch " << patch);
            const ModelOptions options =
                network(strategy, {exact({.filters = 2, .kernel = {3, 5}}), exact({.filters = 2, .dilation = {2}})},
                        [&](ModelOptions& made) { made.patch = patch; });
            auto model = nowcell::make_sequence_model(1, options);
            const torch::Tensor input = at::rand({1, steps, 1, large.height, large.width}).requires_grad_(true);
            model->forecast(input, {}, 1).select(3, 30).select(3, 28).sum().backward();
            const auto field = nowcell::summarize(options, {{1, large}, 1, steps, 1}).field;
            CHECK(extent(input.grad()[0][steps - 1][0]) == field.newest);
            CHECK(extent(input.grad()[0][0][0]) == field.oldest);
            CHECK_FALSE(field.whole_frame);
        }
    }
    // Where pixels stand astride, the field is that of the widest of them.
    const ModelOptions scales =
        network("encoder-forecaster", {exact({.filters = 2}), exact({.filters = 2, .downsample = 2})});
    auto model = nowcell::make_sequence_model(1, scales);
    const auto field = nowcell::summarize(scales, {{1, large}, 1, steps, 1}).field;
    FrameSize widest{0, 0};
    for (std::int64_t at = 26; at < 30; ++at) {
        const torch::Tensor input = at::rand({1, steps, 1, large.height, large.width}).requires_grad_(true);
        model->forecast(input, {}, 1).select(3, at).select(3, at).sum().backward();
        REQUIRE(input.grad().isfinite().all().item<bool>());
        const FrameSize seen = extent(input.grad()[0][0][0]);
        widest = {std::max(widest.height, seen.height), std::max(widest.width, seen.width)};
    }
    CHECK(widest.height <= field.oldest.height);
    CHECK(widest.height >= field.oldest.height - 4);
    CHECK(widest.width == widest.height);
}

TEST_CASE("the memory of a training step is near its estimate") {
    const FrameSize frame{32, 32};
    const auto wide = [](const LayerOptions& layer) {
        LayerOptions made = layer;
        made.filters = 24;
        return made;
    };
    struct Row {
        const char* name;
        ModelOptions options;
    };
    const std::vector<Row> rows = {
        {"next-frame", network("next-frame", {wide({}), wide({})})},
        {"next-frame, recompute",
         network("next-frame", {wide({.memory = "recompute"}), wide({.memory = "recompute"})})},
        {"next-frame, norms",
         network("next-frame", {wide({.norm = "batch"}), wide({.norm = "layer", .residual = true})})},
        {"conv3d", network("next-frame", {wide({}), wide({})}, [](ModelOptions& made) { made.head = "conv3d"; })},
        {"closed loop", network("encoder-forecaster", {wide({}), wide({})})},
        {"scales", network("encoder-forecaster", {wide({}), wide({.downsample = 2})})},
        {"direct", network("direct", {wide({}), wide({})}, [](ModelOptions& made) { made.output_steps = 6; })},
    };
    for (const Row& row : rows) {
        auto model = nowcell::make_sequence_model(1, row.options);
        const TrainingShape shape{{1, frame}, 2, 6, 6};
        const torch::Tensor input = at::rand({2, 6, 1, frame.height, frame.width});
        const torch::Tensor target = at::rand({2, 6, 1, frame.height, frame.width});
        const auto step = [&] {
            model->zero_grad();
            const auto pair = model->supervised({input, target});
            at::mse_loss(pair.prediction, pair.target).backward();
        };
        step();  // what the kernels keep between calls
        const nowcell::AllocationMeter meter;
        step();
        const auto measured = static_cast<double>(meter.peak_bytes());
        const nowcell::MemoryEstimate estimate = nowcell::summarize(row.options, shape).memory;
        const auto expected = static_cast<double>(estimate.gradients + estimate.activations + estimate.frames);
        INFO(row.name << ": measured " << measured << ", estimated " << expected);
        CHECK(expected / measured > 0.75);
        CHECK(expected / measured < 1.4);
    }
}
