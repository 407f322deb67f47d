// Layer normalisation of what no registers hold, frames above all: one kernel reduces parts of each span, the next one
// adds the parts up and goes through the numbers once more.
#include "cells/cuda/gather.h"
#include "cells/cuda/launch.h"
#include "cells/cuda/moments.cuh"
#include "cells/cuda/policies.cuh"

#include <algorithm>

namespace nowcell::cuda {
namespace {

struct SpansForward {
    NormForward call;
    NormSpans spans;
};
struct SpansBackward {
    NormBackward call;
    NormSpans spans;
    uint32_t per_group = 0;     // spans of a group, gridDim.y groups
    float* partials = nullptr;  // (count,parts,4)
    float* sums = nullptr;      // (groups,2,length), or null: d_scale and d_shift at once
};

// Calls body(from, mine) for the packs of each part of the block, by whole warps, and stores what body returns.
template <class M, int N, class Body>
__device__ __forceinline__ void reduce_parts(const NormSpans& spans, float* partials, const Body& body) {
    for (uint32_t span = blockIdx.y; span < spans.count; span += gridDim.y) {
        const uint32_t begin = blockIdx.x * spans.chunk, end = min(spans.length, begin + spans.chunk);
        M total = M::none();
        for (uint32_t first = begin; first < end; first += kStreamThreads * N) {
            const uint32_t at = first + threadIdx.x * N;
            total.merge(body(span, at, at < end));
        }
        total = block_total(total);
        if (threadIdx.x == 0) {
            auto* const stored = reinterpret_cast<typename M::Stored*>(partials);
            stored[static_cast<std::size_t>(span) * spans.parts + blockIdx.x] = total.stored();
        }
    }
}

template <class T, int N>
__device__ __forceinline__ void moments(const NormMoments& a) {
    reduce_parts<Moments, N>(a.spans, a.partials, [&](uint32_t span, uint32_t at, bool mine) {
        float x[N];
        load_sum<T, N>(a.x.data, span_start(a.spans, span, a.x.batch) + at, a.addend.data,
                       span_start(a.spans, span, a.addend.batch) + at, mine, x);
        return mine ? moments_of(x) : Moments::none();
    });
}

template <class T, int N>
__device__ __forceinline__ void comoments(const SpansBackward& all) {
    const NormBackward& a = all.call;
    reduce_parts<CoMoments, N>(all.spans, all.partials, [&](uint32_t span, uint32_t at, bool mine) {
        float x[N], g[N] = {}, scale[N];
        load_sum<T, N>(a.x.data, span_start(all.spans, span, a.x.batch) + at, a.addend.data,
                       span_start(all.spans, span, a.addend.batch) + at, mine, x);
        load_row_floats(a.scale + at, mine, scale);
        if (mine)
            Access<T, N>::load(static_cast<const T*>(a.d_y.data) + span_start(all.spans, span, a.d_y.batch) + at, g);
#pragma unroll
        for (int i = 0; i < N; ++i) g[i] *= scale[i];
        return mine ? moments_of(x, g) : CoMoments::none();
    });
}

template <class T, int N>
__device__ __forceinline__ void forward(const SpansForward& all) {
    const NormForward& a = all.call;
    for (uint32_t span = blockIdx.y; span < all.spans.count; span += gridDim.y) {
        const auto total = span_total<Moments>(static_cast<const float*>(a.workspace), all.spans, span);
        const float deviation = deviation_of(total.m2, total.count);
        const std::int64_t from = span_start(all.spans, span, a.x.batch),
                           from_addend = span_start(all.spans, span, a.addend.batch);
        T* const y = static_cast<T*>(a.y.data) + span_start(all.spans, span, a.y.batch);
        // Whole warps stay together for load_row_floats.
        for (uint32_t first = blockIdx.x * kStreamThreads * N; first < all.spans.length;
             first += gridDim.x * kStreamThreads * N) {
            const uint32_t at = first + threadIdx.x * N;
            const bool mine = at < all.spans.length;
            float x[N], scale[N], shift[N];
            load_sum<T, N>(a.x.data, from + at, a.addend.data, from_addend + at, mine, x);
            load_row_floats(a.scale + at, mine, scale);
            load_row_floats(a.shift + at, mine, shift);
#pragma unroll
            for (int i = 0; i < N; ++i) x[i] = fmaf((x[i] - total.mean) * deviation, scale[i], shift[i]);
            if (mine) store_global(y + at, x);
        }
    }
}

// What a span gives to the gradient at each of its numbers.
struct Centre {
    float mean, deviation, mean_g, mean_gx;
};

template <class T, int N>
__device__ __forceinline__ void backward(const SpansBackward& all) {
    constexpr uint32_t kCentres = kStreamThreads / 32;  // each warp finds one
    __shared__ Centre centres[kCentres];
    const NormBackward& a = all.call;
    const NormSpans& spans = all.spans;
    const uint32_t at = (blockIdx.x * kStreamThreads + threadIdx.x) * N;
    const bool mine = at < spans.length;
    float scale[N], d_scale[N] = {}, d_shift[N] = {};
    load_row_floats(a.scale + at, mine, scale);
    const uint32_t begin = blockIdx.y * all.per_group, end = min(spans.count, begin + all.per_group);
    for (uint32_t first = begin; first < end; first += kCentres) {
        const uint32_t count = min(kCentres, end - first);
        __syncthreads();  // the centres before have been read
        if (const uint32_t warp = threadIdx.x / 32; warp < count) {
            const auto total = span_total<CoMoments>(all.partials, spans, first + warp);
            const float deviation = deviation_of(total.x.m2, total.x.count);
            if (threadIdx.x % 32 == 0)
                centres[warp] = {total.x.mean, deviation, total.mean_g,
                                 __fdividef(total.joint * deviation, total.x.count)};
        }
        __syncthreads();
        for (uint32_t i = 0; i < count && mine; ++i) {
            const Centre c = centres[i];
            const uint32_t span = first + i;
            float x[N], d[N];
            load_sum<T, N>(a.x.data, span_start(spans, span, a.x.batch) + at, a.addend.data,
                           span_start(spans, span, a.addend.batch) + at, true, x);
            Access<T, N>::load(static_cast<const T*>(a.d_y.data) + span_start(spans, span, a.d_y.batch) + at, d);
#pragma unroll
            for (int k = 0; k < N; ++k) {
                const float normed = (x[k] - c.mean) * c.deviation;
                d_scale[k] = fmaf(d[k], normed, d_scale[k]);
                d_shift[k] += d[k];
                d[k] = c.deviation * (d[k] * scale[k] - c.mean_g - normed * c.mean_gx);
            }
            Access<T, N>::store(static_cast<T*>(a.d_x.data) + span_start(spans, span, a.d_x.batch) + at, d);
        }
    }
    if (a.d_scale == nullptr) return;
    float* to_scale = a.d_scale + at;
    float* to_shift = a.d_shift + at;
    if (all.sums != nullptr) {
        to_scale = all.sums + 2 * static_cast<std::size_t>(blockIdx.y) * spans.length + at;
        to_shift = to_scale + spans.length;
    } else {
        float before[N];
        load_row_floats(to_scale, mine, before);
#pragma unroll
        for (int k = 0; k < N; ++k) d_scale[k] += before[k];
        load_row_floats(to_shift, mine, before);
#pragma unroll
        for (int k = 0; k < N; ++k) d_shift[k] += before[k];
    }
    store_row_floats(to_scale, mine, d_scale);
    store_row_floats(to_shift, mine, d_shift);
}

}  // namespace

// X(suffix, element type, numbers moved at once)
#define NOWCELL_FOR_EACH_SPAN_KERNEL(X) \
    X(f32, float, 4)                    \
    X(f32_single, float, 1)             \
    X(f16, __half, 8)                   \
    X(f16_single, __half, 1)            \
    X(bf16, __nv_bfloat16, 8)           \
    X(bf16_single, __nv_bfloat16, 1)

#define NOWCELL_NORM(name, Argument, body, suffix, T, N)                                                         \
    extern "C" __global__ void __launch_bounds__(kStreamThreads, 1) nowcell_norm_##name##_##suffix(Argument a) { \
        body<T, N>(a);                                                                                           \
    }
