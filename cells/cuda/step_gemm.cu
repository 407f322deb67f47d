#include "cells/cuda/step_gemm.h"

#include "cells/cuda/columns.h"
#include "cells/cuda/launch.h"
#include "cells/cuda/policies.cuh"
#include "cells/cuda/product.cuh"

namespace nowcell::cuda {
namespace {

// Four neighbouring channels of a pixel. Number by number, only the first `count` exist.
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

// A pixel of a frame and four of its channels.
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

template <class T, bool kPacks, class Functions>
__device__ __forceinline__ void finish_forward(const GatesForward& a, const Spot& spot, float (&gates)[4][4]) {
    const int filters = a.shape.filters;
    const Functions functions = functions_of<Functions>(a.rules);
    const T* const input = spot.at<const T>(a.input, 4 * filters);
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) {
        Quad<T, kPacks>::add(input + gate * filters, spot.count, gates[gate]);
        if (a.bias != nullptr) {
            Quad<float, kPacks>::add(a.bias + gate * filters + spot.channel, spot.count, gates[gate]);
        }
    }
    float c_old[4] = {}, c[4], h[4], peephole[3][4] = {};
    if (a.c_old.data != nullptr) Quad<float, kPacks>::add(spot.at<const float>(a.c_old, filters), spot.count, c_old);
    load_peephole<Functions, kPacks>(a.rules, a.shape, spot, peephole);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const LstmUnit<float> unit =
            lstm_forward(functions, LstmGates<float>{gates[0][i], gates[1][i], gates[2][i], gates[3][i]}, c_old[i],
                         LstmPeephole<float>{peephole[0][i], peephole[1][i], peephole[2][i]});
        gates[0][i] = unit.gates.i, gates[1][i] = unit.gates.f;
        gates[2][i] = unit.gates.g, gates[3][i] = unit.gates.o;
        c[i] = unit.c, h[i] = unit.h;
    }
    Quad<float, kPacks>::store(spot.at<float>(a.c, filters), spot.count, c);
    Quad<T, kPacks>::store(spot.at<T>(a.h, filters), spot.count, h);
    if (a.gates.data == nullptr) return;
    T* const kept = spot.at<T>(a.gates, 4 * filters);
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) Quad<T, kPacks>::store(kept + gate * filters, spot.count, gates[gate]);
}

template <class T, bool kPacks, class Functions>
__device__ __forceinline__ void finish_backward(const GatesBackward& a, const Spot& spot, float (&d_h)[4]) {
    const int filters = a.shape.filters;
    const Functions functions = functions_of<Functions>(a.rules);
    float gates[4][4] = {}, c_old[4] = {}, c[4] = {}, d_c[4] = {}, peephole[3][4] = {};
    const T* const saved = spot.at<const T>(a.gates, 4 * filters);
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) Quad<T, kPacks>::add(saved + gate * filters, spot.count, gates[gate]);
    Quad<float, kPacks>::add(spot.at<const float>(a.c, filters), spot.count, c);
    if (a.c_old.data != nullptr) Quad<float, kPacks>::add(spot.at<const float>(a.c_old, filters), spot.count, c_old);
    if (a.d_c.data != nullptr) Quad<float, kPacks>::add(spot.at<const float>(a.d_c, filters), spot.count, d_c);
    if (a.d_out.data != nullptr) Quad<T, kPacks>::add(spot.at<const T>(a.d_out, filters), spot.count, d_h);
    load_peephole<Functions, kPacks>(a.rules, a.shape, spot, peephole);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const LstmGradients<float> d =
            lstm_backward(functions, LstmGates<float>{gates[0][i], gates[1][i], gates[2][i], gates[3][i]}, c_old[i],
                          c[i], d_h[i], d_c[i], LstmPeephole<float>{peephole[0][i], peephole[1][i], peephole[2][i]});
        gates[0][i] = d.gates.i, gates[1][i] = d.gates.f;
        gates[2][i] = d.gates.g, gates[3][i] = d.gates.o;
        d_c[i] = d.c_old;
    }
    Quad<float, kPacks>::store(spot.at<float>(a.d_c_old, filters), spot.count, d_c);
    T* const out = spot.at<T>(a.d_gates, 4 * filters);
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) Quad<T, kPacks>::store(out + gate * filters, spot.count, gates[gate]);
}

