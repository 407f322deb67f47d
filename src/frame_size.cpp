#include "src/frame_size.h"

#include "cells/convolution.h"

#include <fmt/format.h>

namespace nowcell {
namespace {

using Sizes = std::vector<std::int64_t>;

Sizes both_axes(const Sizes& values) { return values.size() == 1 ? Sizes(2, values[0]) : values; }

FrameSize smallest_frame(const LayerOptions& layer) {
    const Sizes kernel = both_axes(layer.kernel);
    const Sizes dilation = both_axes(layer.dilation);
    return {(kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1};
}

}  // namespace

std::string FrameSize::text() const { return fmt::format("{}x{}", height, width); }

FrameSize size_of(const torch::Tensor& frames) { return {frames.size(-2), frames.size(-1)}; }

FrameSize scaled_size(const LayerOptions& layer, const FrameSize& frame) {
    const std::int64_t step = layer.downsample;
    return {(frame.height + step - 1) / step, (frame.width + step - 1) / step};
}

FrameSize hidden_size(const LayerOptions& layer, const FrameSize& frame) {
    const Convolution convolution{both_axes(layer.stride), both_axes(layer.dilation), padding_from(layer.padding)};
    const Sizes size = convolution.output_size(Sizes{frame.height, frame.width}, both_axes(layer.kernel));
    return {size[0], size[1]};
}

std::optional<Problem> misfit(const ModelOptions& options, const FrameSize& frame,
                              const std::optional<FrameSize>& built_for) {
    if (built_for && *built_for != frame) {
        return Problem{fmt::format("frames of {}: {} ties the network to the size it was trained on, expected {}",
                                   frame.text(), options.tie(), built_for->text()),
                       "", "train with peephole = \"channel\" or gate_norm = \"channels\": these take any size"};
    }
    if (frame.height % options.patch != 0 || frame.width % options.patch != 0) {
        return Problem{fmt::format("frames of {} are no multiple of model.patch = {}", frame.text(), options.patch), "",
                       ""};
    }
    FrameSize read{frame.height / options.patch, frame.width / options.patch};
    for (std::size_t i = 0; i < options.layers.size(); ++i) {
        const FrameSize hidden = hidden_size(options.layers[i], scaled_size(options.layers[i], read));
        if (hidden.height < 1 || hidden.width < 1) {
            const std::string padding = layer_key(i, "padding");
            return Problem{
                fmt::format("frames of {} are too small: {} is \"valid\" and the layer reads {}, expected at "
                            "least {}",
                            frame.text(), padding, read.text(), smallest_frame(options.layers[i]).text()),
                "", padding + " = \"same\", a smaller kernel, or larger frames"};
        }
        read = hidden;
    }
    return std::nullopt;
}

}  // namespace nowcell
