// Layer normalisation of rows of channels that fit the registers of a warp or of a block: each number is read once.
#include "cells/cuda/gather.h"
#include "cells/cuda/launch.h"
#include "cells/cuda/moments.cuh"
#include "cells/cuda/policies.cuh"

namespace nowcell::cuda {
namespace {

struct RowsForward {
    NormForward call;
    NormSpans rows;
};
struct RowsBackward {
    NormBackward call;
    NormSpans rows;
    float* partials;  // (blocks,2,4F), or null
};

// Of the kLanes threads of a row, in each of them.
template <int kLanes, int kCount>
__device__ __forceinline__ void row_sums(float (&v)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
#pragma unroll
        for (unsigned other = 16; other > 0; other /= 2) v[i] += __shfl_xor_sync(kAllLanes, v[i], other);
    }
    if constexpr (kLanes > 32) {
        static_assert(kLanes == kStreamThreads);
        __shared__ float of_warp[kCount][kLanes / 32];
        if (threadIdx.x % 32 == 0) {
#pragma unroll
            for (int i = 0; i < kCount; ++i) of_warp[i][threadIdx.x / 32] = v[i];
        }
        __syncthreads();
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
            v[i] = 0.0F;
#pragma unroll
            for (int warp = 0; warp < kLanes / 32; ++warp) v[i] += of_warp[i][warp];
        }
        __syncthreads();  // of_warp may be written again
    }
}

// Where the packs of a lane lie in its row.
template <int N, int kLanes>
__device__ __forceinline__ uint32_t column_of(int pack) {
    return (static_cast<uint32_t>(pack) * kLanes + threadIdx.x % kLanes) * N;
}

// A row of x + addend, and its mean.
template <class T, int N, int kLanes, int kPacks>
struct Row {
    float x[kPacks][N];
    float mean;

    template <class Call>
    __device__ __forceinline__ Row(const Call& a, const NormSpans& rows, uint32_t row) {
        const std::int64_t from = span_start(rows, row, a.x.batch), from_addend = span_start(rows, row, a.addend.batch);
        float sum[1] = {};
#pragma unroll
        for (int k = 0; k < kPacks; ++k) {
            const uint32_t column = column_of<N, kLanes>(k);
            load_sum<T, N>(a.x.data, from + column, a.addend.data, from_addend + column, column < rows.length, x[k]);
#pragma unroll
            for (int i = 0; i < N; ++i) sum[0] += x[k][i];
        }
        row_sums<kLanes>(sum);
        mean = __fdividef(sum[0], static_cast<float>(rows.length));
    }
};

template <int kLanes>
__device__ __forceinline__ uint32_t first_row() {
    return blockIdx.x * (kStreamThreads / kLanes) + threadIdx.x / kLanes;
}
template <int kLanes>
__device__ __forceinline__ uint32_t rows_at_once() {
    return gridDim.x * (kStreamThreads / kLanes);
}

template <class T, int N, int kLanes, int kPacks>
__device__ __forceinline__ void forward(const RowsForward& all) {
    const NormForward& a = all.call;
    const NormSpans& rows = all.rows;
    for (uint32_t row = first_row<kLanes>(); row < rows.count; row += rows_at_once<kLanes>()) {
        Row<T, N, kLanes, kPacks> r(a, rows, row);
        float squares[1] = {};
#pragma unroll
        for (int k = 0; k < kPacks; ++k) {
#pragma unroll
            for (int i = 0; i < N; ++i) {
                r.x[k][i] -= r.mean;
                if (column_of<N, kLanes>(k) < rows.length) squares[0] += r.x[k][i] * r.x[k][i];
            }
        }
        row_sums<kLanes>(squares);
        const float deviation = deviation_of(squares[0], static_cast<float>(rows.length));
        T* const y = static_cast<T*>(a.y.data) + span_start(rows, row, a.y.batch);
#pragma unroll
        for (int k = 0; k < kPacks; ++k) {
            const uint32_t column = column_of<N, kLanes>(k);
            const bool mine = column < rows.length;
            float scale[N], shift[N], normed[N];
            load_row_floats(a.scale + column, mine, scale);
            load_row_floats(a.shift + column, mine, shift);
#pragma unroll
            for (int i = 0; i < N; ++i) normed[i] = fmaf(r.x[k][i] * deviation, scale[i], shift[i]);
            if (mine) store_global(y + column, normed);
        }
    }
}

