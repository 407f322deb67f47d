// Forecasts in tiles beside those of whole frames.
#include "src/tiling.h"
#include "cells/conv_lstm_operator.h"
#include "src/allocation_meter.h"
#include "src/error.h"
#include "src/norm.h"
#include "src/sequence_model.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <random>

#include "tests/support/catch.h"

using nowcell::ConvolutionAxis;
using nowcell::Error;
using nowcell::Extent;
using nowcell::FrameSize;
using nowcell::ModelOptions;
using nowcell::Padding;
using nowcell::Tile;
using nowcell::Tiling;

namespace {

constexpr double kTolerance = 1e-6;

/// Draws, the same ones each time.
class Dice {
 public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}

    std::int64_t from(std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
    }
    bool one_in(std::int64_t count) { return from(1, count) == 1; }
    template <class Value>
    Value of(std::vector<Value> values) {
        return values[static_cast<std::size_t>(from(0, static_cast<std::int64_t>(values.size()) - 1))];
    }

 private:
    std::mt19937_64 engine_;
};

// Every parameter away from what it starts as; running statistics as well.
void stir(torch::nn::Module& module) {
    const c10::NoGradGuard no_grad;
    for (const auto& parameter : module.named_parameters()) {
        parameter.value().add_(at::randn_like(parameter.value()) * 0.1);
    }
    for (const auto& buffer : module.named_buffers()) {
        buffer.value().add_(at::rand_like(buffer.value()) * 0.5);
    }
}

nowcell::LayerOptions layer_of(Dice& dice, const std::string& algorithm) {
    nowcell::LayerOptions layer;
    layer.algorithm = algorithm;
    layer.filters = dice.from(1, 2) * 2;
    const std::int64_t side = dice.of<std::int64_t>({1, 2, 3, 3, 3, 4, 5, 7});
    layer.kernel = dice.one_in(4) ? std::vector<std::int64_t>{side, dice.from(1, 5)} : std::vector<std::int64_t>{side};
    if (dice.one_in(3)) {
        layer.cell = "conv_gru";
        layer.reset = dice.of<std::string>({"before", "after"});
        layer.update = dice.of<std::string>({"keep", "replace"});
    } else {
        layer.peephole = dice.of<std::string>({"none", "channel"});
        layer.gate_norm = dice.of<std::string>({"none", "none", "none", "channels"});
        layer.gate_norm_on = dice.of<std::string>({"parts", "sum"});
        if (dice.one_in(4)) layer.zoneout_cell = 0.2;
    }
    if (dice.one_in(4)) layer.zoneout = 0.1;
    layer.norm = dice.of<std::string>({"none", "none", "layer", "group", "batch", "batch_keras"});
    layer.norm_groups = 2;
    return layer;
}

// What makes frames smaller: a stride, no padding, a distance; or scales, in networks with downsample.
void shrink(Dice& dice, nowcell::LayerOptions& layer, bool scaled) {
    if (scaled) {
        layer.downsample = dice.from(1, 3);
        layer.scale_kernel = dice.from(1, 5);
        layer.residual = dice.one_in(2);
    } else if (dice.one_in(3)) {
        layer.stride = {dice.from(1, 3), dice.from(1, 3)};
    } else {
        layer.dilation = {dice.from(1, 3)};
        if (dice.one_in(4)) layer.padding = "valid";
        layer.residual = layer.padding == "same" && dice.one_in(3);
    }
}

ModelOptions network_of(Dice& dice, const std::string& algorithm) {
    ModelOptions options;
    options.strategy = dice.of<std::string>({"next-frame", "direct", "encoder-forecaster", "encoder-forecaster"});
    options.head = dice.of<std::string>({"conv2d", "conv3d"});
    if (options.head == "conv3d") options.time_padding = dice.of<std::string>({"causal", "same"});
    options.head_kernel = dice.from(1, 4);
    options.patch = dice.from(1, 2);
    options.relative = dice.one_in(3);
    options.output_steps = 2;
    if (options.strategy != "next-frame" && dice.one_in(3)) options.residual_on = "persistence";
    // A decoder that reads its own forecasts looks at no later lead time.
    if (options.strategy == "encoder-forecaster" && !options.corrects()) options.time_padding = "causal";
    const bool scaled = options.strategy == "encoder-forecaster" && dice.one_in(2);
    for (std::int64_t i = dice.from(1, 3); i > 0; --i) {
        options.layers.push_back(layer_of(dice, algorithm));
        shrink(dice, options.layers.back(), scaled);
    }
    if (options.strategy == "next-frame" && options.head == "conv2d" && dice.one_in(3)) {
        options.layers.back().return_sequences = false;
    }
    return options;
}

