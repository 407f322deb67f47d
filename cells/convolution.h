// Convolution as Keras defines it: padding "same" may put more pixels behind than before.
#pragma once

#include <torch/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

enum class Padding {
    valid,  ///< none: the frame shrinks
    same,   ///< ceil(size / stride) outputs; an odd pixel goes behind (bottom, right)
};

/// Throws c10::ValueError that lists the names.
Padding padding_from(const std::string& name);
const char* name_of(Padding padding);

/// How a kernel moves over a frame of 1, 2 or 3 axes; strides and dilations one per axis, empty: all 1.
struct Convolution {
    std::vector<std::int64_t> stride = {};
    std::vector<std::int64_t> dilation = {};
    Padding padding = Padding::same;

    /// Size of the result along each axis; 0 or less where the kernel does not fit.
    /// Source: TensorFlow/Keras "SAME" and "VALID".
    std::vector<std::int64_t> output_size(at::IntArrayRef size, at::IntArrayRef kernel) const;
};

/// x (N,C,size...), weight (O,C/groups,kernel...), bias (O) or undefined. Returns (N,O,output_size...).
torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                       const Convolution& how = {}, std::int64_t groups = 1);

/// Gradients of `convolve`; those not wanted are undefined.
struct ConvolutionGradients {
    torch::Tensor x, weight, bias;
};

/// gradient: that of the result. `wanted`: x, weight, bias.
ConvolutionGradients convolve_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                       const torch::Tensor& weight, const Convolution& how, std::int64_t groups,
                                       std::array<bool, 3> wanted);

}  // namespace nowcell
