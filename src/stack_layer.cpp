#include "src/stack_layer.h"

#include "src/layer.h"

#include <ATen/ATen.h>

namespace nowcell {

StackLayer::StackLayer(torch::nn::Module& owner, std::size_t index, const LayerOptions& options,
                       std::int64_t input_channels, const std::optional<FrameSize>& frame)
    : residual_(options.residual), last_only_(!options.return_sequences) {
    const std::string number = std::to_string(index);
    cell_ = owner.register_module("layer" + number, make_layer(options, input_channels, frame));
    if (options.norm != "none") {
        norm_ = owner.register_module("norm" + number,
                                      std::make_shared<Norm>(options.norm, options.filters, options.norm_groups));
    }
    if (residual_ && input_channels != options.filters) {
        projection_ = owner.register_module(
            "residual" + number, std::make_shared<FrameConvolution>(input_channels, options.filters, 1, 1, false));
    }
}

torch::Tensor StackLayer::forward(const torch::Tensor& x, State& state) {
    const auto wanted = [this](const torch::Tensor& frames) {
        return last_only_ ? frames.narrow(1, frames.size(1) - 1, 1) : frames;
    };
    torch::Tensor out = wanted(cell_->forward(x, state));
    if (norm_) out = norm_->forward(out);
    if (!residual_) return out;
    const torch::Tensor input = wanted(x);
    return out + (projection_ ? projection_->forward(input) : input);
}

}  // namespace nowcell
