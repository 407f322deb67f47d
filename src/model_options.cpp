#include "src/model_options.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace nowcell {
namespace {

void check_layers(const ModelOptions& options, const Config& config) {
    if (options.layers.empty()) {
        throw Error(ExitCode::usage, "model.layers is empty: a network needs at least one layer", "",
                    "add [[model.layers]] with filters = 16 and kernel = 3");
    }
    for (std::size_t i = 0; i < options.layers.size(); ++i) {
        if (options.layers[i].return_sequences) continue;
        const bool last = i + 1 == options.layers.size();
        if (!last) {
            throw Error(ExitCode::usage,
                        fmt::format("model.layers[{}] returns only its last state, but model.layers[{}] needs a "
                                    "sequence",
                                    i, i + 1),
                        config.where(layer_key(i, "return_sequences")), "return_sequences = true");
        }
        if (options.strategy == "encoder-forecaster" || options.head != "conv2d") {
            throw Error(ExitCode::usage,
                        fmt::format("return_sequences = false on the last layer leaves one state: got strategy \"{}\" "
                                    "with head \"{}\", expected \"next-frame\" or \"direct\" with \"conv2d\"",
                                    options.strategy, options.head),
                        config.where(layer_key(i, "return_sequences")), "return_sequences = true");
        }
    }
}

void check_scales(const ModelOptions& options, const Config& config) {
    if (!options.scaled()) return;
    for (std::size_t i = 0; i < options.layers.size(); ++i) {
        const LayerOptions& layer = options.layers[i];
        const std::string name = layer_key(i, "downsample");
        if (layer.downsample > 1 && options.strategy != "encoder-forecaster") {
            throw Error(ExitCode::usage,
                        fmt::format("{} needs a forecaster that goes back up, which strategy \"{}\" has not", name,
                                    options.strategy),
                        config.where(name),
                        "model.strategy = \"encoder-forecaster\", or stride: the head then resizes the hidden frames");
        }
        for (const char* key : {"stride", "padding"}) {
            const bool smaller = std::string(key) == "stride" ? layer.stride != LayerOptions().stride &&
                                                                    layer.stride != std::vector<std::int64_t>{1, 1}
                                                              : layer.padding != "same";
            if (!smaller) continue;
            throw Error(ExitCode::usage,
                        fmt::format("{} makes hidden frames smaller, but in a network with downsample a layer keeps "
                                    "the size of its scale",
                                    layer_key(i, key)),
                        config.where(layer_key(i, key)), "downsample in place of stride, padding = \"same\"");
        }
    }
}

void check_head(const ModelOptions& options, const Config& config) {
    const auto refuse = [&](const char* key, const std::string& what, const std::string& hint) {
        throw Error(ExitCode::usage, what, config.where(key), hint);
    };
    if (options.strategy == "direct" && options.head != "conv2d") {
        refuse("model.head",
               fmt::format("model.head is \"{}\", but strategy \"direct\" forecasts from one state: "
                           "there is no time to convolve over",
                           options.head),
               "model.head = \"conv2d\"");
    }
    if (options.time_padding == "causal") return;
    if (options.head != "conv3d") {
        refuse("model.time_padding", "model.time_padding says nothing, as model.head is \"conv2d\"",
               "model.head = \"conv3d\"");
    }
    if (options.strategy == "encoder-forecaster" && options.guides().empty()) {
        refuse("model.time_padding",
               "model.time_padding = \"same\" lets a frame see the next one, but this decoder reads its own forecasts: "
               "the next one is not there yet",
               "model.time_padding = \"causal\"");
    }
}

void check_guides(const ModelOptions& options, const Config& config) {
    if (options.guides().empty()) return;
    const std::string key = options.corrects() ? "model.residual_on" : "model.decoder_inputs";
    if (options.strategy == "next-frame") {
        throw Error(ExitCode::usage, fmt::format("{} needs a decoder, which strategy \"next-frame\" has not", key),
                    config.where(key), "model.strategy = \"encoder-forecaster\" or \"direct\"");
    }
    for (const std::string& guide : options.guides()) {
        const bool cyclic = guide == "seasonal" || guide == "anomaly";
        if (cyclic && config.has("data.period") && config.integer("data.period") == 0) {
            throw Error(ExitCode::usage, fmt::format("{} = \"{}\" needs data.period", key, guide), config.where(key),
                        "data.period = 24 for hourly data with a daily cycle");
        }
    }
}

void check_activation(const ModelOptions& options, const Config& config) {
    if (options.output_activation == "linear") return;
    if (options.relative) {
        throw Error(
            ExitCode::usage,
            fmt::format("model.output_activation is \"{}\", but a difference from the last frame has both signs",
                        options.output_activation),
            config.where("model.output_activation"), "model.output_activation = \"linear\"");
    }
    if (options.corrects()) {
        throw Error(ExitCode::usage,
                    fmt::format("model.output_activation is \"{}\", but a correction of \"{}\" has both signs",
                                options.output_activation, options.residual_on),
                    config.where("model.output_activation"), "model.output_activation = \"linear\"");
    }
}

// What an activation can give, in model units.
struct Range {
    double lowest;
    double highest;
};

Range range_of(const std::string& activation) {
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    if (activation == "sigmoid") return {0.0, 1.0};
    if (activation == "tanh") return {-1.0, 1.0};
    return {activation == "linear" ? -kInfinite : 0.0, kInfinite};
}

}  // namespace

