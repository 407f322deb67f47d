#include "cells/cuda/gates.h"

#include "cells/cuda/launch.h"
#include "cells/cuda/memory.cuh"
#include "cells/cuda/policies.cuh"

namespace nowcell::cuda {
namespace {

// Where the pack of a lane lies: its pixel and first channel in the frame.
template <int N>
struct Place {
    uint32_t pixel, channel;

    __device__ __forceinline__ Place(uint32_t item, uint32_t filters) {
        const uint32_t packs = filters / N;
        pixel = item / packs;
        channel = (item - pixel * packs) * N;
    }
    __device__ __forceinline__ uint32_t state(uint32_t filters) const { return pixel * filters + channel; }
    __device__ __forceinline__ uint32_t gate(uint32_t filters) const { return pixel * 4 * filters + channel; }
};

template <class T, int N>
__device__ __forceinline__ void add(const T* p, float (&sum)[N]) {
    float v[N];
    Access<T, N>::load(p, v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] += v[i];
}

__device__ __forceinline__ void add_floats(const float* p, float (&sum)[1]) { sum[0] += *p; }
template <int N>
__device__ __forceinline__ void add_floats(const float* p, float (&sum)[N]) {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
        const float4 v = *reinterpret_cast<const float4*>(p + i);
        sum[i] += v.x, sum[i + 1] += v.y, sum[i + 2] += v.z, sum[i + 3] += v.w;
    }
}

// Of N channels from channel on; zeros where the layer has none.
template <class Functions, int N>
__device__ __forceinline__ void load_peephole(const GateRules& rules, const StepShape& shape, const Place<N>& place,
                                              float (&weights)[3][N]) {
#pragma unroll
    for (int gate = 0; gate < 3; ++gate) {
#pragma unroll
        for (int i = 0; i < N; ++i) weights[gate][i] = 0.0F;
        if constexpr (Functions::kPeephole) {
            if (rules.peephole == nullptr) continue;
            const auto filters = static_cast<uint32_t>(shape.filters);
            const uint32_t pixels = rules.pixel_peephole ? static_cast<uint32_t>(shape.height * shape.width) : 1U;
            const uint32_t at = rules.pixel_peephole ? place.state(filters) : place.channel;
            add_floats(rules.peephole + static_cast<std::size_t>(gate) * pixels * filters + at, weights[gate]);
        }
    }
}

template <class T, int N, class Functions>
__device__ __forceinline__ void forward(const GatesForward& a) {
    const auto filters = static_cast<uint32_t>(a.shape.filters);
    const uint32_t items = static_cast<uint32_t>(a.shape.height * a.shape.width) * (filters / N);
    const Functions functions = functions_of<Functions>(a.rules);
    for (uint32_t b = blockIdx.y; b < static_cast<uint32_t>(a.shape.batch); b += gridDim.y) {
        const T* const input = static_cast<const T*>(a.input.data) + b * a.input.batch;
        const T* const hidden = static_cast<const T*>(a.hidden.data) + b * a.hidden.batch;
        // Whole warps stay together: neighbours swap halves of c.
        for (uint32_t first = blockIdx.x * blockDim.x; first < items; first += gridDim.x * blockDim.x) {
            const uint32_t item = first + threadIdx.x;
            const bool mine = item < items;
            const LanePair pair(mine);
            const Place<N> place(item, filters);
            const uint32_t at = place.state(filters);
            float c_old[N] = {};
            if (a.c_old.data != nullptr) load_floats(a.c_old.data + b * a.c_old.batch + at, pair, c_old);
            float gates[4][N] = {}, c[N] = {}, h[N], peephole[3][N];
            if (mine) {
#pragma unroll
                for (uint32_t gate = 0; gate < 4; ++gate) {
                    const uint32_t from = place.gate(filters) + gate * filters;
                    Access<T, N>::load(input + from, gates[gate]);
                    if (a.hidden.data != nullptr) add<T, N>(hidden + from, gates[gate]);
                    if (a.bias != nullptr) add_floats(a.bias + gate * filters + place.channel, gates[gate]);
                }
                load_peephole<Functions>(a.rules, a.shape, place, peephole);
#pragma unroll
                for (int i = 0; i < N; ++i) {
                    const LstmUnit<float> unit =
                        lstm_forward(functions, LstmGates<float>{gates[0][i], gates[1][i], gates[2][i], gates[3][i]},
                                     c_old[i], LstmPeephole<float>{peephole[0][i], peephole[1][i], peephole[2][i]});
                    gates[0][i] = unit.gates.i, gates[1][i] = unit.gates.f;
                    gates[2][i] = unit.gates.g, gates[3][i] = unit.gates.o;
                    c[i] = unit.c, h[i] = unit.h;
                }
                Access<T, N>::store(static_cast<T*>(a.h.data) + b * a.h.batch + at, h);
                if (a.gates.data != nullptr) {
                    T* const kept = static_cast<T*>(a.gates.data) + b * a.gates.batch + place.gate(filters);
#pragma unroll
                    for (uint32_t gate = 0; gate < 4; ++gate) Access<T, N>::store(kept + gate * filters, gates[gate]);
                }
            }
            store_floats(a.c.data + b * a.c.batch + at, pair, c);
        }
    }
}

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
            float c_old[N] = {}, c[N], d_c[N] = {};
            load_floats(a.c.data + b * a.c.batch + at, pair, c);
            if (a.c_old.data != nullptr) load_floats(a.c_old.data + b * a.c_old.batch + at, pair, c_old);
            if (a.d_c.data != nullptr) load_floats(a.d_c.data + b * a.d_c.batch + at, pair, d_c);
            if (mine) {
                float gates[4][N], d_h[N] = {}, peephole[3][N];
#pragma unroll
                for (uint32_t gate = 0; gate < 4; ++gate) {
                    Access<T, N>::load(saved + place.gate(filters) + gate * filters, gates[gate]);
                }
                if (a.d_out.data != nullptr)
                    add<T, N>(static_cast<const T*>(a.d_out.data) + b * a.d_out.batch + at, d_h);
                if (a.d_h.data != nullptr) add<T, N>(static_cast<const T*>(a.d_h.data) + b * a.d_h.batch + at, d_h);
                load_peephole<Functions>(a.rules, a.shape, place, peephole);
#pragma unroll
                for (int i = 0; i < N; ++i) {
                    const LstmGradients<float> d = lstm_backward(
                        functions, LstmGates<float>{gates[0][i], gates[1][i], gates[2][i], gates[3][i]}, c_old[i], c[i],
                        d_h[i], d_c[i], LstmPeephole<float>{peephole[0][i], peephole[1][i], peephole[2][i]});
                    gates[0][i] = d.gates.i, gates[1][i] = d.gates.f;
                    gates[2][i] = d.gates.g, gates[3][i] = d.gates.o;
                    d_c[i] = d.c_old;
                }
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
        forward<T, N, Functions>(a);                                               \
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
    if (!frame_fits(call.shape, 4 * static_cast<std::int64_t>(call.shape.filters))) return cudaErrorInvalidValue;
    DeviceLimits limits;
    if (const cudaError_t error = device_limits(limits); error != cudaSuccess) return error;
    const int width = packs ? static_cast<int>(16 / element_bytes(call.storage)) : 1;
    const Launch plan = plan_stream(limits, call.shape.pixels() * (call.shape.filters / width), call.shape.batch);
    return launch(kernel_of(table, call.storage, packs, policy_for(call.rules, packs)), plan, call, stream);
}

bool in_packs(const Frames<const void>& f, Storage s) { return !f || is_aligned(f.data, f.batch, element_bytes(s)); }
bool in_packs(const Frames<const float>& f) { return !f || is_aligned(f.data, f.batch, sizeof(float)); }
bool in_packs(const float* p) { return is_aligned(p, 0, sizeof(float)); }

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
