#include "cells/bidirectional.h"

#include "cells/choice.h"

#include <ATen/ATen.h>

namespace nowcell {
namespace {

torch::Tensor merged(Merge merge, const torch::Tensor& a, const torch::Tensor& b, std::int64_t channels) {
    switch (merge) {
        case Merge::concat: return at::cat({a, b}, channels);
        case Merge::sum: return a + b;
        case Merge::mean: return (a + b) / 2;
        case Merge::mul: return a * b;
    }
    TORCH_CHECK(false, "merge out of range");
}

}  // namespace

Merge merge_from(const std::string& name) { return choice<Merge>("merge", name, {"concat", "sum", "mean", "mul"}); }

Bidirectional::Bidirectional(std::shared_ptr<RecurrentLayer> forward, std::shared_ptr<RecurrentLayer> backward,
                             Merge merge)
    : merge_(merge) {
    const RecurrentOptions& a = forward->recurrent_options();
    const RecurrentOptions& b = backward->recurrent_options();
    TORCH_CHECK_VALUE(!a.go_backwards && b.go_backwards, "Bidirectional: go_backwards is ", a.go_backwards, " and ",
                      b.go_backwards, ", expected false for the first layer and true for the second");
    TORCH_CHECK_VALUE(a.return_sequences == b.return_sequences,
                      "Bidirectional: one layer returns sequences and the other does not");
    forward_ = register_module("forward", std::move(forward));
    backward_ = register_module("backward", std::move(backward));
}

torch::Tensor Bidirectional::forward(const torch::Tensor& x, std::array<State, 2>& states, const torch::Tensor& mask) {
    const torch::Tensor a = forward_->forward(x, states[0], mask);
    torch::Tensor b = backward_->forward(x, states[1], mask);
    if (!forward_->recurrent_options().return_sequences) return merged(merge_, a, b, 1);
    b = b.flip(1);
    if (!mask.defined()) return merged(merge_, a, b, 2);
    std::vector<std::int64_t> shape(static_cast<std::size_t>(a.dim()), 1);
    shape[0] = a.size(0);
    shape[1] = a.size(1);
    const torch::Tensor shown = mask.reshape(shape);
    const torch::Tensor zero = at::zeros({}, a.options());
    return merged(merge_, at::where(shown, a, zero), at::where(shown, b, zero), 2);
}

}  // namespace nowcell
