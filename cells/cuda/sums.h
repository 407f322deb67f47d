// Sums of gate gradients over time, batch and pixels: gradients of bias and peepholes. No atomics, the same order of
// sums each time. No torch.
#pragma once

#include "cells/cuda/problem.h"

#include <cuda_runtime_api.h>

namespace nowcell::cuda {

/// d_gates: `frames` frames of `pixels` rows of `columns` numbers without gaps between rows, frames `stride` apart.
struct ColumnSums {
    Storage storage = Storage::float32;
    const void* values = nullptr;
    std::int64_t frames = 0, stride = 0, pixels = 0;
    int columns = 0;
    float* sums = nullptr;  ///< (columns), added to
    void* workspace = nullptr;
};
std::size_t column_sums_workspace_bytes(int columns);
cudaError_t column_sums(const ColumnSums& call, cudaStream_t stream);

/// Of one step: d_gates of i and f times the old c, of o times the new c.
struct PeepholeSums {
    StepShape shape;
    Storage storage = Storage::float32;
    bool pixel = false;
    Frames<const void> d_gates;
    Frames<const float> c_old, c;  ///< c_old null: zeros
    float* sums = nullptr;         ///< (3,H*W or 1,F), added to
    void* workspace = nullptr;
};
std::size_t peephole_sums_workspace_bytes(int filters);
cudaError_t peephole_sums(const PeepholeSums& call, cudaStream_t stream);

}  // namespace nowcell::cuda
