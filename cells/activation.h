// The activations of a recurrent cell, by the names that configurations and Python use.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace nowcell {

/// Both definitions of hard_sigmoid exist in the wild and differ: a model must be run with the one it was trained with.
enum class Activation {
    linear,
    tanh,
    sigmoid,
    relu,
    hard_sigmoid,         ///< clip(x/6 + 0.5, 0, 1): Keras 3, PyTorch
    hard_sigmoid_keras2,  ///< clip(0.2 x + 0.5, 0, 1): Keras 1 and 2, tf.keras up to 2.15
};

const std::vector<std::string>& activation_names();

/// Throws c10::ValueError that lists the names.
Activation activation_from(const std::string& name);
const std::string& name_of(Activation activation);

/// Element-wise, any shape; differentiable.
torch::Tensor activate(Activation activation, const torch::Tensor& x);

/// The gradient before the activation, from the gradient behind it and the activated value `y`; shapes alike.
torch::Tensor activation_gradient(Activation activation, const torch::Tensor& gradient, const torch::Tensor& y);

}  // namespace nowcell
