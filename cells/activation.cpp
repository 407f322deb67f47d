#include "cells/activation.h"

#include "cells/choice.h"

#include <ATen/ATen.h>

namespace nowcell {
namespace {

// Slopes inside the linear part of the two definitions.
constexpr double kKeras2Slope = 0.2;
constexpr double kKeras3Slope = 1.0 / 6.0;

// Not at::hardsigmoid, which cannot be differentiated twice.
torch::Tensor hard_sigmoid(double slope, const torch::Tensor& x) { return at::clamp(x * slope + 0.5, 0, 1); }

torch::Tensor hard_sigmoid_gradient(double slope, const torch::Tensor& gradient, const torch::Tensor& y) {
    return gradient * ((y > 0) & (y < 1)).to(y.scalar_type()) * slope;
}

}  // namespace

const std::vector<std::string>& activation_names() {
    static const std::vector<std::string> names = {"linear", "tanh",         "sigmoid",
                                                   "relu",   "hard_sigmoid", "hard_sigmoid_keras2"};
    return names;
}

Activation activation_from(const std::string& name) {
    return choice<Activation>("activation", name, activation_names());
}

const std::string& name_of(Activation activation) { return activation_names()[static_cast<std::size_t>(activation)]; }

torch::Tensor activate(Activation activation, const torch::Tensor& x) {
    switch (activation) {
        case Activation::linear: return x;
        case Activation::tanh: return at::tanh(x);
        case Activation::sigmoid: return at::sigmoid(x);
        case Activation::relu: return at::relu(x);
        case Activation::hard_sigmoid: return hard_sigmoid(kKeras3Slope, x);
        case Activation::hard_sigmoid_keras2: return hard_sigmoid(kKeras2Slope, x);
    }
    TORCH_CHECK(false, "activation out of range");
}

torch::Tensor activation_gradient(Activation activation, const torch::Tensor& gradient, const torch::Tensor& y) {
    switch (activation) {
        case Activation::linear: return gradient;
        case Activation::tanh: return at::tanh_backward(gradient, y);
        case Activation::sigmoid: return at::sigmoid_backward(gradient, y);
        case Activation::relu: return at::threshold_backward(gradient, y, 0);
        case Activation::hard_sigmoid: return hard_sigmoid_gradient(kKeras3Slope, gradient, y);
        case Activation::hard_sigmoid_keras2: return hard_sigmoid_gradient(kKeras2Slope, gradient, y);
    }
    TORCH_CHECK(false, "activation out of range");
}

}  // namespace nowcell
