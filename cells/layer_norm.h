// Normalisation of gate pre-activations.
#pragma once

#include <torch/types.h>

namespace nowcell {

/// Added to the variance.
constexpr double kLayerNormEps = 1e-5;

/// Layer normalisation of x (N,G,size...) with scale and shift of one shape: (G) normalises the channels of each pixel,
/// (G,size...) the whole frame. Variance over N, not N-1. Differentiable. Source: Ba et al. 2016; PyTorch LayerNorm.
torch::Tensor layer_norm(const torch::Tensor& x, const torch::Tensor& scale, const torch::Tensor& shift);

struct LayerNormGradients {
    torch::Tensor x, scale, shift;
};

/// Gradients of `layer_norm` at x, from that of its result.
LayerNormGradients layer_norm_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                       const torch::Tensor& scale);

}  // namespace nowcell
