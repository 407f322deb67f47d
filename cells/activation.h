// The activations of a recurrent cell, by the names that configurations and Python use.
#pragma once

#include "cells/activation_kind.h"

#include <torch/types.h>

#include <string>
#include <vector>

namespace nowcell {

const std::vector<std::string>& activation_names();

/// Throws c10::ValueError that lists the names.
Activation activation_from(const std::string& name);
const std::string& name_of(Activation activation);

/// Element-wise, any shape; differentiable.
torch::Tensor activate(Activation activation, const torch::Tensor& x);

/// The gradient before the activation, from the gradient behind it and the activated value `y`; shapes alike.
torch::Tensor activation_gradient(Activation activation, const torch::Tensor& gradient, const torch::Tensor& y);

}  // namespace nowcell
