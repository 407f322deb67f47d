#include "src/model_options.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>

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
        if (options.strategy != "next-frame" || options.head != "conv2d") {
            throw Error(ExitCode::usage,
                        fmt::format("return_sequences = false on the last layer forecasts one frame: got strategy "
                                    "\"{}\" with head \"{}\", expected \"next-frame\" with \"conv2d\"",
                                    options.strategy, options.head),
                        config.where(layer_key(i, "return_sequences")), "return_sequences = true");
        }
    }
}

void check_guides(const ModelOptions& options, const Config& config) {
    if (options.guides().empty()) return;
    const std::string key = options.corrects() ? "model.residual_on" : "model.decoder_inputs";
    if (options.strategy == "next-frame") {
        throw Error(ExitCode::usage, fmt::format("{} needs a decoder, which strategy \"next-frame\" has not", key),
                    config.where(key), "model.strategy = \"encoder-forecaster\"");
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
    options.output_activation = config.text("model.output_activation");
    options.patch = config.integer("model.patch");
    for (std::size_t i = 0; i < config.size("model.layers"); ++i) {
        options.layers.push_back(LayerOptions::from(config, i));
    }
    check_layers(options, config);
    check_guides(options, config);
    check_activation(options, config);
    return options;
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

}  // namespace nowcell
