#include "src/stack.h"

#include <string>

namespace nowcell {

Stack::Stack(std::int64_t input_channels, const std::vector<LayerOptions>& layers)
    : last_only_(!layers.back().return_sequences) {
    for (const LayerOptions& layer : layers) {
        ConvLstmOptions options;
        options.input_channels = input_channels;
        options.filters = layer.filters;
        options.kernel = {layer.kernel};
        options.forget_bias = layer.forget_bias;
        auto cell = std::make_shared<ConvLstm>(options);
        layers_.push_back(register_module("layer" + std::to_string(layers_.size()), cell));
        input_channels = layer.filters;
    }
}

torch::Tensor Stack::forward(torch::Tensor x, std::vector<State>& states) {
    states.resize(layers_.size());
    for (std::size_t i = 0; i < layers_.size(); ++i) x = layers_[i]->forward(x, states[i]);
    return last_only_ ? x.narrow(1, x.size(1) - 1, 1) : x;
}

}  // namespace nowcell
