#include "cells/cuda/sums.h"

#include "cells/cuda/gather.h"
#include "cells/cuda/launch.h"
#include "cells/cuda/memory.cuh"
#include "cells/cuda/policies.cuh"

#include <algorithm>

namespace nowcell::cuda {
namespace {

constexpr int kWarps = kStreamThreads / 32;

// Rows of gate gradients: pixels of all frames.
template <class T, int N>
struct GateRows {
    const ColumnSums& call;

    static __device__ __forceinline__ GateRows of(const ColumnSums& call) { return {call}; }
    __device__ __forceinline__ uint32_t rows() const { return static_cast<uint32_t>(call.frames * call.pixels); }
    __device__ __forceinline__ int columns() const { return call.columns; }
    __device__ __forceinline__ void add(uint32_t row, int column, float (&sums)[N]) const {
        const auto pixels = static_cast<uint32_t>(call.pixels);
        const uint32_t frame = row / pixels;
        const T* const at = static_cast<const T*>(call.values) + frame * call.stride +
                            static_cast<std::size_t>(row - frame * pixels) * static_cast<std::size_t>(call.columns);
        float v[N];
        Access<T, N>::load(at + column, v);
#pragma unroll
        for (int i = 0; i < N; ++i) sums[i] += v[i];
    }
};

// One unit's share of a peephole's gradient: the gate's gradient times the c it has seen.
template <class T, int N>
__device__ __forceinline__ void add_peephole(const PeepholeSums& call, uint32_t item, uint32_t pixel, int gate,
                                             int channel, float (&sums)[N]) {
    const bool output = gate == 2;  // o stands fourth among the gates and sees the new c
    const float* const states = output ? call.c.data : call.c_old.data;
    const std::int64_t batch = output ? call.c.batch : call.c_old.batch;
    if (states == nullptr) return;
    const auto filters = static_cast<std::size_t>(call.shape.filters);
    float d[N], c[N];
    Access<T, N>::load(static_cast<const T*>(call.d_gates.data) + item * call.d_gates.batch +
                           (static_cast<std::size_t>(pixel) * 4 + (output ? 3 : gate)) * filters + channel,
                       d);
    Access<float, N>::load(states + item * batch + pixel * filters + channel, c);
#pragma unroll
    for (int i = 0; i < N; ++i) sums[i] = fmaf(d[i], c[i], sums[i]);
}

// The same as rows: pixels of one step, columns i, f, o.
template <class T, int N>
struct PeepholeRows {
    const PeepholeSums& call;

    static __device__ __forceinline__ PeepholeRows of(const PeepholeSums& call) { return {call}; }
    __device__ __forceinline__ uint32_t pixels() const {
        return static_cast<uint32_t>(call.shape.height * call.shape.width);
    }
    __device__ __forceinline__ uint32_t rows() const { return pixels() * static_cast<uint32_t>(call.shape.batch); }
    __device__ __forceinline__ int columns() const { return 3 * call.shape.filters; }
    __device__ __forceinline__ void add(uint32_t row, int column, float (&sums)[N]) const {
        const int gate = column / call.shape.filters;
        const uint32_t item = row / pixels();
        add_peephole<T, N>(call, item, row - item * pixels(), gate, column - gate * call.shape.filters, sums);
    }
};

// Blocks along y share the rows out, those along x the columns; each leaves one row of sums in `partial`.
template <class Rows, int N, class Call>
__device__ __forceinline__ void sum_rows(const Call& call, float* partial) {
    __shared__ __align__(16) float sums_of_warps[kWarps][32 * N];
    const Rows rows = Rows::of(call);
    const uint32_t share = (rows.rows() + gridDim.y - 1) / gridDim.y;
    const uint32_t first = blockIdx.y * share, end = min(rows.rows(), first + share);
    const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
    const int column = (static_cast<int>(blockIdx.x) * 32 + lane) * N;
    float sums[N] = {};
    if (column < rows.columns()) {
        for (uint32_t row = first + warp; row < end; row += kWarps) rows.add(row, column, sums);
    }
    Access<float, N>::store(&sums_of_warps[warp][lane * N], sums);
    __syncthreads();
    const int mine = static_cast<int>(blockIdx.x) * 32 * N + static_cast<int>(threadIdx.x);
    if (threadIdx.x >= 32 * N || mine >= rows.columns()) return;
    float sum = 0.0F;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) sum += sums_of_warps[w][threadIdx.x];
    partial[static_cast<std::size_t>(blockIdx.y) * static_cast<std::size_t>(rows.columns()) + mine] = sum;
}

template <class T, int N>
__device__ __forceinline__ void sum_items(const PeepholeSums& call) {
    const auto filters = static_cast<uint32_t>(call.shape.filters);
    const auto pixels = static_cast<uint32_t>(call.shape.height * call.shape.width);
    const uint32_t packs = filters / N, count = 3 * pixels * packs;
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        const uint32_t gate = i / (pixels * packs), rest = i - gate * pixels * packs;
        const uint32_t pixel = rest / packs;
        float* const to = call.sums + static_cast<std::size_t>(i) * N;
        float sums[N];
        Access<float, N>::load(to, sums);
        for (uint32_t item = 0; item < static_cast<uint32_t>(call.shape.batch); ++item) {
            add_peephole<T, N>(call, item, pixel, static_cast<int>(gate), static_cast<int>((rest - pixel * packs) * N),
                               sums);
        }
        Access<float, N>::store(to, sums);
    }
}

}  // namespace