// 16 channels of the four gates are 64 columns: each thread has all gates of four channels of its pixels.
template <class T, class Tile, bool kPacks, class Functions>
__device__ __forceinline__ void forward(const StepForward& a) {
    __shared__ __align__(128) unsigned char shared[Tile::kSharedBytes];
    const StepShape& shape = a.gates.shape;
    const Gathered h{a.h_old.data, a.h_old.batch, shape.batch,     shape.height,
                     shape.width,  shape.filters, a.kernel.height, a.kernel.width};
    Product<T, Tile, kPacks> product(h, a.weights, forward_columns(shape.filters), shared);
    if (a.h_old.data != nullptr) product.run();
    const int channel = product.column() / 4 + static_cast<int>(threadIdx.x % 4) * 4;
#pragma unroll
    for (int tile = 0; tile < Tile::kTilesM; ++tile) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const Spot spot(shape, product.row(tile, half), channel);
            if (spot.count <= 0) continue;
            float gates[4][4];
#pragma unroll
            for (int gate = 0; gate < 4; ++gate) {
#pragma unroll
                for (int i = 0; i < 4; ++i) gates[gate][i] = product.sums[tile][2 * gate + i / 2][2 * half + i % 2];
            }
            finish_forward<T, kPacks, Functions>(a.gates, spot, gates);
        }
    }
}

// Every column is a channel: the gradient of h. The gates of the step need no more than that of their own unit.
template <class T, class Tile, bool kPacks, class Functions>
__device__ __forceinline__ void backward(const StepBackward& a) {
    __shared__ __align__(128) unsigned char shared[Tile::kSharedBytes];
    const StepShape& shape = a.gates.shape;
    const Gathered d_gates{a.d_gates_next.data, a.d_gates_next.batch, shape.batch,     shape.height,
                           shape.width,         4 * shape.filters,    a.kernel.height, a.kernel.width};
    Product<T, Tile, kPacks> product(d_gates, a.weights, backward_columns(shape.filters), shared);
    if (a.d_gates_next.data != nullptr) product.run();
#pragma unroll
    for (int tile = 0; tile < Tile::kTilesM; ++tile) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
#pragma unroll
            for (int group = 0; group < 4; ++group) {
                const Spot spot(shape, product.row(tile, half),
                                product.column() + 16 * group + static_cast<int>(threadIdx.x % 4) * 4);
                if (spot.count <= 0) continue;
                float d_h[4];
#pragma unroll
                for (int i = 0; i < 4; ++i) d_h[i] = product.sums[tile][2 * group + i / 2][2 * half + i % 2];
                finish_backward<T, kPacks, Functions>(a.gates, spot, d_h);
            }
        }
    }
}

// X(suffix, element type, tile, 16 bytes at a time, functions)
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

}  // namespace

#define NOWCELL_STEP(suffix, T, Tile, kPacks, Functions)                                                          \
    extern "C" __global__ void __launch_bounds__(Tile::kThreads) nowcell_step_forward_##suffix(StepForward a) {   \
        forward<T, Tile, kPacks, Functions>(a);                                                                   \
    }                                                                                                             \
    extern "C" __global__ void __launch_bounds__(Tile::kThreads) nowcell_step_backward_##suffix(StepBackward a) { \
        backward<T, Tile, kPacks, Functions>(a);                                                                  \
    }
NOWCELL_FOR_EACH_STEP_KERNEL(NOWCELL_STEP)
#undef NOWCELL_STEP

namespace {

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

#define NOWCELL_ROW(suffix, T, Tile, kPacks, Functions) \
    {storage_of<T>, std::is_same_v<Tile, LargeTile>, kPacks, policy_of<Functions>, nowcell_step_forward_##suffix},
constexpr StepRow<StepForward> kForward[] = {NOWCELL_FOR_EACH_STEP_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW
#define NOWCELL_ROW(suffix, T, Tile, kPacks, Functions) \
    {storage_of<T>, std::is_same_v<Tile, LargeTile>, kPacks, policy_of<Functions>, nowcell_step_backward_##suffix},
constexpr StepRow<StepBackward> kBackward[] = {NOWCELL_FOR_EACH_STEP_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW

template <class Call, std::size_t kRows>
cudaError_t run(const StepRow<Call> (&table)[kRows], const Call& call, bool packs, int columns, cudaStream_t stream) {
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

bool aligned(const Frames<const void>& frames, Storage storage) {
    return is_aligned(frames.data, frames.batch, element_bytes(storage));
}

}  // namespace

bool step_gemm_fits(const StepShape& shape, const KernelSize& kernel) {
    return kernel.height % 2 == 1 && kernel.width % 2 == 1 && kernel.height > 0 && kernel.width > 0 &&
           frame_fits(shape, 4 * static_cast<std::int64_t>(shape.filters)) && product_fits(shape);
}

cudaError_t step_forward(const StepForward& call, cudaStream_t stream) {
    const bool packs = moves_packs(call.gates) && aligned(call.h_old, call.gates.storage);
    return run(kForward, call, packs, used_forward_columns(call.gates.shape.filters), stream);
}

cudaError_t step_backward(const StepBackward& call, cudaStream_t stream) {
    const bool packs = moves_packs(call.gates) && aligned(call.d_gates_next, call.gates.storage);
    return run(kBackward, call, packs, call.gates.shape.filters, stream);
}

}  // namespace nowcell::cuda