// What the lanes of a block have summed, of all its rows, to partials (2,length).
template <int N, int kLanes, int kPacks>
__device__ __forceinline__ void store_sums(const float (&sums)[2][kPacks][N], uint32_t length, float* partials) {
    if constexpr (kLanes > 32) {
#pragma unroll
        for (int k = 0; k < kPacks; ++k) {
            const uint32_t column = column_of<N, kLanes>(k);
#pragma unroll
            for (int of = 0; of < 2; ++of)
                store_row_floats(partials + of * length + column, column < length, sums[of][k]);
        }
    } else {
        constexpr uint32_t kWarps = kStreamThreads / kLanes, kColumns = kLanes * N;
        // One number of each lane after the other: in either direction a warp touches every bank once.
        constexpr uint32_t kApart = kLanes + kLanes / N;
        __shared__ float of_warp[2][kWarps][N * kApart];
#pragma unroll
        for (int k = 0; k < kPacks; ++k) {
            if (k > 0) __syncthreads();
#pragma unroll
            for (int of = 0; of < 2; ++of) {
#pragma unroll
                for (int i = 0; i < N; ++i) {
                    of_warp[of][threadIdx.x / kLanes][i * kApart + threadIdx.x % kLanes] = sums[of][k][i];
                }
            }
            __syncthreads();
#pragma unroll 1
            for (uint32_t t = threadIdx.x; t < 2 * kColumns; t += kStreamThreads) {
                const uint32_t of = t / kColumns, inside = t % kColumns, column = k * kColumns + inside;
                float sum = 0.0F;
#pragma unroll
                for (uint32_t warp = 0; warp < kWarps; ++warp)
                    sum += of_warp[of][warp][inside % N * kApart + inside / N];
                if (column < length) partials[of * length + column] = sum;
            }
        }
    }
}

template <class T, int N, int kLanes, int kPacks>
__device__ __forceinline__ void backward(const RowsBackward& all) {
    const NormBackward& a = all.call;
    const NormSpans& rows = all.rows;
    const auto length = static_cast<float>(rows.length);
    float sums[2][kPacks][N] = {};  // of scale and shift
    for (uint32_t row = first_row<kLanes>(); row < rows.count; row += rows_at_once<kLanes>()) {
        Row<T, N, kLanes, kPacks> r(a, rows, row);
        const T* const d_y = static_cast<const T*>(a.d_y.data) + span_start(rows, row, a.d_y.batch);
        float d[kPacks][N] = {};
        float inner[3] = {};  // sums of x * x, g and x * g, where g = d_y * scale and x is less its mean
#pragma unroll
        for (int k = 0; k < kPacks; ++k) {
            const uint32_t column = column_of<N, kLanes>(k);
            const bool mine = column < rows.length;
            float scale[N];
            load_row_floats(a.scale + column, mine, scale);
            if (mine) Access<T, N>::load(d_y + column, d[k]);
#pragma unroll
            for (int i = 0; i < N; ++i) {
                r.x[k][i] = mine ? r.x[k][i] - r.mean : 0.0F;
                const float g = d[k][i] * scale[i];
                inner[0] += r.x[k][i] * r.x[k][i], inner[1] += g, inner[2] += r.x[k][i] * g;
            }
        }
        row_sums<kLanes>(inner);
        const float deviation = deviation_of(inner[0], length);
        const float mean_g = __fdividef(inner[1], length), mean_gx = __fdividef(inner[2] * deviation, length);
        T* const d_x = static_cast<T*>(a.d_x.data) + span_start(rows, row, a.d_x.batch);
#pragma unroll
        for (int k = 0; k < kPacks; ++k) {
            const uint32_t column = column_of<N, kLanes>(k);
            const bool mine = column < rows.length;
            float scale[N], out[N];
            load_row_floats(a.scale + column, mine, scale);
#pragma unroll
            for (int i = 0; i < N; ++i) {
                const float x = r.x[k][i] * deviation;
                sums[0][k][i] = fmaf(d[k][i], x, sums[0][k][i]);
                sums[1][k][i] += d[k][i];
                out[i] = deviation * (d[k][i] * scale[i] - mean_g - x * mean_gx);
            }
            if (mine) store_global(d_x + column, out);
        }
    }
    if (all.partials != nullptr) {
        store_sums<N, kLanes, kPacks>(sums, rows.length,
                                      all.partials + 2 * static_cast<std::size_t>(blockIdx.x) * rows.length);
    }
}

}  // namespace