ModelOptions ModelOptions::from(const Config& config) {
    ModelOptions options;
    options.strategy = config.text("model.strategy");
    options.residual_on = config.text("model.residual_on");
    options.decoder_inputs = config.texts("model.decoder_inputs");
    options.cuda_graph = config.boolean("cells.cuda_graph");
    options.relative = config.boolean("model.relative");
    options.head = config.text("model.head");
    options.head_kernel = config.integer("model.head_kernel");
    options.head_bias = config.boolean("model.head_bias");
    options.time_padding = config.text("model.time_padding");
    options.output_activation = config.text("model.output_activation");
    options.patch = config.integer("model.patch");
    options.input_steps = config.integer("data.input_steps");
    options.output_steps = config.integer("data.output_steps");
    for (std::size_t i = 0; i < config.size("model.layers"); ++i) {
        options.layers.push_back(LayerOptions::from(config, i));
    }
    check_layers(options, config);
    check_scales(options, config);
    check_head(options, config);
    check_guides(options, config);
    check_activation(options, config);
    return options;
}

bool ModelOptions::scaled() const {
    return std::any_of(layers.begin(), layers.end(), [](const LayerOptions& layer) { return layer.downsample > 1; });
}

std::string ModelOptions::tie() const {
    for (std::size_t i = 0; i < layers.size(); ++i) {
        if (const std::string tie = layers[i].tie(); !tie.empty()) return layer_key(i, tie);
    }
    return "";
}

std::vector<std::string> ModelOptions::guides() const {
    std::vector<std::string> names;
    if (corrects()) names.push_back(residual_on);
    for (const std::string& name : decoder_inputs) {
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
}

void check_output_range(const ModelOptions& options, double lowest, double highest, const std::string& where) {
    const Range range = range_of(options.output_activation);
    constexpr double kRounding = 1e-6;
    if (lowest >= range.lowest - kRounding && highest <= range.highest + kRounding) return;
    throw Error(ExitCode::usage,
                fmt::format("model.output_activation = \"{}\" gives {:g} to {:g}, but the normalised frames go from "
                            "{:.4g} to {:.4g}",
                            options.output_activation, range.lowest, range.highest, lowest, highest),
                where, "data.normalize = \"minmax\", or model.output_activation = \"linear\"");
}

void check_output_range(const ModelOptions& options, const Config& config) {
    const std::string kind = config.text("data.normalize");
    const std::string where = config.where("model.output_activation");
    if (kind == "minmax" || kind == "log1p") check_output_range(options, 0.0, 1.0, where);
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    if (kind == "zscore") check_output_range(options, -kInfinite, kInfinite, where);
}

}  // namespace nowcell
