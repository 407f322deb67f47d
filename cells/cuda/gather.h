// The second stage of every sum over rows: what blocks have summed, added up in a fixed order.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace nowcell::cuda {

/// sums (columns) += sums over the rows of partial (rows,columns). Eight warps take rows in turn, then their sums are
/// added one after the other: the same bits each time.
struct Gathering {
    const float* partial = nullptr;
    int rows = 0;
    std::int64_t columns = 0;
    float* sums = nullptr;
    float* more = nullptr;  ///< where columns from `split` on go; null: all go to `sums`
    std::int64_t split = 0;
};
cudaError_t gather_sums(const Gathering& call, cudaStream_t stream);

}  // namespace nowcell::cuda
