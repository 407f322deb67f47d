#include "src/model_summary.h"

#include "src/receptive_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nowcell {
namespace {

std::int64_t product(const std::vector<std::int64_t>& sizes) {
    return sizes.size() == 1 ? sizes[0] * sizes[0] : sizes[0] * sizes[1];
}

std::string kernel_text(const std::vector<std::int64_t>& kernel) {
    return fmt::format("{}x{}", kernel.front(), kernel.back());
}

std::int64_t pixels(const FrameSize& size) { return size.height * size.width; }

// Numbers per hidden unit and step that a cell keeps for its backward pass; `nowcell bench memory` measures them,
// together with the gradients of input and output.
double kept_per_unit(const LayerOptions& layer) {
    if (layer.algorithm == "reference") return 10.0;
    const double noise = (layer.zoneout > 0.0 ? 1.0 : 0.0) + (layer.zoneout_cell > 0.0 ? 1.0 : 0.0);
    if (layer.memory == "store" && layer.gate_norm == "none") return 6.0 + noise;
    return (layer.memory == "checkpoint" ? 1.1 : 2.0) + noise;
}

std::int64_t lstm_extras(const LayerOptions& layer, const FrameSize& hidden) {
    const std::int64_t area = pixels(hidden);
    std::int64_t count = 0;
    if (layer.peephole != "none") count += 3 * layer.filters * (layer.peephole == "pixel" ? area : 1);
    if (layer.gate_norm != "none") {
        const std::int64_t vectors = layer.gate_norm_on == "sum" ? 2 : 4;
        count += vectors * 4 * layer.filters * (layer.gate_norm == "frame" ? area : 1);
    }
    return count;
}

PartSummary cell_part(const std::string& name, const LayerOptions& layer, const FrameShape& input, std::int64_t steps) {
    const bool lstm = layer.cell == "conv_lstm";
    const std::int64_t outputs = (lstm ? 4 : 3) * layer.filters;
    const FrameShape output{layer.filters, hidden_size(layer, input.size)};
    const std::int64_t weights = outputs * (input.channels + layer.filters) * product(layer.kernel);
    const std::int64_t biases = layer.bias ? outputs * (!lstm && layer.reset == "after" ? 2 : 1) : 0;
    PartSummary part{name, layer.cell + " " + kernel_text(layer.kernel), input, output};
    part.parameters = weights + biases + (lstm ? lstm_extras(layer, output.size) : 0);
    part.macs = weights * pixels(output.size);
    part.steps = steps;
    part.kept = static_cast<std::int64_t>(kept_per_unit(layer) * static_cast<double>(output.values() * steps));
    return part;
}

// A convolution of frames; kept: numbers per step.
PartSummary convolution_part(const std::string& name, const std::string& kind, const FrameShape& input,
                             const FrameShape& output, std::int64_t kernel_values, bool bias, std::int64_t steps,
                             std::int64_t kept) {
    const std::int64_t weights = output.channels * input.channels * kernel_values;
    PartSummary part{name, kind, input, output};
    part.parameters = weights + (bias ? output.channels : 0);
    part.macs = weights * pixels(output.size);
    part.steps = steps;
    part.kept = kept * steps;
    return part;
}

/// Collects the parts of a network in the order in which frames pass them.
class Summary {
 public:
    Summary(const ModelOptions& options, const TrainingShape& shape) : options_(options), shape_(shape) {
        const std::int64_t patch = options.patch;
        frame_ = {shape.frame.channels * patch * patch,
                  {shape.frame.size.height / patch, shape.frame.size.width / patch}};
    }

    std::vector<PartSummary> parts() {
        const std::int64_t inputs = shape_.input_steps;
        const std::int64_t outputs = shape_.output_steps;
        if (options_.strategy == "encoder-forecaster") {
            encoder("encoder", inputs, /*states_only=*/true);
            const auto guides = static_cast<std::int64_t>(options_.guides().size());
            FrameShape read = frame_;
            read.channels *= std::max<std::int64_t>(1, guides);
            head(decoder(read, outputs), frame_, outputs);
            return parts_;
        }
        const bool direct = options_.strategy == "direct";
        const bool last_only = direct || !options_.layers.back().return_sequences;
        const std::int64_t steps = last_only ? inputs : inputs + outputs - 1;
        const FrameShape hidden = encoder(direct ? "encoder" : "stack", steps, /*states_only=*/false);
        FrameShape forecast = frame_;
        if (direct) forecast.channels *= options_.output_steps;
        head(hidden, forecast, last_only ? 1 : steps);
        if (direct) guide_weights(forecast);
        return parts_;
    }

 private:
    FrameShape encoder(const std::string& owner, std::int64_t steps, bool states_only) {
        FrameShape read = frame_;
        for (std::size_t i = 0; i < options_.layers.size(); ++i) {
            const LayerOptions& layer = options_.layers[i];
            if (layer.downsample > 1) {
                const FrameShape scaled{layer.filters, scaled_size(layer, read.size)};
                scale(fmt::format("{}.down{}", owner, i), layer, read, scaled, steps, 2 * scaled.values());
                read = scaled;
            }
            read = layer_parts(owner, i, read, steps, states_only && i + 1 == options_.layers.size());
        }
        return read;
    }

