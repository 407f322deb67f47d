#include "cells/bidirectional.h"

#include "cells/choice.h"
#include "cells/shapes.h"

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

template <class Value>
void alike(const char* option, const Value& a, const Value& b) {
    TORCH_CHECK_VALUE(a == b, "Bidirectional: ", option, " is ", a, " and ", b, ", expected layers alike");
}

}  // namespace

Merge merge_from(const std::string& name) { return choice<Merge>("merge", name, {"concat", "sum", "mean", "mul"}); }

Bidirectional::Bidirectional(std::shared_ptr<RecurrentLayer> forward, std::shared_ptr<RecurrentLayer> backward,
                             Merge merge)
    : merge_(merge) {
    TORCH_CHECK_VALUE(forward && backward, "Bidirectional: got no ", forward ? "backward" : "forward", " layer");
    const RecurrentOptions& a = forward->recurrent_options();
    const RecurrentOptions& b = backward->recurrent_options();
    TORCH_CHECK_VALUE(!a.go_backwards && b.go_backwards, "Bidirectional: go_backwards is ", a.go_backwards, " and ",
                      b.go_backwards, ", expected false for the first layer and true for the second");
    TORCH_CHECK_VALUE(a.return_sequences == b.return_sequences,
                      "Bidirectional: one layer returns sequences and the other does not, expected layers alike");
    alike("input_channels", a.input_channels, b.input_channels);
    alike("filters", a.filters, b.filters);
    alike("rank", a.rank, b.rank);
    alike("kernel", at::IntArrayRef(a.kernel), at::IntArrayRef(b.kernel));
    alike("stride", at::IntArrayRef(a.stride), at::IntArrayRef(b.stride));
    alike("dilation", at::IntArrayRef(a.dilation), at::IntArrayRef(b.dilation));
    alike("padding", std::string_view(name_of(a.padding)), std::string_view(name_of(b.padding)));
    TORCH_CHECK_VALUE(!a.stateful && !b.stateful,
                      "Bidirectional: got a stateful layer, expected none: the state is given to forward");
    forward_ = register_module("forward", std::move(forward));
    backward_ = register_module("backward", std::move(backward));
}

torch::Tensor Bidirectional::forward(const torch::Tensor& x, std::array<State, 2>& states, const torch::Tensor& mask) {
    const torch::Tensor a = forward_->forward(x, states[0], mask);
    torch::Tensor b = backward_->forward(x, states[1], mask);
    if (!forward_->recurrent_options().return_sequences) return merged(merge_, a, b, 1);
    b = b.flip(1);
    if (!mask.defined()) return merged(merge_, a, b, 2);
    const torch::Tensor shown = beside(mask, a);
    const torch::Tensor zero = at::zeros({}, a.options());
    return merged(merge_, at::where(shown, a, zero), at::where(shown, b, zero), 2);
}

}  // namespace nowcell
