#include "src/head.h"

#include "cells/convolution.h"

#include <ATen/ATen.h>
#include <torch/nn/init.h>

namespace nowcell {
namespace {

torch::Tensor resized(const torch::Tensor& hidden, const FrameSize& frame) {
    if (size_of(hidden) == frame) return hidden;
    return at::upsample_nearest2d(hidden.flatten(0, 1), {frame.height, frame.width})
        .unflatten(0, {hidden.size(0), hidden.size(1)});
}

}  // namespace

Head::Head(std::int64_t input_channels, std::int64_t output_channels, const ModelOptions& options, bool zero)
    : causal3d_(options.head == "conv3d"), sigmoid_(options.output_activation == "sigmoid") {
    const std::int64_t kernel = options.head_kernel;
    std::vector<std::int64_t> shape = {output_channels, input_channels, kernel, kernel};
    if (causal3d_) shape.insert(shape.begin() + 2, kernel);
    weight_ = register_parameter("weight", torch::zeros(shape));
    if (!zero) torch::nn::init::xavier_uniform_(weight_);
    bias_ = register_parameter("bias", torch::zeros({output_channels}));
}

torch::Tensor Head::forward(const torch::Tensor& hidden, const FrameSize& frame, HeadHistory& history) {
    const torch::Tensor frames = convolve(resized(hidden, frame), history);
    return sigmoid_ ? at::sigmoid(frames) : frames;
}

torch::Tensor Head::convolve(const torch::Tensor& hidden, HeadHistory& history) const {
    if (!causal3d_) {
        const torch::Tensor frames = nowcell::convolve(hidden.flatten(0, 1), weight_, bias_);
        return frames.unflatten(0, {hidden.size(0), hidden.size(1)});
    }
    const std::int64_t kernel = weight_.size(-1);
    const std::int64_t past = kernel - 1;
    if (!history.hidden.defined()) {
        std::vector<std::int64_t> shape = hidden.sizes().vec();
        shape[1] = past;
        history.hidden = hidden.new_zeros(shape);
    }
    const torch::Tensor known = at::cat({history.hidden, hidden}, 1);
    history.hidden = known.narrow(1, known.size(1) - past, past);
    const torch::Tensor padded =
        at::constant_pad_nd(known.transpose(1, 2), {(kernel - 1) / 2, kernel / 2, (kernel - 1) / 2, kernel / 2});
    return at::conv3d(padded, weight_, bias_).transpose(1, 2);
}

}  // namespace nowcell
