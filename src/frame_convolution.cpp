#include "src/frame_convolution.h"

#include "cells/convolution.h"

#include <ATen/ATen.h>
#include <torch/nn/init.h>

namespace nowcell {
namespace {

template <typename Function>
torch::Tensor for_each_frame(const torch::Tensor& frames, Function function) {
    return function(frames.flatten(0, 1)).unflatten(0, {frames.size(0), frames.size(1)});
}

}  // namespace

FrameConvolution::FrameConvolution(std::int64_t input_channels, std::int64_t output_channels, std::int64_t kernel,
                                   std::int64_t stride, bool bias)
    : stride_(stride),
      weight_(register_parameter("weight", torch::empty({output_channels, input_channels, kernel, kernel}))) {
    torch::nn::init::xavier_uniform_(weight_);
    if (bias) bias_ = register_parameter("bias", torch::zeros({output_channels}));
}

torch::Tensor FrameConvolution::forward(const torch::Tensor& frames) const {
    return for_each_frame(frames, [this](const torch::Tensor& each) {
        return convolve(each, weight_, bias_, {.stride = {stride_, stride_}});
    });
}

FrameView FrameConvolution::forward(const FrameView& frames) const {
    const std::int64_t kernel = weight_.size(-1);
    const FrameAxes axes = {{frames.size().height, kernel, stride_, 1, Padding::same},
                            {frames.size().width, kernel, stride_, 1, Padding::same}};
    return {axes.outputs(), [this, frames, axes](const Region& region) {
                const Region computed = axes.computed(region);
                return cropped(forward(frames.read(axes.input(computed))), region.within(computed));
            }};
}

torch::Tensor resized(const torch::Tensor& frames, const FrameSize& size) {
    if (size_of(frames) == size) return frames;
    return for_each_frame(frames, [&](const torch::Tensor& each) {
        return at::upsample_nearest2d(each, {size.height, size.width});
    });
}

torch::Tensor averaged(const torch::Tensor& frames, const FrameSize& size) {
    if (size_of(frames) == size) return frames;
    return for_each_frame(frames, [&](const torch::Tensor& each) {
        return at::adaptive_avg_pool2d(each, {size.height, size.width});
    });
}

}  // namespace nowcell
