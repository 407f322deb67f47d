#include "src/stack.h"

#include "cells/frame_layout.h"

#include <string>

namespace nowcell {

Stack::Stack(std::int64_t input_channels, const std::vector<LayerOptions>& layers, std::optional<FrameSize> frame)
    : last_only_(!layers.back().return_sequences), own_kernels_(layers.front().algorithm != "reference") {
    for (const LayerOptions& options : layers) {
        layers_.push_back(
            register_module("layer" + std::to_string(layers_.size()), make_layer(options, input_channels, frame)));
        input_channels = options.filters;
        if (frame) frame = hidden_size(options, *frame);
    }
}

torch::Tensor Stack::forward(torch::Tensor x, std::vector<State>& states) {
    states.resize(layers_.size());
    // As the cells' kernels work: the layers then hand it on as it is.
    if (own_kernels_ && x.is_cpu()) x = to_channels_last(x);
    for (std::size_t i = 0; i < layers_.size(); ++i) x = layers_[i]->forward(x, states[i]);
    return last_only_ ? x.narrow(1, x.size(1) - 1, 1) : x;
}

}  // namespace nowcell