std::string text_of(const ModelOptions& options) {
    std::string text = options.strategy + " " + options.head + "/" + std::to_string(options.head_kernel) + " " +
                       options.time_padding + " patch " + std::to_string(options.patch) + " " + options.residual_on;
    for (const auto& l : options.layers) {
        text += "; " + l.cell + " " + l.reset + " k" + std::to_string(l.kernel.front()) + "," +
                std::to_string(l.kernel.back()) + " s" + std::to_string(l.stride.front()) + "," +
                std::to_string(l.stride.back()) + " d" + std::to_string(l.dilation.front()) + " " + l.padding + " " +
                l.norm + " " + l.gate_norm + " down " + std::to_string(l.downsample) + "/" +
                std::to_string(l.scale_kernel) + (l.residual ? " residual" : "");
    }
    return text;
}

double difference(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

/// A network, and what it forecasts from noise.
struct Trial {
    std::shared_ptr<nowcell::SequenceModel> model;
    torch::Tensor input, guides;
    std::int64_t horizon = 3;

    void to(at::ScalarType type) {
        model->to(type);
        input = input.to(type);
        if (guides.defined()) guides = guides.to(type);
    }
    torch::Tensor forecast(const Tiling& tiling) const {
        model->set_tiling(tiling);
        return model->forecast(input, guides, horizon);
    }
};

Trial trial_of(const ModelOptions& options, const FrameSize& frame, std::int64_t steps, std::int64_t batch = 2) {
    Trial trial{nowcell::make_sequence_model(2, options), at::rand({batch, steps, 2, frame.height, frame.width}), {}};
    trial.model->eval();
    stir(*trial.model);
    const auto guides = static_cast<std::int64_t>(options.guides().size());
    if (guides > 0) trial.guides = at::rand({batch, trial.horizon, 2 * guides, frame.height, frame.width});
    return trial;
}

/// A network drawn at random, and what it forecasts from noise.
struct Draw {
    Trial trial;
    Tiling tiling;
    std::string text;
};

Draw draw(Dice& dice, const std::string& algorithm) {
    for (;;) {
        const ModelOptions options = network_of(dice, algorithm);
        const FrameSize frame = {dice.from(9, 40) * options.patch, dice.from(9, 40) * options.patch};
        if (nowcell::misfit(options, frame, {})) continue;
        const Tiling tiling = {dice.from(1, 45), dice.one_in(4) ? 0 : dice.from(1, 45)};
        return {trial_of(options, frame, dice.from(1, 4)), tiling,
                text_of(options) + " frame " + frame.text() + " tile " + std::to_string(tiling.height) + "x" +
                    std::to_string(tiling.width)};
    }
}

ModelOptions plain_network(std::int64_t filters, std::int64_t layers) {
    ModelOptions options;
    options.strategy = "next-frame";
    options.layers.assign(static_cast<std::size_t>(layers), {.filters = filters});
    return options;
}

}  // namespace

