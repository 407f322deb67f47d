#include "cells/gate_convolution.h"

#include <ATen/ATen.h>

namespace nowcell {

torch::Tensor GateConvolution::seen(const torch::Tensor& frames) const {
    if (!dropout.defined()) return frames.flatten(0, 1);
    return (frames.unsqueeze(2) * dropout.unsqueeze(1)).flatten(2, 3).flatten(0, 1);
}

torch::Tensor GateConvolution::forward(const torch::Tensor& frames) const {
    return convolve(seen(frames), weight, bias, how, groups()).unflatten(0, {frames.size(0), frames.size(1)});
}

ConvolutionGradients GateConvolution::backward(const torch::Tensor& gradient, const torch::Tensor& frames,
                                               std::array<bool, 3> wanted) const {
    ConvolutionGradients result =
        convolve_backward(gradient.flatten(0, 1), seen(frames), weight, how, groups(), wanted);
    if (!wanted[0]) return result;
    result.x = result.x.unflatten(0, {frames.size(0), frames.size(1)});
    if (dropout.defined()) {
        result.x = (result.x.unflatten(2, {groups(), frames.size(2)}) * dropout.unsqueeze(1)).sum(2);
    }
    return result;
}

}  // namespace nowcell
