#include "cells/cuda/step.cuh"
#include "cells/cuda/units.cuh"

namespace nowcell::cuda {
namespace {

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
    backward_units(functions, gates, c_old, c, d_h, peephole, d_c);
    Quad<float, kPacks>::store(spot.at<float>(a.d_c_old, filters), spot.count, d_c);
    T* const out = spot.at<T>(a.d_gates, 4 * filters);
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) Quad<T, kPacks>::store(out + gate * filters, spot.count, gates[gate]);
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

}  // namespace

#define NOWCELL_STEP(suffix, T, Tile, kPacks, Functions)                                                          \
    extern "C" __global__ void __launch_bounds__(Tile::kThreads) nowcell_step_backward_##suffix(StepBackward a) { \
        backward<T, Tile, kPacks, Functions>(a);                                                                  \
    }
NOWCELL_FOR_EACH_STEP_KERNEL(NOWCELL_STEP)
#undef NOWCELL_STEP

cudaError_t step_backward(const StepBackward& call, cudaStream_t stream) {
#define NOWCELL_ROW(suffix, T, Tile, kPacks, Functions) \
    {storage_of<T>, std::is_same_v<Tile, LargeTile>, kPacks, policy_of<Functions>, nowcell_step_backward_##suffix},
    static constexpr StepRow<StepBackward> kTable[] = {NOWCELL_FOR_EACH_STEP_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW
    const bool packs = moves_packs(call.gates) && in_packs(call.d_gates_next, call.gates.storage);
    return run_step(kTable, call, packs, call.gates.shape.filters, stream);
}

}  // namespace nowcell::cuda
