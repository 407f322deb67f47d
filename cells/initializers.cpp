#include "cells/initializers.h"

#include <torch/nn/init.h>

namespace nowcell {

torch::Tensor glorot_kernel(at::IntArrayRef shape) { return torch::nn::init::xavier_uniform_(torch::empty(shape)); }

torch::Tensor orthogonal_kernel(at::IntArrayRef shape) {
    // (kernel..., F, G F), the order in which Keras flattens.
    std::vector<std::int64_t> keras(shape.begin() + 2, shape.end());
    keras.insert(keras.end(), {shape[1], shape[0]});
    const torch::Tensor matrix = torch::empty({c10::multiply_integers(shape) / shape[0], shape[0]});
    torch::nn::init::orthogonal_(matrix);
    const auto rank = static_cast<std::int64_t>(shape.size()) - 2;
    std::vector<std::int64_t> order = {rank + 1, rank};
    for (std::int64_t axis = 0; axis < rank; ++axis) order.push_back(axis);
    return matrix.view(keras).permute(order).contiguous();
}

}  // namespace nowcell
