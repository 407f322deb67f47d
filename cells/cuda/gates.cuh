// The forward gates as a device function of where their pre-activations come from, and the choice of an instance.
#pragma once

#include "cells/cuda/gates.h"
#include "cells/cuda/launch.h"
#include "cells/cuda/memory.cuh"
#include "cells/cuda/policies.cuh"
#include "cells/cuda/units.cuh"

namespace nowcell::cuda {

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

// Of N channels from channel on; zeros where the layer has none. Whole warps call it.
template <class Functions, int N>
__device__ __forceinline__ void load_peephole(const GateRules& rules, const StepShape& shape, const Place<N>& place,
                                              const LanePair& pair, float (&weights)[3][N]) {
    const auto filters = static_cast<uint32_t>(shape.filters);
#pragma unroll
    for (int gate = 0; gate < 3; ++gate) {
#pragma unroll
        for (int i = 0; i < N; ++i) weights[gate][i] = 0.0F;
        if constexpr (Functions::kPeephole) {
            if (rules.peephole == nullptr) continue;
            if (rules.pixel_peephole) {
                const std::size_t plane = static_cast<std::size_t>(shape.height * shape.width) * filters;
                load_floats(rules.peephole + gate * plane + place.state(filters), pair, weights[gate]);
            } else if (pair.mine()) {
                add_floats(rules.peephole + gate * filters + place.channel, weights[gate]);
            }
        }
    }
}

// As they are: the sum of both convolutions.
template <class T, int N>
struct PlainGates {
    const GatesForward& a;
    const T *input = nullptr, *hidden = nullptr;

    explicit __device__ PlainGates(const GatesForward& call) : a(call) {}
    __device__ __forceinline__ void enter(uint32_t b) {
        input = static_cast<const T*>(a.input.data) + b * a.input.batch;
        hidden = static_cast<const T*>(a.hidden.data) + b * a.hidden.batch;
    }
    __device__ __forceinline__ void load(uint32_t from, bool mine, float (&x)[N]) const {
        if (!mine) return;
        Access<T, N>::load(input + from, x);
        if (a.hidden.data != nullptr) add<T, N>(hidden + from, x);
    }
};

// `source` knows where pre-activations come from: enter(b) before a frame, load(from, mine, x) of the pack that begins
// at number `from` of the frame; whole warps call both, x is zeros before.
template <class T, int N, class Functions, class Source>
__device__ __forceinline__ void gates_forward_body(const GatesForward& a, Source source) {
    const auto filters = static_cast<uint32_t>(a.shape.filters);
    const uint32_t items = static_cast<uint32_t>(a.shape.height * a.shape.width) * (filters / N);
    const Functions functions = functions_of<Functions>(a.rules);
    for (uint32_t b = blockIdx.y; b < static_cast<uint32_t>(a.shape.batch); b += gridDim.y) {
        source.enter(b);
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
            load_peephole<Functions>(a.rules, a.shape, place, pair, peephole);
#pragma unroll
            for (uint32_t gate = 0; gate < 4; ++gate) {
                source.load(place.gate(filters) + gate * filters, mine, gates[gate]);
            }
            if (mine) {
#pragma unroll
                for (uint32_t gate = 0; gate < 4; ++gate) {
                    if (a.bias != nullptr) add_floats(a.bias + gate * filters + place.channel, gates[gate]);
                }
                forward_units(functions, gates, c_old, peephole, c, h);
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

/// One item per pack of F in every frame.
template <class Argument>
cudaError_t launch_gates(void (*kernel)(Argument), const Argument& argument, const StepShape& shape, int width,
                         cudaStream_t stream) {
    if (!frame_fits(shape, 4 * static_cast<std::int64_t>(shape.filters))) return cudaErrorInvalidValue;
    DeviceLimits limits;
    if (const cudaError_t error = device_limits(limits); error != cudaSuccess) return error;
    return launch(kernel, plan_stream(limits, shape.pixels() * (shape.filters / width), shape.batch), argument, stream);
}

}  // namespace nowcell::cuda
