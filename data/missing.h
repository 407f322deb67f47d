// Missing values: where they are, and what stands in for them. The only place that replaces one.
#pragma once

#include <torch/types.h>

#include <string>

namespace nowcell {

/// Which values are known (finite), as bool of the same shape; undefined when all are.
torch::Tensor known_values(const torch::Tensor& frames);

/// Each missing value becomes the last known one before it at its pixel; what has none stays missing.
/// frames: (B,T,C,H,W). Returns the same shape, or `frames` itself when nothing is missing.
torch::Tensor hold(const torch::Tensor& frames);

/// What a network sees at missing values, so that nothing it computes is NaN. frames: (B,T,C,H,W).
/// policy "hold": the last known value of the pixel in these frames, `mean` where there is none before; any other
/// policy: `mean`. Returns the same shape, or `frames` itself when nothing is missing.
torch::Tensor fill_missing(const torch::Tensor& frames, const std::string& policy, double mean);

}  // namespace nowcell
