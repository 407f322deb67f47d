// Between the operators' optional tensors and ours, where an undefined tensor means none.
#pragma once

#include <ATen/core/List.h>
#include <torch/types.h>

#include <optional>
#include <vector>

namespace torch::autograd {
struct AutogradContext;
}

namespace nowcell {

using OptionalTensor = std::optional<torch::Tensor>;
using OptionalTensors = c10::List<OptionalTensor>;

torch::Tensor plain(const OptionalTensor& tensor);
std::vector<torch::Tensor> plain(const OptionalTensors& tensors);
OptionalTensors optional(const std::vector<torch::Tensor>& tensors);

c10::List<bool> list_of(const std::vector<bool>& values);

/// Operators cannot return undefined tensors in a list: empty ones like `like` in their place.
std::vector<torch::Tensor> or_empty(std::vector<torch::Tensor> tensors, const torch::Tensor& like);

/// Gradients without values, as or_empty(): one for each entry of `wanted`.
std::vector<torch::Tensor> empty_gradients(const std::vector<torch::Tensor>& tensors, const std::vector<bool>& wanted);

/// Whether any gradient will be asked for.
bool learns(const std::vector<torch::Tensor>& tensors);

std::vector<bool> which_defined(const std::vector<torch::Tensor>& tensors);

/// The tensors at the places that are present; and the inverse, undefined at the other places.
std::vector<torch::Tensor> packed_like(const std::vector<torch::Tensor>& tensors, const std::vector<bool>& present);
std::vector<torch::Tensor> unpacked(const std::vector<torch::Tensor>& tensors, const std::vector<bool>& present);

/// Which of the first `count` places of a packed list need a gradient.
std::vector<bool> wanted_gradients(const torch::autograd::AutogradContext& context, const std::vector<bool>& present,
                                   std::size_t count);

/// The tensors that are wanted, undefined in place of the others.
std::vector<torch::Tensor> only(const std::vector<bool>& wanted, std::vector<torch::Tensor> tensors);

/// Whether a forward-mode derivative passes through.
bool has_tangents(const std::vector<torch::Tensor>& tensors);

/// d(outputs . gradients) / d(inputs), differentiable; undefined gradients are zeros. Undefined for inputs that are not
/// `wanted`, zeros for those that the outputs do not depend on.
std::vector<torch::Tensor> gradients_of(const std::vector<torch::Tensor>& outputs,
                                        const std::vector<torch::Tensor>& gradients,
                                        const std::vector<torch::Tensor>& inputs, const std::vector<bool>& wanted);

}  // namespace nowcell