TEST_CASE("tiles cover a frame once, and their margins are within it") {
    Dice dice(1);
    for (int i = 0; i < 300; ++i) {
        const FrameSize frame = {dice.from(1, 50), dice.from(1, 50)};
        const FrameSize tile = {dice.from(0, 60), dice.from(0, 60)};
        const nowcell::TileRule rule = {{dice.from(0, 5), dice.from(0, 5)},
                                        {dice.from(0, 5), dice.from(0, 5)},
                                        dice.of<std::int64_t>({1, 2, 4, 12})};
        INFO(frame.text() << " in tiles of " << tile.text());
        torch::Tensor covered = at::zeros({frame.height, frame.width});
        for (const Tile& each : nowcell::tiles_of(frame, tile, rule)) {
            nowcell::cropped(covered, each.kept).add_(1);
            const auto check = [&](const Extent& kept, const Extent& computed, std::int64_t size, const auto& reach) {
                CHECK(computed.first <= std::max<std::int64_t>(0, kept.first - reach.before));
                CHECK(computed.end >= std::min(size, kept.end + reach.after));
                CHECK((computed.first >= 0 && computed.end <= size));
                CHECK(computed.first % rule.multiple == 0);
                CHECK((computed.end % rule.multiple == 0 || computed.end == size));
            };
            check(each.kept.rows, each.computed.rows, frame.height, rule.rows);
            check(each.kept.columns, each.computed.columns, frame.width, rule.columns);
            const std::int64_t most = (tile.height + rule.multiple - 1) / rule.multiple * rule.multiple;
            CHECK((tile.height == 0 || each.kept.rows.count() <= most));
        }
        CHECK(covered.eq(1).all().item<bool>());
    }
}

TEST_CASE("a part of a frame convolved alone gives its outputs but for the reach of inner borders, and no less") {
    Dice dice(2);
    for (int i = 0; i < 500; ++i) {
        const std::int64_t size = dice.from(1, 40), kernel = dice.from(1, 7), stride = dice.from(1, 5);
        const std::int64_t dilation = stride > 1 ? 1 : dice.from(1, 4);
        const Padding padding = dice.of<Padding>({Padding::same, Padding::valid});
        INFO("size " << size << " kernel " << kernel << " stride " << stride << " dilation " << dilation << " "
                     << nowcell::name_of(padding));
        const nowcell::Convolution how{{stride}, {dilation}, padding};
        const ConvolutionAxis axis(size, kernel, stride, dilation, padding);
        if (axis.outputs() < 1) continue;
        const torch::Tensor x = at::arange(1, size + 1, at::kDouble).square().view({1, 1, size});
        const torch::Tensor weight = (at::arange(kernel, at::kDouble) + 1).view({1, 1, kernel});
        const torch::Tensor whole = nowcell::convolve(x, weight, {}, how).flatten();
        REQUIRE(whole.size(0) == axis.outputs());
        const std::int64_t first = dice.from(0, axis.outputs() - 1);
        const Extent outputs = {first, dice.from(first + 1, axis.outputs())};
        const Extent input = axis.input(outputs);
        const torch::Tensor part =
            nowcell::convolve(x.slice(2, input.first, std::min(size, input.end)), weight, {}, how).flatten();
        REQUIRE(input.first >= 0);
        REQUIRE(part.size(0) == outputs.count());
        const std::int64_t before = outputs.first == 0 ? 0 : axis.reach().before;
        const std::int64_t after = outputs.end == axis.outputs() ? 0 : axis.reach().after;
        const torch::Tensor right = part.eq(whole.slice(0, outputs.first, outputs.end));
        if (before + after >= outputs.count()) continue;
        CHECK(right.slice(0, before, outputs.count() - after).all().item<bool>());
        CHECK(!right.slice(0, 0, before).any().item<bool>());
        CHECK(!right.slice(0, outputs.count() - after).any().item<bool>());
    }
}

TEST_CASE("random networks forecast in tiles what they forecast from whole frames") {
    const c10::NoGradGuard no_grad;
    at::manual_seed(7);
    Dice dice(7);
    for (int i = 0; i < 80; ++i) {
        Draw drawn = draw(dice, "auto");
        INFO(drawn.text);
        drawn.trial.to(at::kDouble);
        const torch::Tensor whole = drawn.trial.forecast({});
        CHECK(difference(drawn.trial.forecast(drawn.tiling), whole) <= 1e-10);
    }
}

