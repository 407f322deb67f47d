#include "cells/cuda/gates.cuh"
#include "cells/cuda/units.cuh"

namespace nowcell::cuda {
namespace {

template <class T, int N, class Functions>
__device__ __forceinline__ void backward(const GatesBackward& a) {
    const auto filters = static_cast<uint32_t>(a.shape.filters);
    const uint32_t items = static_cast<uint32_t>(a.shape.height * a.shape.width) * (filters / N);
    const Functions functions = functions_of<Functions>(a.rules);
    for (uint32_t b = blockIdx.y; b < static_cast<uint32_t>(a.shape.batch); b += gridDim.y) {
        const T* const saved = static_cast<const T*>(a.gates.data) + b * a.gates.batch;
        for (uint32_t first = blockIdx.x * blockDim.x; first < items; first += gridDim.x * blockDim.x) {
            const uint32_t item = first + threadIdx.x;
            const bool mine = item < items;
            const LanePair pair(mine);
            const Place<N> place(item, filters);
            const uint32_t at = place.state(filters);
            float c_old[N] = {}, c[N], d_c[N] = {}, peephole[3][N];
            load_floats(a.c.data + b * a.c.batch + at, pair, c);
            if (a.c_old.data != nullptr) load_floats(a.c_old.data + b * a.c_old.batch + at, pair, c_old);
            if (a.d_c.data != nullptr) load_floats(a.d_c.data + b * a.d_c.batch + at, pair, d_c);
            load_peephole<Functions>(a.rules, a.shape, place, pair, peephole);
            if (mine) {
                float gates[4][N], d_h[N] = {};
#pragma unroll
                for (uint32_t gate = 0; gate < 4; ++gate) {
                    Access<T, N>::load(saved + place.gate(filters) + gate * filters, gates[gate]);
                }
                if (a.d_out.data != nullptr)
                    add<T, N>(static_cast<const T*>(a.d_out.data) + b * a.d_out.batch + at, d_h);
                if (a.d_h.data != nullptr) add<T, N>(static_cast<const T*>(a.d_h.data) + b * a.d_h.batch + at, d_h);
                backward_units(functions, gates, c_old, c, d_h, peephole, d_c);
                T* const out = static_cast<T*>(a.d_gates.data) + b * a.d_gates.batch + place.gate(filters);
#pragma unroll
                for (uint32_t gate = 0; gate < 4; ++gate) Access<T, N>::store(out + gate * filters, gates[gate]);
            }
            store_floats(a.d_c_old.data + b * a.d_c_old.batch + at, pair, d_c);
        }
    }
}

}  // namespace

#define NOWCELL_GATES(suffix, T, N, Functions)                                     \
    extern "C" __global__ void __launch_bounds__(kStreamThreads, kStreamBlocks<N>) \
        nowcell_gates_forward_##suffix(GatesForward a) {                           \
        gates_forward_body<T, N, Functions>(a, PlainGates<T, N>(a));               \
    }                                                                              \
    extern "C" __global__ void __launch_bounds__(kStreamThreads, kStreamBlocks<N>) \
        nowcell_gates_backward_##suffix(GatesBackward a) {                         \
        backward<T, N, Functions>(a);                                              \
    }
NOWCELL_FOR_EACH_CELL_KERNEL(NOWCELL_GATES)
#undef NOWCELL_GATES

namespace {

#define NOWCELL_ROW(suffix, T, N, Functions) \
    {storage_of<T>, N > 1, policy_of<Functions>, nowcell_gates_forward_##suffix},
constexpr KernelRow<GatesForward> kForward[] = {NOWCELL_FOR_EACH_CELL_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW
#define NOWCELL_ROW(suffix, T, N, Functions) \
    {storage_of<T>, N > 1, policy_of<Functions>, nowcell_gates_backward_##suffix},
constexpr KernelRow<GatesBackward> kBackward[] = {NOWCELL_FOR_EACH_CELL_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW

template <class Call, std::size_t kRows>
cudaError_t run(const KernelRow<Call> (&table)[kRows], const Call& call, bool packs, cudaStream_t stream) {
    return launch_gates(kernel_of(table, call.storage, packs, policy_for(call.rules, packs)), call, call.shape,
                        pack_width(call.storage, packs), stream);
}

}  // namespace

bool moves_packs(const GatesForward& a) {
    return moves_packs(a.storage, a.shape.filters) && in_packs(a.input, a.storage) && in_packs(a.hidden, a.storage) &&
           in_packs(a.h, a.storage) && in_packs(a.gates, a.storage) && in_packs(a.c_old) && in_packs(a.c) &&
           in_packs(a.bias) && in_packs(a.rules.peephole);
}

bool moves_packs(const GatesBackward& a) {
    return moves_packs(a.storage, a.shape.filters) && in_packs(a.gates, a.storage) && in_packs(a.d_out, a.storage) &&
           in_packs(a.d_h, a.storage) && in_packs(a.d_gates, a.storage) && in_packs(a.c_old) && in_packs(a.c) &&
           in_packs(a.d_c) && in_packs(a.d_c_old) && in_packs(a.rules.peephole);
}

cudaError_t gates_forward(const GatesForward& call, cudaStream_t stream) {
    return run(kForward, call, moves_packs(call), stream);
}

cudaError_t gates_backward(const GatesBackward& call, cudaStream_t stream) {
    return run(kBackward, call, moves_packs(call), stream);
}

}  // namespace nowcell::cuda
