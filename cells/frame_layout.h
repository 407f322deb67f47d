// How the numbers of frames (B,[T,]C,H,W) lie in memory.
#pragma once

#include <torch/types.h>

namespace nowcell {

/// Whether each frame is one plane per channel, without gaps; items and steps may be apart.
bool has_planes(const torch::Tensor& frames);
/// Whether the channels of a pixel lie side by side, and the pixels without gaps.
bool is_channels_last(const torch::Tensor& frames);

/// Not filled; contiguous, or with channels last. Large ones on the CPU come from tensor_pool().
torch::Tensor empty_frames(at::IntArrayRef sizes, const torch::TensorOptions& options, bool channels_last);

/// The same frames with channels last.
torch::Tensor to_channels_last(const torch::Tensor& frames);

}  // namespace nowcell