#define NOWCELL_NORMS(suffix, T, N)                                  \
    NOWCELL_NORM(moments, NormMoments, moments, suffix, T, N)        \
    NOWCELL_NORM(comoments, SpansBackward, comoments, suffix, T, N)  \
    NOWCELL_NORM(spans_forward, SpansForward, forward, suffix, T, N) \
    NOWCELL_NORM(spans_backward, SpansBackward, backward, suffix, T, N)
NOWCELL_FOR_EACH_SPAN_KERNEL(NOWCELL_NORMS)
#undef NOWCELL_NORMS
#undef NOWCELL_NORM

namespace {

#define NOWCELL_ROW(suffix, T, N) {storage_of<T>, N > 1, Policy::any, nowcell_norm_moments_##suffix},
constexpr KernelRow<NormMoments> kMoments[] = {NOWCELL_FOR_EACH_SPAN_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW
#define NOWCELL_ROW(suffix, T, N) {storage_of<T>, N > 1, Policy::any, nowcell_norm_comoments_##suffix},
constexpr KernelRow<SpansBackward> kCoMoments[] = {NOWCELL_FOR_EACH_SPAN_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW
#define NOWCELL_ROW(suffix, T, N) {storage_of<T>, N > 1, Policy::any, nowcell_norm_spans_forward_##suffix},
constexpr KernelRow<SpansForward> kForward[] = {NOWCELL_FOR_EACH_SPAN_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW
#define NOWCELL_ROW(suffix, T, N) {storage_of<T>, N > 1, Policy::any, nowcell_norm_spans_backward_##suffix},
constexpr KernelRow<SpansBackward> kBackward[] = {NOWCELL_FOR_EACH_SPAN_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW

std::int64_t packs_of(const NormSpans& spans, Storage storage, bool packs) {
    return spans.length / pack_width(storage, packs);
}

}  // namespace

cudaError_t norm_moments(const NormMoments& a, Storage storage, bool packs, cudaStream_t stream) {
    DeviceLimits limits;
    if (const cudaError_t error = device_limits(limits); error != cudaSuccess) return error;
    return launch(kernel_of(kMoments, storage, packs, Policy::any),
                  plan_norm_parts(limits, a.spans.parts, a.spans.count), a, stream);
}

cudaError_t norm_spans_forward(const NormForward& a, bool packs, cudaStream_t stream) {
    const NormSpans spans = norm_spans(a.shape, a.over);
    cudaError_t error =
        norm_moments({spans, a.x, a.addend, static_cast<float*>(a.workspace)}, a.storage, packs, stream);
    DeviceLimits limits;
    if (error == cudaSuccess) error = device_limits(limits);
    if (error != cudaSuccess) return error;
    return launch(kernel_of(kForward, a.storage, packs, Policy::any),
                  plan_stream(limits, packs_of(spans, a.storage, packs), spans.count), SpansForward{a, spans}, stream);
}

cudaError_t norm_spans_backward(const NormBackward& a, bool packs, cudaStream_t stream) {
    const NormSpans spans = norm_spans(a.shape, a.over);
    DeviceLimits limits;
    if (const cudaError_t error = device_limits(limits); error != cudaSuccess) return error;
    SpansBackward call{a, spans};
    call.partials = static_cast<float*>(a.workspace);
    // One group writes the gradients of scale and shift itself; without these, each span may be a group.
    const unsigned groups = a.d_scale == nullptr ? std::min<unsigned>(spans.count, static_cast<unsigned>(limits.grid_y))
                                                 : norm_groups(spans.length, spans.count);
    call.per_group = (spans.count + groups - 1) / groups;
    if (a.d_scale != nullptr && groups > 1)
        call.sums = call.partials + 4 * static_cast<std::size_t>(spans.count) * spans.parts;
    cudaError_t error = launch(kernel_of(kCoMoments, a.storage, packs, Policy::any),
                               plan_norm_parts(limits, spans.parts, spans.count), call, stream);
    if (error != cudaSuccess) return error;
    error = launch(kernel_of(kBackward, a.storage, packs, Policy::any),
                   plan_norm_groups(packs_of(spans, a.storage, packs), groups), call, stream);
    if (error != cudaSuccess || call.sums == nullptr) return error;
    return gather_sums(
        {call.sums, static_cast<int>(groups), 2 * std::int64_t{spans.length}, a.d_scale, a.d_shift, spans.length},
        stream);
}

}  // namespace nowcell::cuda
