#include "cells/layer_norm.h"

#include <ATen/ATen.h>

#include <numeric>

namespace nowcell {
namespace {

std::vector<std::int64_t> axes(std::int64_t first, std::int64_t last) {
    std::vector<std::int64_t> result(static_cast<std::size_t>(last - first));
    std::iota(result.begin(), result.end(), first);
    return result;
}

// The axes of (N,G,size...) that one mean is taken over.
std::vector<std::int64_t> normalized_axes(const torch::Tensor& scale) { return axes(1, 1 + scale.dim()); }

// (G) or (G,size...) beside x (N,G,size...).
torch::Tensor beside(const torch::Tensor& parameter, const torch::Tensor& x) {
    if (parameter.dim() > 1) return parameter;
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim() - 1), 1);
    shape[0] = parameter.size(0);
    return parameter.view(shape);
}

struct Normalized {
    torch::Tensor x;
    torch::Tensor deviation;  // 1 / sqrt(variance + eps)
};

Normalized normalized(const torch::Tensor& x, at::IntArrayRef over) {
    const torch::Tensor centred = x - x.mean(over, /*keepdim=*/true);
    const torch::Tensor deviation = (centred.square().mean(over, true) + kLayerNormEps).rsqrt();
    return {centred * deviation, deviation};
}

}  // namespace

torch::Tensor layer_norm(const torch::Tensor& x, const torch::Tensor& scale, const torch::Tensor& shift) {
    return at::addcmul(beside(shift, x), normalized(x, normalized_axes(scale)).x, beside(scale, x));
}

LayerNormGradients layer_norm_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                       const torch::Tensor& scale) {
    const std::vector<std::int64_t> over = normalized_axes(scale);
    const Normalized forward = normalized(x, over);
    const torch::Tensor inner = gradient * beside(scale, x);
    LayerNormGradients result;
    result.x = (inner - inner.mean(over, true) - forward.x * (inner * forward.x).mean(over, true)) * forward.deviation;
    // A parameter is shared by the batch and, when it is one per channel, by all pixels.
    std::vector<std::int64_t> shared = axes(1 + scale.dim(), x.dim());
    shared.insert(shared.begin(), 0);
    result.scale = (gradient * forward.x).sum(shared);
    result.shift = gradient.sum(shared);
    return result;
}

}  // namespace nowcell