// X(suffix, element type, numbers moved at once, threads of a row, packs of each)
#define NOWCELL_FOR_EACH_ROW_KERNEL(X)                 \
    X(f32_1, float, 4, 32, 1)                          \
    X(f32_2, float, 4, 32, 2)                          \
    X(f32_4, float, 4, 32, 4)                          \
    X(f32_8, float, 4, 32, 8)                          \
    X(f32_block, float, 4, kStreamThreads, 4)          \
    X(f32_single, float, 1, 32, 8)                     \
    X(f16_1, __half, 8, 32, 1)                         \
    X(f16_2, __half, 8, 32, 2)                         \
    X(f16_4, __half, 8, 32, 4)                         \
    X(f16_block, __half, 8, kStreamThreads, 2)         \
    X(f16_single, __half, 1, 32, 8)                    \
    X(bf16_1, __nv_bfloat16, 8, 32, 1)                 \
    X(bf16_2, __nv_bfloat16, 8, 32, 2)                 \
    X(bf16_4, __nv_bfloat16, 8, 32, 4)                 \
    X(bf16_block, __nv_bfloat16, 8, kStreamThreads, 2) \
    X(bf16_single, __nv_bfloat16, 1, 32, 8)

#define NOWCELL_NORM_ROWS(suffix, T, N, kLanes, kPacks)             \
    extern "C" __global__ void __launch_bounds__(kStreamThreads, 1) \
        nowcell_norm_rows_forward_##suffix(RowsForward a) {         \
        forward<T, N, kLanes, kPacks>(a);                           \
    }                                                               \
    extern "C" __global__ void __launch_bounds__(kStreamThreads, 1) \
        nowcell_norm_rows_backward_##suffix(RowsBackward a) {       \
        backward<T, N, kLanes, kPacks>(a);                          \
    }
NOWCELL_FOR_EACH_ROW_KERNEL(NOWCELL_NORM_ROWS)
#undef NOWCELL_NORM_ROWS

namespace {

template <class Call>
struct RowKernel {
    Storage storage;
    bool packs;
    NormRowPlan row;
    void (*kernel)(Call);
};
#define NOWCELL_ROW(suffix, T, N, kLanes, kPacks) \
    {storage_of<T>, N > 1, {kLanes, kPacks}, nowcell_norm_rows_forward_##suffix},
constexpr RowKernel<RowsForward> kForward[] = {NOWCELL_FOR_EACH_ROW_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW
#define NOWCELL_ROW(suffix, T, N, kLanes, kPacks) \
    {storage_of<T>, N > 1, {kLanes, kPacks}, nowcell_norm_rows_backward_##suffix},
constexpr RowKernel<RowsBackward> kBackward[] = {NOWCELL_FOR_EACH_ROW_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW

// blocks: 0 for as many as the device is kept busy with.
template <class Call, std::size_t kRows>
cudaError_t run(const RowKernel<Call> (&table)[kRows], const Call& call, bool packs, unsigned blocks,
                cudaStream_t stream) {
    const Storage storage = call.call.storage;
    const NormRowPlan row = plan_norm_row(storage, packs, call.rows.length);
    DeviceLimits limits;
    if (const cudaError_t error = device_limits(limits); error != cudaSuccess) return error;
    Launch plan = plan_stream(limits, static_cast<std::int64_t>(call.rows.count) * row.lanes, 1);
    if (blocks > 0) plan.grid_x = blocks;
    for (const RowKernel<Call>& r : table) {
        if (r.storage == storage && r.packs == packs && r.row.lanes == row.lanes && r.row.packs == row.packs)
            return launch(r.kernel, plan, call, stream);
    }
    return cudaErrorInvalidValue;
}

}  // namespace

bool norm_rows_fit(const StepShape& shape, Storage storage, bool packs) {
    return plan_norm_row(storage, packs, 4 * static_cast<std::int64_t>(shape.filters)).lanes > 0;
}

cudaError_t norm_rows_forward(const NormForward& a, bool packs, cudaStream_t stream) {
    return run(kForward, RowsForward{a, norm_spans(a.shape, NormOver::pixel)}, packs, 0, stream);
}

cudaError_t norm_rows_backward(const NormBackward& a, bool packs, cudaStream_t stream) {
    const NormSpans rows = norm_spans(a.shape, NormOver::pixel);
    const bool sums = a.d_scale != nullptr;
    const unsigned blocks = sums ? static_cast<unsigned>(sum_blocks(rows.count)) : 0;
    auto* const partials = sums ? static_cast<float*>(a.workspace) : nullptr;
    const cudaError_t error = run(kBackward, RowsBackward{a, rows, partials}, packs, blocks, stream);
    if (error != cudaSuccess || !sums) return error;
    return gather_sums(
        {partials, static_cast<int>(blocks), 2 * std::int64_t{rows.length}, a.d_scale, a.d_shift, rows.length}, stream);
}

}  // namespace nowcell::cuda