    FrameShape decoder(const FrameShape& read, std::int64_t steps) {
        if (!options_.scaled()) {
            FrameShape hidden = read;
            for (std::size_t i = 0; i < options_.layers.size(); ++i) {
                hidden = layer_parts("decoder", i, hidden, steps, false);
            }
            return hidden;
        }
        std::vector<FrameSize> sizes = {read.size};
        for (const LayerOptions& layer : options_.layers) sizes.push_back(scaled_size(layer, sizes.back()));
        FrameShape hidden{0, sizes.back()};
        for (std::size_t i = options_.layers.size(); i-- > 0;) {
            const LayerOptions& layer = options_.layers[i];
            hidden = layer_parts("decoder", i, {hidden.channels + read.channels, sizes[i + 1]}, steps, false);
            if (layer.downsample == 1) continue;
            hidden.size = sizes[i];
            // Resized, convolved, and side by side with the frame.
            scale(fmt::format("decoder.up{}", i), layer, hidden, hidden, steps, 3 * hidden.values());
        }
        return hidden;
    }

    FrameShape layer_parts(const std::string& owner, std::size_t i, const FrameShape& read, std::int64_t steps,
                           bool states_only) {
        const LayerOptions& layer = options_.layers[i];
        parts_.push_back(cell_part(fmt::format("{}.layer{}", owner, i), layer, read, steps));
        const FrameShape hidden = parts_.back().output;
        if (states_only) return hidden;
        const std::int64_t given = layer.return_sequences ? steps : 1;
        if (layer.norm != "none") {
            PartSummary part{fmt::format("{}.norm{}", owner, i), layer.norm + " norm", hidden, hidden};
            part.parameters = 2 * layer.filters;
            part.statistics = layer.norm.rfind("batch", 0) == 0 ? 2 * layer.filters : 0;
            part.steps = given;
            part.kept = hidden.values() * given;
            parts_.push_back(part);
        }
        if (layer.residual && read.channels != layer.filters) {
            parts_.push_back(convolution_part(fmt::format("{}.residual{}", owner, i), "convolution 1x1", read, hidden,
                                              1, false, given, 0));
        }
        if (layer.residual) parts_.back().kept += layer.norm == "none" ? hidden.values() * given : 0;
        return hidden;
    }

    void scale(const std::string& name, const LayerOptions& layer, const FrameShape& read, const FrameShape& given,
               std::int64_t steps, std::int64_t kept) {
        const std::int64_t side = layer.scale_kernel;
        const std::string step = layer.downsample > 1 && read.size != given.size
                                     ? fmt::format(", stride {}", layer.downsample)
                                     : std::string();
        parts_.push_back(convolution_part(name, fmt::format("convolution {}x{}{}", side, side, step), read, given,
                                          side * side, true, steps, kept));
    }

    void head(const FrameShape& hidden, const FrameShape& forecast, std::int64_t steps) {
        const std::int64_t side = options_.head_kernel;
        const bool over_time = options_.head == "conv3d";
        const FrameShape read{hidden.channels, forecast.size};
        const bool copied = over_time || hidden.size != forecast.size;
        const std::int64_t activated = options_.output_activation == "linear" ? 0 : forecast.values();
        const std::string kind = over_time ? fmt::format("convolution {}x{}x{}", side, side, side)
                                           : fmt::format("convolution {}x{}", side, side);
        parts_.push_back(convolution_part("head", kind, read, forecast, side * side * (over_time ? side : 1),
                                          options_.head_bias, steps, (copied ? read.values() : 0) + activated));
    }

    void guide_weights(const FrameShape& forecast) {
        const auto guides = static_cast<std::int64_t>(options_.guides().size());
        if (guides == 0) return;
        const std::int64_t side = options_.head_kernel;
        const FrameShape read{guides * frame_.channels, frame_.size};
        PartSummary part =
            convolution_part("guides", fmt::format("convolution {}x{} per lead time", side, side), read, forecast,
                             side * side, false, 1, read.values() * options_.output_steps + forecast.values());
        parts_.push_back(part);
    }

    const ModelOptions& options_;
    const TrainingShape& shape_;
    FrameShape frame_;  // folded
    std::vector<PartSummary> parts_;
};

MemoryEstimate memory_of(const ModelSummary& summary, const TrainingShape& shape) {
    constexpr std::int64_t kBytes = sizeof(float);
    MemoryEstimate memory;
    memory.weights = kBytes * (summary.parameters + summary.statistics);
    memory.gradients = kBytes * summary.parameters;
    memory.optimizer = 2 * kBytes * summary.parameters;
    std::int64_t kept = 0;
    std::int64_t flowing = 0;
    for (const PartSummary& part : summary.parts) {
        kept += part.kept;
        flowing = std::max(flowing, (part.input.values() + part.output.values()) * part.steps);
    }
    memory.activations = kBytes * shape.batch * (kept + flowing);
    // The windows, and forecast, target and loss beside each other.
    const std::int64_t steps = shape.input_steps + shape.output_steps;
    memory.frames = kBytes * shape.batch * shape.frame.values() * 4 * steps;
    return memory;
}

}  // namespace

std::string FrameShape::text() const { return fmt::format("{}x{}", channels, size.text()); }

ModelSummary summarize(const ModelOptions& options, const TrainingShape& shape) {
    ModelSummary summary;
    summary.parts = Summary(options, shape).parts();
    for (const PartSummary& part : summary.parts) {
        summary.parameters += part.parameters;
        summary.statistics += part.statistics;
        summary.macs += part.macs * part.steps;
    }
    summary.field = receptive_field(options, shape.input_steps);
    summary.memory = memory_of(summary, shape);
    return summary;
}

}  // namespace nowcell
