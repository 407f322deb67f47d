// Numbers of any Storage in and out of registers as floats, 16 bytes at a time or one by one.
#pragma once

#include "cells/cuda/problem.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <stdint.h>

#include <type_traits>

namespace nowcell::cuda {

template <class T>
constexpr int kPack = 16 / sizeof(T);

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(__half x) { return __half2float(x); }
__device__ __forceinline__ float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
    return x;
}
template <>
__device__ __forceinline__ __half from_float<__half>(float x) {
    return __float2half_rn(x);
}
template <>
__device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
    return __float2bfloat16_rn(x);
}

__device__ __forceinline__ float2 unpack(uint32_t bits, __half) {
    return __half22float2(*reinterpret_cast<const __half2*>(&bits));
}
__device__ __forceinline__ float2 unpack(uint32_t bits, __nv_bfloat16) {
    return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&bits));
}
__device__ __forceinline__ uint32_t pack(float a, float b, __half) {
    const __half2 both = __floats2half2_rn(a, b);
    return *reinterpret_cast<const uint32_t*>(&both);
}
__device__ __forceinline__ uint32_t pack(float a, float b, __nv_bfloat16) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(a, b);
    return *reinterpret_cast<const uint32_t*>(&both);
}

/// Blocks of kStreamThreads that a multiprocessor must hold at least; 0: as ptxas sees fit. With 8 numbers of each gate
/// in registers it aims too high for some GPUs, and spills a few of them.
template <int N>
constexpr int kStreamBlocks = N > 4 ? 2 : 0;

/// N consecutive numbers at once where they make up 16 bytes (p must be a multiple of 16) or 8 (of 8); or one.
template <class T, int N>
struct Access {
    static_assert(N == 1 || sizeof(T) * N == 16 || sizeof(T) * N == 8);

    static __device__ __forceinline__ void load(const T* p, float (&v)[N]) {
        if constexpr (N == 1) {
            v[0] = to_float(*p);
        } else if constexpr (sizeof(T) == 4) {
            static_assert(N == 4);
            const float4 x = *reinterpret_cast<const float4*>(p);
            v[0] = x.x, v[1] = x.y, v[2] = x.z, v[3] = x.w;
        } else if constexpr (N == 8) {
            const uint4 x = *reinterpret_cast<const uint4*>(p);
            const uint32_t words[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float2 two = unpack(words[i], T());
                v[2 * i] = two.x, v[2 * i + 1] = two.y;
            }
        } else {
            const uint2 x = *reinterpret_cast<const uint2*>(p);
            const float2 a = unpack(x.x, T()), b = unpack(x.y, T());
            v[0] = a.x, v[1] = a.y, v[2] = b.x, v[3] = b.y;
        }
    }

    // 16 bytes of numbers as stored.
    static __device__ __forceinline__ auto whole(const float (&v)[N]) {
        if constexpr (sizeof(T) == 4) {
            return make_float4(v[0], v[1], v[2], v[3]);
        } else {
            return make_uint4(pack(v[0], v[1], T()), pack(v[2], v[3], T()), pack(v[4], v[5], T()),
                              pack(v[6], v[7], T()));
        }
    }

    static __device__ __forceinline__ void store(T* p, const float (&v)[N]) {
        if constexpr (N == 1) {
            *p = from_float<T>(v[0]);
        } else if constexpr (sizeof(T) == 4) {
            *reinterpret_cast<float4*>(p) = whole(v);
        } else if constexpr (N == 8) {
            *reinterpret_cast<uint4*>(p) = whole(v);
        } else {
            *reinterpret_cast<uint2*>(p) = make_uint2(pack(v[0], v[1], T()), pack(v[2], v[3], T()));
        }
    }
};

/// To global memory, 16 bytes by one instruction for certain: a float4 that is assigned the compiler sometimes stores
/// as four floats. Write-back is what any store does.
template <class T, int N>
__device__ __forceinline__ void store_global(T* p, const float (&v)[N]) {
    if constexpr (sizeof(T) * N == 16) {
        const auto whole = Access<T, N>::whole(v);
        __stwb(reinterpret_cast<std::remove_const_t<decltype(whole)>*>(p), whole);
    } else {
        Access<T, N>::store(p, v);
    }
}

