// Random numbers of one call, drawn outside the cells' equations so that these stay functions of their arguments.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace nowcell {

/// Undefined tensors: none of that kind. Cells take them as constants: they have no gradient.
struct SequenceNoise {
    torch::Tensor input_dropout;   ///< (B,G,C,size...), G gates, values 0 or 1/(1-p), the same for all steps
    torch::Tensor hidden_dropout;  ///< (B,G,F,size'...)
    torch::Tensor keep_h;          ///< share of the old h that is kept; broadcastable to (B,T,F,size'...)
    torch::Tensor keep_c;          ///< likewise for c
};

/// The share of step `step`, broadcastable to (B,F,size'...). keep: broadcastable to (B,T,F,size'...).
torch::Tensor keep_at(const torch::Tensor& keep, std::int64_t step);

/// The state after a step: `keep` of the old one and the rest of the new one. keep: undefined for none of it; old:
/// undefined for zeros.
torch::Tensor keep_old(const torch::Tensor& keep, std::int64_t step, const torch::Tensor& old,
                       const torch::Tensor& next);

}  // namespace nowcell
