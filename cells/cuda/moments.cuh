// Mean and squared deviations of many numbers, merged from those of few: exact where sums of squares cancel.
// Source: Chan, Golub, LeVeque 1979.
#pragma once

#include "cells/cuda/memory.cuh"
#include "cells/cuda/norm_parts.h"

namespace nowcell::cuda {

/// Of x. Stored without its count, which is known from the place.
struct Moments {
    float count, mean, m2;
    using Stored = float2;

    static __device__ __forceinline__ Moments none() { return {0.0F, 0.0F, 0.0F}; }
    static __device__ __forceinline__ Moments of(float count, float2 x) { return {count, x.x, x.y}; }
    __device__ __forceinline__ float2 stored() const { return make_float2(mean, m2); }

    // The share of `b` in both together.
    __device__ __forceinline__ float share(const Moments& b) const {
        const float n = count + b.count;
        return n > 0.0F ? __fdividef(b.count, n) : 0.0F;
    }
    __device__ __forceinline__ void merge(const Moments& b) {
        const float part = share(b), step = b.mean - mean;
        m2 += b.m2 + step * step * count * part;
        mean += step * part;
        count += b.count;
    }
    template <class Move>
    __device__ __forceinline__ Moments moved(const Move& move) const {
        return {move(count), move(mean), move(m2)};
    }
};

/// Of x and of g with it: mean_g, and the sum of (g - mean_g) * (x - mean).
struct CoMoments {
    Moments x;
    float mean_g, joint;
    using Stored = float4;

    static __device__ __forceinline__ CoMoments none() { return {Moments::none(), 0.0F, 0.0F}; }
    static __device__ __forceinline__ CoMoments of(float count, float4 v) { return {{count, v.x, v.y}, v.z, v.w}; }
    __device__ __forceinline__ float4 stored() const { return make_float4(x.mean, x.m2, mean_g, joint); }
    __device__ __forceinline__ void merge(const CoMoments& b) {
        const float part = x.share(b.x), step = b.mean_g - mean_g;
        joint += b.joint + (b.x.mean - x.mean) * step * x.count * part;
        mean_g += step * part;
        x.merge(b.x);
    }
    template <class Move>
    __device__ __forceinline__ CoMoments moved(const Move& move) const {
        return {x.moved(move), move(mean_g), move(joint)};
    }
};

template <int N>
__device__ __forceinline__ float mean_of(const float (&v)[N]) {
    float sum = 0.0F;
#pragma unroll
    for (int i = 0; i < N; ++i) sum += v[i];
    return sum * (1.0F / N);
}

template <int N>
__device__ __forceinline__ Moments moments_of(const float (&x)[N]) {
    Moments m{N, mean_of(x), 0.0F};
#pragma unroll
    for (int i = 0; i < N; ++i) m.m2 += (x[i] - m.mean) * (x[i] - m.mean);
    return m;
}

template <int N>
__device__ __forceinline__ CoMoments moments_of(const float (&x)[N], const float (&g)[N]) {
    CoMoments m{moments_of(x), mean_of(g), 0.0F};
#pragma unroll
    for (int i = 0; i < N; ++i) m.joint += (x[i] - m.x.mean) * (g[i] - m.mean_g);
    return m;
}

/// Of a warp; in lane 0.
template <class M>
__device__ __forceinline__ M warp_total(M mine) {
#pragma unroll
    for (unsigned below = 16; below > 0; below /= 2) {
        mine.merge(mine.moved([below](float v) { return __shfl_down_sync(kAllLanes, v, below); }));
    }
    return mine;
}

/// Of a block of kStreamThreads; in thread 0. All threads call it.
template <class M>
__device__ __forceinline__ M block_total(M mine) {
    __shared__ M of_warp[kStreamThreads / 32];
    mine = warp_total(mine);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = mine;
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll
        for (int warp = 1; warp < kStreamThreads / 32; ++warp) mine.merge(of_warp[warp]);
    }
    __syncthreads();  // of_warp may be written again
    return mine;
}

/// Of a whole span, in every lane; whole warps call it. partials (count,parts) of M::Stored.
template <class M>
__device__ __forceinline__ M span_total(const float* partials, const NormSpans& spans, uint32_t span) {
    const auto* const stored =
        reinterpret_cast<const typename M::Stored*>(partials) + static_cast<std::size_t>(span) * spans.parts;
    M total = M::none();
    for (uint32_t part = threadIdx.x % 32; part < spans.parts; part += 32) {
        const uint32_t numbers = min(spans.chunk, spans.length - part * spans.chunk);
        total.merge(M::of(static_cast<float>(numbers), stored[part]));
    }
    return warp_total(total).moved([](float v) { return __shfl_sync(kAllLanes, v, 0); });
}

__device__ __forceinline__ float deviation_of(float m2, float count) {
    return rsqrtf(__fdividef(m2, count) + kNormEpsilon);
}

/// The number of a frame's tensor at which a span begins.
__device__ __forceinline__ std::int64_t span_start(const NormSpans& spans, uint32_t span, std::int64_t batch) {
    const uint32_t item = span / spans.per_item;
    return item * batch + static_cast<std::int64_t>(span - item * spans.per_item) * spans.length;
}

/// x + addend at p and q; nothing where `mine` is false, zeros where there is no memory.
template <class T, int N>
__device__ __forceinline__ void load_sum(const void* x, std::int64_t from_x, const void* addend,
                                         std::int64_t from_addend, bool mine, float (&sum)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] = 0.0F;
    if (x != nullptr && mine) Access<T, N>::load(static_cast<const T*>(x) + from_x, sum);
    if (addend != nullptr && mine) {
        float v[N];
        Access<T, N>::load(static_cast<const T*>(addend) + from_addend, v);
#pragma unroll
        for (int i = 0; i < N; ++i) sum[i] += v[i];
    }
}

/// Floats of this lane's pack, which follows that of the lane before it. Whole warps call these.
template <int N>
__device__ __forceinline__ void load_row_floats(const float* p, bool mine, float (&v)[N]) {
    if constexpr (N == 8) {
        load_floats(p, LanePair(mine), v);
    } else if (mine) {
        Access<float, N>::load(p, v);
    } else {
#pragma unroll
        for (int i = 0; i < N; ++i) v[i] = 0.0F;
    }
}
template <int N>
__device__ __forceinline__ void store_row_floats(float* p, bool mine, const float (&v)[N]) {
    if constexpr (N == 8) {
        store_floats(p, LanePair(mine), v);
    } else if (mine) {
        store_global(p, v);
    }
}

/// Floats at `from` of p, wherever the pack of the lane beside lies: as load_floats, two lanes read each pack together.
template <int N>
__device__ __forceinline__ void load_floats_at(const float* p, uint32_t from, bool mine, float (&v)[N]) {
    load_row_floats(p + from, mine, v);
}
__device__ __forceinline__ void load_floats_at(const float* p, uint32_t from, bool mine, float (&v)[8]) {
    const LanePair pair(mine);
    const uint32_t beside = __shfl_xor_sync(kAllLanes, from, 1);
    load_floats(p + (pair.odd ? beside : from), p + (pair.odd ? from : beside), pair, v);
}

}  // namespace nowcell::cuda