constexpr unsigned kAllLanes = 0xffffffffU;

/// The 8 floats of this lane, which follow those of the lane before it. Two float4 per lane would each touch half of
/// every sector, so lanes 2k and 2k + 1 read both packs together and swap. All lanes of the warp call it; `mine`:
/// whether this lane's floats exist.
__device__ __forceinline__ float4 swapped(float4 x) {
    return make_float4(__shfl_xor_sync(kAllLanes, x.x, 1), __shfl_xor_sync(kAllLanes, x.y, 1),
                       __shfl_xor_sync(kAllLanes, x.z, 1), __shfl_xor_sync(kAllLanes, x.w, 1));
}

/// Number by number: of whole float4 the compiler makes two branches, and each would store half of a sector.
__device__ __forceinline__ float4 either(bool first, float4 a, float4 b) {
    return make_float4(first ? a.x : b.x, first ? a.y : b.y, first ? a.z : b.z, first ? a.w : b.w);
}

struct LanePair {
    bool odd, first, second;  // this lane is the second one; the packs of the first and of the second exist

    explicit __device__ LanePair(bool mine) : odd((threadIdx.x & 1U) != 0) {
        const bool other = __shfl_xor_sync(kAllLanes, mine ? 1 : 0, 1) != 0;
        first = odd ? other : mine;
        second = odd ? mine : other;
    }
    __device__ __forceinline__ bool mine() const { return odd ? second : first; }
    /// From the lane's pack to its share of the first.
    __device__ __forceinline__ int offset() const { return odd ? -4 : 0; }
};

/// Packs at two places: `low_lane` is that of the lane 2k, `high_lane` that of 2k + 1.
__device__ __forceinline__ void load_floats(const float* low_lane, const float* high_lane, const LanePair& pair,
                                            float (&v)[8]) {
    const float4 none = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
    const int half = pair.odd ? 4 : 0;
    const float4 a = pair.first ? *reinterpret_cast<const float4*>(low_lane + half) : none;
    const float4 b = pair.second ? *reinterpret_cast<const float4*>(high_lane + half) : none;
    const float4 other = swapped(either(pair.odd, a, b));
    const float4 low = either(pair.odd, other, a), high = either(pair.odd, b, other);
    v[0] = low.x, v[1] = low.y, v[2] = low.z, v[3] = low.w;
    v[4] = high.x, v[5] = high.y, v[6] = high.z, v[7] = high.w;
}
__device__ __forceinline__ void load_floats(const float* p, const LanePair& pair, float (&v)[8]) {
    const float* const low_lane = pair.odd ? p - 8 : p;
    load_floats(low_lane, low_lane + 8, pair, v);
}

__device__ __forceinline__ void store_floats(float* p, const LanePair& pair, const float (&v)[8]) {
    const float4 low = make_float4(v[0], v[1], v[2], v[3]), high = make_float4(v[4], v[5], v[6], v[7]);
    const float4 other = swapped(either(pair.odd, low, high));
    auto* const at = p + pair.offset();
    if (pair.first) __stwb(reinterpret_cast<float4*>(at), either(pair.odd, other, low));
    if (pair.second) __stwb(reinterpret_cast<float4*>(at + 8), either(pair.odd, high, other));
}

/// The same for 4 floats or 1, which one lane moves alone.
template <int N>
__device__ __forceinline__ void load_floats(const float* p, const LanePair& pair, float (&v)[N]) {
    if (pair.mine()) {
        Access<float, N>::load(p, v);
    } else {
#pragma unroll
        for (int i = 0; i < N; ++i) v[i] = 0.0F;
    }
}
template <int N>
__device__ __forceinline__ void store_floats(float* p, const LanePair& pair, const float (&v)[N]) {
    if (pair.mine()) Access<float, N>::store(p, v);
}

}  // namespace nowcell::cuda
