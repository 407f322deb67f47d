#include "src/layer_options.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace nowcell {
namespace {

bool above_one(const std::vector<std::int64_t>& values) {
    return std::any_of(values.begin(), values.end(), [](std::int64_t value) { return value > 1; });
}

/// A key that one cell alone has.
struct OwnKey {
    const char* cell;
    const char* name;
    bool changed;  // from its default
};

// A key that the layer's cell would not read must not look as if it did something.
void check_cell(const LayerOptions& options, const Config& config, std::size_t index) {
    const LayerOptions plain;
    const std::vector<OwnKey> own = {
        {"conv_lstm", "forget_bias", options.forget_bias != plain.forget_bias},
        {"conv_lstm", "peephole", options.peephole != plain.peephole},
        {"conv_lstm", "gate_norm", options.gate_norm != plain.gate_norm},
        {"conv_lstm", "gate_norm_on", options.gate_norm_on != plain.gate_norm_on},
        {"conv_lstm", "zoneout_cell", options.zoneout_cell != plain.zoneout_cell},
        {"conv_gru", "reset", options.reset != plain.reset},
        {"conv_gru", "update", options.update != plain.update},
    };
    for (const OwnKey& key : own) {
        if (!key.changed || options.cell == key.cell) continue;
        const std::string name = layer_key(index, key.name);
        throw Error(
            ExitCode::usage,
            fmt::format("{} is an option of cell \"{}\", but the layer's cell is \"{}\"", name, key.cell, options.cell),
            config.where(name), fmt::format("leave it out, or {} = \"{}\"", layer_key(index, "cell"), key.cell));
    }
}

void check_together(const LayerOptions& options, const Config& config, std::size_t index) {
    if (above_one(options.stride) && above_one(options.dilation)) {
        const std::string name = layer_key(index, "stride");
        throw Error(ExitCode::usage,
                    fmt::format("{} and dilation are both above 1, expected one of them to be 1", name),
                    config.where(name), name + " = 1");
    }
    if (options.gate_norm_on != LayerOptions().gate_norm_on && options.gate_norm == "none") {
        const std::string name = layer_key(index, "gate_norm_on");
        throw Error(
            ExitCode::usage,
            fmt::format("{} is \"{}\", but nothing is normalised: gate_norm is \"none\"", name, options.gate_norm_on),
            config.where(name), layer_key(index, "gate_norm") + " = \"channels\"");
    }
}

// What stands around the cell.
void check_surroundings(const LayerOptions& options, const Config& config, std::size_t index) {
    const LayerOptions plain;
    const auto refuse = [&](const char* key, const std::string& what, const std::string& hint) {
        const std::string name = layer_key(index, key);
        throw Error(ExitCode::usage, fmt::format("{} {}", name, what), config.where(name), hint);
    };
    if (options.norm_groups != plain.norm_groups && options.norm != "group") {
        refuse("norm_groups", fmt::format("says nothing, as norm is \"{}\"", options.norm),
               layer_key(index, "norm") + " = \"group\"");
    }
    if (options.norm == "group" && options.filters % options.norm_groups != 0) {
        refuse("norm_groups",
               fmt::format("is {}, expected a divisor of filters = {}", options.norm_groups, options.filters),
               "as many groups as divide the filters");
    }
    if (options.residual && (above_one(options.stride) || options.padding == "valid")) {
        refuse("residual", "adds the layer's input, but stride or padding give its output another size",
               "stride = 1 and padding = \"same\", or residual = false");
    }
    if (options.scale_kernel != plain.scale_kernel && options.downsample == 1) {
        refuse("scale_kernel", "says nothing, as downsample is 1", layer_key(index, "downsample") + " = 2");
    }
}

}  // namespace

std::string layer_key(std::size_t index, const std::string& name) {
    return fmt::format("model.layers[{}].{}", index, name);
}

std::string LayerOptions::tie() const {
    if (peephole == "pixel") return "peephole = \"pixel\"";
    return gate_norm == "frame" ? "gate_norm = \"frame\"" : "";
}

LayerOptions LayerOptions::from(const Config& config, std::size_t index) {
    const auto key = [index](const char* name) { return layer_key(index, name); };
    LayerOptions options;
    options.cell = config.text(key("cell"));
    options.filters = config.integer(key("filters"));
    options.kernel = config.per_axis(key("kernel"));
    options.stride = config.per_axis(key("stride"));
    options.dilation = config.per_axis(key("dilation"));
    options.padding = config.text(key("padding"));
    options.return_sequences = config.boolean(key("return_sequences"));
    options.activation = config.text(key("activation"));
    options.recurrent_activation = config.text(key("recurrent_activation"));
    options.bias = config.boolean(key("bias"));
    options.forget_bias = config.number(key("forget_bias"));
    options.peephole = config.text(key("peephole"));
    options.gate_norm = config.text(key("gate_norm"));
    options.gate_norm_on = config.text(key("gate_norm_on"));
    options.reset = config.text(key("reset"));
    options.update = config.text(key("update"));
    options.norm = config.text(key("norm"));
    options.norm_groups = config.integer(key("norm_groups"));
    options.residual = config.boolean(key("residual"));
    options.downsample = config.integer(key("downsample"));
    options.scale_kernel = config.integer(key("scale_kernel"));
    options.dropout = config.number(key("dropout"));
    options.recurrent_dropout = config.number(key("recurrent_dropout"));
    options.zoneout = config.number(key("zoneout"));
    options.zoneout_cell = config.number(key("zoneout_cell"));
    options.memory = config.text(key("memory"));
    options.algorithm = config.text("cells.algorithm");
    check_cell(options, config, index);
    check_together(options, config, index);
    check_surroundings(options, config, index);
    return options;
}

}  // namespace nowcell