TEST_CASE("random networks forecast the same in tiles with every algorithm") {
    const c10::NoGradGuard no_grad;
    for (const char* algorithm : {"reference", "direct", "winograd-safe", "winograd-fast", "auto"}) {
        at::manual_seed(8);
        Dice dice(8);
        for (int i = 0; i < 12; ++i) {
            Draw drawn = draw(dice, algorithm);
            INFO(algorithm << " " << drawn.text);
            const torch::Tensor whole = drawn.trial.forecast({});
            const double off = difference(drawn.trial.forecast(drawn.tiling), whole);
            drawn.trial.to(at::kDouble);
            // Some of these networks make much of rounding: then as far apart as two roundings may be.
            CHECK(off <= std::max(kTolerance, 2 * difference(drawn.trial.forecast({}), whole)));
        }
    }
}

TEST_CASE("kernels of our own give the same bits in tiles") {
    const c10::NoGradGuard no_grad;
    for (const char* algorithm : {"direct", "winograd-safe", "winograd-fast"}) {
        for (const std::int64_t kernel : {1, 3, 5, 7}) {
            INFO(algorithm << ", kernel " << kernel);
            nowcell::LayerOptions options{.filters = 8, .kernel = {kernel}, .algorithm = algorithm};
            nowcell::Stack stack(3, {options});
            stack.eval();
            at::manual_seed(3);
            stir(stack);
            const torch::Tensor x = at::rand({1, 3, 3, 70, 53});
            std::vector<nowcell::State> whole, parts;
            stack.forward(x, whole);
            stack.set_tile({20, 17});
            REQUIRE(stack.tiled());
            for (std::int64_t t = 0; t < 3; ++t) stack.step(x.narrow(1, t, 1), parts);
            CHECK(at::equal(whole[0].h, parts[0].h));
            CHECK(at::equal(whole[0].c, parts[0].c));
        }
    }
}

TEST_CASE("a layer that needs whole frames is refused by name") {
    ModelOptions options = plain_network(2, 2);
    options.layers[1].gate_norm = "frame";
    const auto model = nowcell::make_sequence_model(1, options, FrameSize{8, 8});
    try {
        model->set_tiling({4, 4});
        FAIL("not refused");
    } catch (const Error& error) {
        CHECK(error.code() == nowcell::ExitCode::usage);
        CHECK(std::string(error.what()).find("model.layers[1].gate_norm") != std::string::npos);
    }
    model->set_tiling({});  // whole frames are fine
}

TEST_CASE("training does not go in tiles") {
    const auto model = nowcell::make_sequence_model(1, plain_network(2, 1));
    model->set_tiling({4, 4});
    const torch::Tensor frames = at::rand({1, 3, 1, 9, 9});
    model->train();
    const nowcell::Supervised taught = model->supervised({frames, frames});
    CHECK(taught.prediction.requires_grad());
}

TEST_CASE("a forecast in tiles holds frames, states and the work of a tile") {
    const c10::NoGradGuard no_grad;
    constexpr std::int64_t kSide = 512, kTile = 128, kFilters = 8, kSteps = 3, kLayers = 2;
    const auto peak = [&](std::int64_t side, std::int64_t tile, const char* algorithm) {
        ModelOptions options = plain_network(kFilters, kLayers);
        for (auto& layer : options.layers) layer.algorithm = algorithm;
        Trial trial = trial_of(options, {side, side}, kSteps, 1);
        const nowcell::AllocationMeter meter;
        trial.forecast({tile, tile});
        return static_cast<double>(meter.peak_bytes());
    };
    for (const char* algorithm : {"direct", "reference"}) {
        const double frame = 4.0 * kSide * kSide;
        const double states = frame * 2 * kFilters * kLayers;
        const double forecast = frame * 2 * 3 * 2;  // 3 lead times of 2 channels; twice, as they are put together
        const double whole = peak(kSide, 0, algorithm);
        const double tiled = peak(kSide, kTile, algorithm);
        const double tile = peak(kTile, 0, algorithm);  // with its own states and frames, which are small
        WARN(algorithm << ": whole " << whole / frame << ", tiled " << tiled / frame << ", states " << states / frame
                       << ", work of a tile " << tile / frame << " floats per pixel");
        CHECK(tiled <= states + forecast + 1.2 * tile);
        CHECK(tiled < 0.6 * whole);
    }
}
