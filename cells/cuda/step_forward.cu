#include "cells/cuda/step.cuh"
#include "cells/cuda/units.cuh"

namespace nowcell::cuda {
namespace {

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
    forward_units(functions, gates, c_old, peephole, c, h);
    Quad<float, kPacks>::store(spot.at<float>(a.c, filters), spot.count, c);
    Quad<T, kPacks>::store(spot.at<T>(a.h, filters), spot.count, h);
    if (a.gates.data == nullptr) return;
    T* const kept = spot.at<T>(a.gates, 4 * filters);
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) Quad<T, kPacks>::store(kept + gate * filters, spot.count, gates[gate]);
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

}  // namespace

#define NOWCELL_STEP(suffix, T, Tile, kPacks, Functions)                                                        \
    extern "C" __global__ void __launch_bounds__(Tile::kThreads) nowcell_step_forward_##suffix(StepForward a) { \
        forward<T, Tile, kPacks, Functions>(a);                                                                 \
    }
NOWCELL_FOR_EACH_STEP_KERNEL(NOWCELL_STEP)
#undef NOWCELL_STEP

bool step_gemm_fits(const StepShape& shape, const KernelSize& kernel) {
    return kernel.height % 2 == 1 && kernel.width % 2 == 1 && kernel.height > 0 && kernel.width > 0 &&
           frame_fits(shape, 4 * static_cast<std::int64_t>(shape.filters)) && product_fits(shape);
}

cudaError_t step_forward(const StepForward& call, cudaStream_t stream) {
#define NOWCELL_ROW(suffix, T, Tile, kPacks, Functions) \
    {storage_of<T>, std::is_same_v<Tile, LargeTile>, kPacks, policy_of<Functions>, nowcell_step_forward_##suffix},
    static constexpr StepRow<StepForward> kTable[] = {NOWCELL_FOR_EACH_STEP_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW
    const bool packs = moves_packs(call.gates) && in_packs(call.h_old, call.gates.storage);
    return run_step(kTable, call, packs, used_forward_columns(call.gates.shape.filters), stream);
}

}  // namespace nowcell::cuda