// X(suffix, element type, numbers moved at once)
#define NOWCELL_FOR_EACH_SUM_KERNEL(X) \
    X(f32, float, 4)                   \
    X(f32_single, float, 1)            \
    X(f16, __half, 4)                  \
    X(f16_single, __half, 1)           \
    X(bf16, __nv_bfloat16, 4)          \
    X(bf16_single, __nv_bfloat16, 1)

#define NOWCELL_SUMS(suffix, T, N)                                                                                \
    extern "C" __global__ void __launch_bounds__(kStreamThreads) nowcell_column_sums_##suffix(ColumnSums a) {     \
        sum_rows<GateRows<T, N>, N>(a, static_cast<float*>(a.workspace));                                         \
    }                                                                                                             \
    extern "C" __global__ void __launch_bounds__(kStreamThreads) nowcell_peephole_sums_##suffix(PeepholeSums a) { \
        sum_rows<PeepholeRows<T, N>, N>(a, static_cast<float*>(a.workspace));                                     \
    }                                                                                                             \
    extern "C" __global__ void __launch_bounds__(kStreamThreads)                                                  \
        nowcell_pixel_peephole_sums_##suffix(PeepholeSums a) {                                                    \
        sum_items<T, N>(a);                                                                                       \
    }
NOWCELL_FOR_EACH_SUM_KERNEL(NOWCELL_SUMS)
#undef NOWCELL_SUMS

namespace {

struct SumRow {
    Storage storage;
    bool packs;
    void (*columns)(ColumnSums);
    void (*peephole)(PeepholeSums);
    void (*pixel_peephole)(PeepholeSums);
};
#define NOWCELL_ROW(suffix, T, N)                                                        \
    {storage_of<T>, N > 1, nowcell_column_sums_##suffix, nowcell_peephole_sums_##suffix, \
     nowcell_pixel_peephole_sums_##suffix},
constexpr SumRow kKernels[] = {NOWCELL_FOR_EACH_SUM_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW

const SumRow& kernels_of(Storage storage, bool packs) {
    for (const SumRow& row : kKernels) {
        if (row.storage == storage && row.packs == packs) return row;
    }
    return kKernels[0];
}

// The rows' sums by blocks, then the blocks' in order.
template <class Call>
cudaError_t run(void (*kernel)(Call), const Call& call, bool packs, std::int64_t rows, int columns,
                cudaStream_t stream) {
    if (const cudaError_t error = launch(kernel, plan_sums(rows, columns, packs ? 4 : 1), call, stream);
        error != cudaSuccess) {
        return error;
    }
    return gather_sums({static_cast<const float*>(call.workspace), sum_blocks(rows), columns, call.sums}, stream);
}

}  // namespace

std::size_t column_sums_workspace_bytes(int columns) {
    return sizeof(float) * kMostSumBlocks * static_cast<std::size_t>(columns);
}

std::size_t peephole_sums_workspace_bytes(int filters) { return column_sums_workspace_bytes(3 * filters); }

cudaError_t column_sums(const ColumnSums& whole, cudaStream_t stream) {
    // Kernels count rows with 32 bits.
    const std::int64_t frames_at_once = kMostSumRows / whole.pixels;
    if (frames_at_once < 1) return cudaErrorInvalidValue;
    const bool packs = whole.columns % 4 == 0 && is_aligned(whole.values, whole.stride, element_bytes(whole.storage)) &&
                       is_aligned(whole.workspace, 0, sizeof(float));
    for (std::int64_t first = 0; first < whole.frames; first += frames_at_once) {
        ColumnSums call = whole;
        call.frames = std::min(frames_at_once, whole.frames - first);
        call.values = static_cast<const char*>(whole.values) +
                      first * whole.stride * static_cast<std::int64_t>(element_bytes(whole.storage));
        const cudaError_t error =
            run(kernels_of(call.storage, packs).columns, call, packs, call.frames * call.pixels, call.columns, stream);
        if (error != cudaSuccess) return error;
    }
    return cudaSuccess;
}

cudaError_t peephole_sums(const PeepholeSums& call, cudaStream_t stream) {
    const StepShape& shape = call.shape;
    if (!frame_fits(shape, 4 * static_cast<std::int64_t>(shape.filters)) || !product_fits(shape)) {
        return cudaErrorInvalidValue;
    }
    const bool packs =
        shape.filters % 4 == 0 && is_aligned(call.d_gates.data, call.d_gates.batch, element_bytes(call.storage)) &&
        is_aligned(call.c.data, call.c.batch, sizeof(float)) &&
        is_aligned(call.c_old.data, call.c_old.batch, sizeof(float)) && is_aligned(call.sums, 0, sizeof(float));
    const SumRow& kernels = kernels_of(call.storage, packs);
    if (!call.pixel) {
        return run(kernels.peephole, call, packs, shape.pixels() * shape.batch, 3 * shape.filters, stream);
    }
    DeviceLimits limits;
    if (const cudaError_t error = device_limits(limits); error != cudaSuccess) return error;
    const std::int64_t items = 3 * shape.pixels() * (shape.filters / (packs ? 4 : 1));
    return launch(kernels.pixel_peephole, plan_stream(limits, items, 1), call, stream);
}

}  // namespace nowcell::cuda
