// The units of one thread: gate_math.h over N neighbouring channels of a pixel.
#pragma once

#include "cells/gate_math.h"

namespace nowcell::cuda {

/// gates: before their activations, behind them afterwards; i, f, g, o. peephole: i, f, o.
template <int N, class Functions>
__device__ __forceinline__ void forward_units(const Functions& functions, float (&gates)[4][N], const float (&c_old)[N],
                                              const float (&peephole)[3][N], float (&c)[N], float (&h)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const LstmUnit<float> unit =
            lstm_forward(functions, LstmGates<float>{gates[0][i], gates[1][i], gates[2][i], gates[3][i]}, c_old[i],
                         LstmPeephole<float>{peephole[0][i], peephole[1][i], peephole[2][i]});
        gates[0][i] = unit.gates.i, gates[1][i] = unit.gates.f;
        gates[2][i] = unit.gates.g, gates[3][i] = unit.gates.o;
        c[i] = unit.c, h[i] = unit.h;
    }
}

/// gates: behind their activations; their gradients before these afterwards. d_c: of the new c; of the old one
/// afterwards.
template <int N, class Functions>
__device__ __forceinline__ void backward_units(const Functions& functions, float (&gates)[4][N],
                                               const float (&c_old)[N], const float (&c)[N], const float (&d_h)[N],
                                               const float (&peephole)[3][N], float (&d_c)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const LstmGradients<float> d =
            lstm_backward(functions, LstmGates<float>{gates[0][i], gates[1][i], gates[2][i], gates[3][i]}, c_old[i],
                          c[i], d_h[i], d_c[i], LstmPeephole<float>{peephole[0][i], peephole[1][i], peephole[2][i]});
        gates[0][i] = d.gates.i, gates[1][i] = d.gates.f;
        gates[2][i] = d.gates.g, gates[3][i] = d.gates.o;
        d_c[i] = d.c_old;
    }
}

}  // namespace nowcell::cuda
