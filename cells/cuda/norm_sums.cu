// Gradients of scale and shift from the sums of blocks or of groups of frames.
#include "cells/cuda/launch.h"
#include "cells/cuda/norm_parts.h"

namespace nowcell::cuda {
namespace {

constexpr unsigned kShares = kStreamThreads / 32;  // a warp of each block for each

}  // namespace

// Each block adds up 32 columns.
extern "C" __global__ void __launch_bounds__(kStreamThreads) nowcell_norm_add_sums(NormSums a) {
    __shared__ float of_warp[kShares][32];
    const std::size_t columns = 2 * static_cast<std::size_t>(a.length);
    const unsigned lane = threadIdx.x % 32, share = threadIdx.x / 32;
    const std::size_t column = static_cast<std::size_t>(blockIdx.x) * 32 + lane;
    float sum = 0.0F;
    if (column < columns) {
#pragma unroll 4
        for (unsigned i = share; i < a.count; i += kShares) sum += a.partials[i * columns + column];
    }
    of_warp[share][lane] = sum;
    __syncthreads();
    if (share > 0 || column >= columns) return;
#pragma unroll
    for (unsigned other = 1; other < kShares; ++other) sum += of_warp[other][lane];
    float* const total = column < a.length ? a.d_scale + column : a.d_shift + (column - a.length);
    *total += sum;
}

cudaError_t norm_add_sums(const NormSums& call, cudaStream_t stream) {
    Launch plan;
    plan.grid_x = static_cast<unsigned>((2 * static_cast<std::size_t>(call.length) + 31) / 32);
    plan.block = kStreamThreads;
    return launch(nowcell_norm_add_sums, plan, call, stream);
}

}  // namespace nowcell::cuda
