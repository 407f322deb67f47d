#include "cells/optional_tensors.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace nowcell {

torch::Tensor plain(const OptionalTensor& tensor) { return tensor.value_or(torch::Tensor()); }

std::vector<torch::Tensor> plain(const OptionalTensors& tensors) {
    std::vector<torch::Tensor> result;
    for (std::size_t i = 0; i < tensors.size(); ++i) result.push_back(plain(tensors.get(i)));
    return result;
}

OptionalTensors optional(const std::vector<torch::Tensor>& tensors) {
    OptionalTensors result;
    for (const torch::Tensor& tensor : tensors) {
        result.push_back(tensor.defined() ? OptionalTensor(tensor) : std::nullopt);
    }
    return result;
}

c10::List<bool> list_of(const std::vector<bool>& values) {
    c10::List<bool> result;
    for (const bool value : values) result.push_back(value);
    return result;
}

std::vector<torch::Tensor> or_empty(std::vector<torch::Tensor> tensors, const torch::Tensor& like) {
    for (torch::Tensor& tensor : tensors) {
        if (!tensor.defined()) tensor = at::empty({0}, like.options());
    }
    return tensors;
}

std::vector<torch::Tensor> empty_gradients(const std::vector<torch::Tensor>& tensors, const std::vector<bool>& wanted) {
    std::vector<torch::Tensor> result;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        result.push_back(wanted[i] ? at::empty(tensors[i].sizes(), tensors[i].options())
                                   : at::empty({0}, tensors[0].options()));
    }
    return result;
}

bool learns(const std::vector<torch::Tensor>& tensors) {
    return c10::GradMode::is_enabled() &&
           std::any_of(tensors.begin(), tensors.end(), [](const auto& t) { return t.defined() && t.requires_grad(); });
}

std::vector<bool> which_defined(const std::vector<torch::Tensor>& tensors) {
    std::vector<bool> present;
    for (const torch::Tensor& tensor : tensors) present.push_back(tensor.defined());
    return present;
}

std::vector<torch::Tensor> packed_like(const std::vector<torch::Tensor>& tensors, const std::vector<bool>& present) {
    std::vector<torch::Tensor> packed;
    for (std::size_t i = 0; i < present.size(); ++i) {
        if (present[i]) packed.push_back(tensors[i]);
    }
    return packed;
}

std::vector<torch::Tensor> unpacked(const std::vector<torch::Tensor>& tensors, const std::vector<bool>& present) {
    std::vector<torch::Tensor> all(present.size());
    for (std::size_t i = 0, next = 0; i < present.size(); ++i) {
        if (present[i]) all[i] = tensors[next++];
    }
    return all;
}

std::vector<bool> wanted_gradients(const torch::autograd::AutogradContext& context, const std::vector<bool>& present,
                                   std::size_t count) {
    std::vector<bool> wanted(count);
    for (std::size_t i = 0, next = 0; i < count; ++i) {
        if (present[i]) wanted[i] = context.needs_input_grad(next++);
    }
    return wanted;
}

std::vector<torch::Tensor> only(const std::vector<bool>& wanted, std::vector<torch::Tensor> tensors) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (!wanted[i]) tensors[i] = torch::Tensor();
    }
    return tensors;
}

bool has_tangents(const std::vector<torch::Tensor>& tensors) {
    return std::any_of(tensors.begin(), tensors.end(),
                       [](const auto& t) { return t.defined() && t._fw_grad(/*level=*/0).defined(); });
}

std::vector<torch::Tensor> gradients_of(const std::vector<torch::Tensor>& outputs,
                                        const std::vector<torch::Tensor>& gradients,
                                        const std::vector<torch::Tensor>& inputs, const std::vector<bool>& wanted) {
    std::vector<torch::Tensor> used_outputs;
    std::vector<torch::Tensor> used_gradients;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (!gradients[i].defined() || !outputs[i].requires_grad()) continue;
        used_outputs.push_back(outputs[i]);
        used_gradients.push_back(gradients[i]);
    }
    std::vector<torch::Tensor> used_inputs;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i]) used_inputs.push_back(inputs[i]);
    }
    std::vector<torch::Tensor> found(used_inputs.size());
    if (!used_outputs.empty()) {
        found = torch::autograd::grad(used_outputs, used_inputs, used_gradients, /*retain_graph=*/true,
                                      /*create_graph=*/true, /*allow_unused=*/true);
    }
    std::vector<torch::Tensor> result(wanted.size());
    for (std::size_t i = 0, next = 0; i < wanted.size(); ++i) {
        if (!wanted[i]) continue;
        result[i] = found[next++];
        // Zeros as in a first gradient, for what the outputs do not depend on: recurrent weights over one step.
        if (!result[i].defined()) result[i] = at::zeros_like(inputs[i]);
    }
    return result;
}

}  // namespace nowcell
