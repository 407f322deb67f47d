// Sums of gradients.
#pragma once

#include <torch/types.h>

#include <vector>

namespace nowcell {

/// sum += term, in place; an undefined sum becomes the term itself.
inline void accumulate(torch::Tensor& sum, const torch::Tensor& term) {
    if (sum.defined()) {
        sum.add_(term);
    } else {
        sum = term;
    }
}

/// All but the first, that of x, contiguous: LibTorch's convolutions follow the layout of the frames, and what the fake
/// kernels promise must hold.
inline std::vector<torch::Tensor> with_plain_layout(std::vector<torch::Tensor> gradients) {
    for (std::size_t i = 1; i < gradients.size(); ++i) {
        if (gradients[i].defined()) gradients[i] = gradients[i].contiguous();
    }
    return gradients;
}

}  // namespace nowcell
