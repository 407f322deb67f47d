// What the forward and the backward step kernels share: the units of a thread, the instances, the launch.
#pragma once

#include "cells/cuda/columns.h"
#include "cells/cuda/launch.h"
#include "cells/cuda/policies.cuh"
#include "cells/cuda/product.cuh"
#include "cells/cuda/step_gemm.h"

namespace nowcell::cuda {

/// Four neighbouring channels of a pixel. Number by number, only the first `count` exist.
template <class T, bool kPacks>
struct Quad {
    static __device__ __forceinline__ void add(const T* p, int count, float (&v)[4]) {
        float x[4] = {};
        if constexpr (kPacks) {
            Access<T, 4>::load(p, x);
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                if (i < count) x[i] = to_float(p[i]);
            }
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) v[i] += x[i];
    }
    static __device__ __forceinline__ void store(T* p, int count, const float (&v)[4]) {
        if constexpr (kPacks) {
            Access<T, 4>::store(p, v);
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                if (i < count) p[i] = from_float<T>(v[i]);
            }
        }
    }
};

/// A pixel of a frame and four of its channels.
struct Spot {
    int item, pixel, channel, count;

    __device__ __forceinline__ Spot(const StepShape& shape, int row, int first) {
        const int pixels = shape.height * shape.width;
        item = row / pixels;
        pixel = row - item * pixels;
        channel = first;
        count = item < shape.batch ? min(4, shape.filters - first) : 0;
    }
    template <class T, class Any>
    __device__ __forceinline__ T* at(const Frames<Any>& frames, int channels) const {
        return static_cast<T*>(frames.data) + item * frames.batch + (pixel * channels + channel);
    }
};

/// Added to `weights`.
template <class Functions, bool kPacks>
__device__ __forceinline__ void load_peephole(const GateRules& rules, const StepShape& shape, const Spot& spot,
                                              float (&weights)[3][4]) {
    if constexpr (Functions::kPeephole) {
        if (rules.peephole == nullptr) return;
        const int pixels = rules.pixel_peephole ? shape.height * shape.width : 1;
        const int at = (rules.pixel_peephole ? spot.pixel * shape.filters : 0) + spot.channel;
#pragma unroll
        for (int gate = 0; gate < 3; ++gate) {
            Quad<float, kPacks>::add(rules.peephole + static_cast<std::size_t>(gate) * pixels * shape.filters + at,
                                     spot.count, weights[gate]);
        }
    }
}

/// X(suffix, element type, tile, 16 bytes at a time, functions)
#define NOWCELL_FOR_EACH_STEP_KERNEL(X)                     \
    X(f32, float, LargeTile, true, Standard)                \
    X(f32_small, float, SmallTile, true, Standard)          \
    X(f32_any, float, SmallTile, true, Any)                 \
    X(f32_single, float, SmallTile, false, Any)             \
    X(f16, __half, LargeTile, true, Standard)               \
    X(f16_small, __half, SmallTile, true, Standard)         \
    X(f16_any, __half, SmallTile, true, Any)                \
    X(f16_single, __half, SmallTile, false, Any)            \
    X(bf16, __nv_bfloat16, LargeTile, true, Standard)       \
    X(bf16_small, __nv_bfloat16, SmallTile, true, Standard) \
    X(bf16_any, __nv_bfloat16, SmallTile, true, Any)        \
    X(bf16_single, __nv_bfloat16, SmallTile, false, Any)

static_assert(LargeTile::kRows == kLargeProduct.rows && LargeTile::kColumns == kLargeProduct.columns &&
              LargeTile::kThreads == kLargeProduct.threads && SmallTile::kRows == kSmallProduct.rows &&
              SmallTile::kColumns == kSmallProduct.columns && SmallTile::kThreads == kSmallProduct.threads);

template <class Call>
struct StepRow {
    Storage storage;
    bool large, packs;
    Policy policy;
    void (*kernel)(Call);
};

template <class Call, std::size_t kRows>
cudaError_t run_step(const StepRow<Call> (&table)[kRows], const Call& call, bool packs, int columns,
                     cudaStream_t stream) {
    const StepShape& shape = call.gates.shape;
    if (!step_gemm_fits(shape, call.kernel)) return cudaErrorInvalidValue;
    DeviceLimits limits;
    if (const cudaError_t error = device_limits(limits); error != cudaSuccess) return error;
    const bool standard = packs && policy_for(call.gates.rules, packs) == Policy::standard;
    if (call.share == Share::large) limits.multiprocessors = 1;
    const ProductPlan plan =
        plan_product(limits, shape.pixels() * shape.batch, columns, standard && call.share != Share::small);
    const Policy policy = standard ? Policy::standard : Policy::any;
    for (const StepRow<Call>& row : table) {
        if (row.storage == call.gates.storage && row.large == plan.large && row.packs == packs &&
            row.policy == policy) {
            return launch(row.kernel, plan.launch, call, stream);
        }
    }
    return cudaErrorInvalidValue;
}

}  // namespace nowcell::cuda
