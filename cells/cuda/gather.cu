#include "cells/cuda/gather.h"

#include "cells/cuda/launch.h"

namespace nowcell::cuda {
namespace {

constexpr int kWarps = kStreamThreads / 32;

}  // namespace

// Each block adds up 32 columns.
extern "C" __global__ void __launch_bounds__(kStreamThreads) nowcell_gather_sums(Gathering a) {
    __shared__ float of_warp[kWarps][32];
    const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * 32 + lane;
    float sum = 0.0F;
    if (column < a.columns) {
#pragma unroll 4
        for (int row = warp; row < a.rows; row += kWarps) sum += a.partial[row * a.columns + column];
    }
    of_warp[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || column >= a.columns) return;
#pragma unroll
    for (int other = 1; other < kWarps; ++other) sum += of_warp[other][lane];
    float* const total = a.more != nullptr && column >= a.split ? a.more + (column - a.split) : a.sums + column;
    *total += sum;
}

cudaError_t gather_sums(const Gathering& call, cudaStream_t stream) {
    return launch(nowcell_gather_sums, plan_columns(call.columns), call, stream);
}

}  // namespace nowcell::cuda
