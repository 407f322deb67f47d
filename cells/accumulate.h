// Sums of gradients.
#pragma once

#include <torch/types.h>

namespace nowcell {

/// sum += term, in place; an undefined sum becomes the term itself.
inline void accumulate(torch::Tensor& sum, const torch::Tensor& term) {
    if (sum.defined()) {
        sum.add_(term);
    } else {
        sum = term;
    }
}

}  // namespace nowcell
