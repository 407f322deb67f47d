// Shapes put together.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace nowcell {

/// {head..., tail...}
inline std::vector<std::int64_t> joined(std::vector<std::int64_t> head, at::IntArrayRef tail) {
    head.insert(head.end(), tail.begin(), tail.end());
    return head;
}

/// A mask (B,T) as (B,T,1,1...), which broadcasts to `sequence`.
inline torch::Tensor beside(const torch::Tensor& mask, const torch::Tensor& sequence) {
    const std::vector<std::int64_t> ones(static_cast<std::size_t>(sequence.dim() - 2), 1);
    return mask.reshape(joined({mask.size(0), mask.size(1)}, ones));
}

}  // namespace nowcell
