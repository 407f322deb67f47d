// Tensors as the kernels see them.
#pragma once

#include "cells/cuda/sequence.h"

#include <torch/types.h>

namespace nowcell::cuda {

/// Of float32, float16 and bfloat16.
Storage storage_of(const torch::Tensor& tensor);

/// Whether the channels of a pixel lie side by side and pixels follow without gaps; also planes of one channel or
/// pixel.
bool lies_channels_last(const torch::Tensor& frames);
/// The same tensor if it lies so, else a copy. Undefined stays so.
torch::Tensor channels_last(const torch::Tensor& frames);
/// (B,T,...) -> (T,B,...) channels last without any gaps; a view where that is possible.
torch::Tensor by_time(const torch::Tensor& sequence);
/// Not filled: (steps,B,channels,H,W), channels last.
torch::Tensor empty_by_time(std::int64_t steps, const StepShape& shape, std::int64_t channels,
                            const torch::TensorOptions& options);

/// Float32, contiguous, for kernels to read; undefined stays so.
torch::Tensor plain_floats(const torch::Tensor& tensor);

/// (B,channels,H,W), channels last; undefined: null.
Frames<void> frames_of(const torch::Tensor& frames);
Frames<float> float_frames_of(const torch::Tensor& frames);
/// (B,T,channels,H,W), channels last; undefined or empty: null.
Steps<void> steps_of(const torch::Tensor& sequence);
Steps<float> float_steps_of(const torch::Tensor& sequence);
float* floats_of(const torch::Tensor& tensor);

}  // namespace nowcell::cuda
