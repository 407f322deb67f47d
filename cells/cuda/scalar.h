// A float on the device and on the host, with the operations that gate_functions.h asks for.
#pragma once

#include "cells/gate_functions.h"

#include <cmath>

namespace nowcell::cuda {

struct Scalar {
    using Value = float;

    static NOWCELL_HOST_DEVICE Value zero() { return 0.0F; }
    static NOWCELL_HOST_DEVICE Value set(float x) { return x; }
    static NOWCELL_HOST_DEVICE Value fma(Value a, Value b, Value c) { return fmaf(a, b, c); }
    // NaN in b stays.
    static NOWCELL_HOST_DEVICE Value min(Value a, Value b) { return a < b ? a : b; }
    static NOWCELL_HOST_DEVICE Value max(Value a, Value b) { return a > b ? a : b; }
    static NOWCELL_HOST_DEVICE Value between(Value x, Value y, Value top) { return y > 0.0F && y < top ? x : 0.0F; }
};

}  // namespace nowcell::cuda

namespace nowcell {

/// The device has instructions for these: ex2 and rcp, each to 2 units in the last place.
template <>
struct Smooth<cuda::Scalar> {
    // 1 / (1 + 2^x); exact at both infinities.
    static NOWCELL_HOST_DEVICE float logistic2(float x) {
#ifdef __CUDA_ARCH__
        return __fdividef(1.0F, 1.0F + exp2f(x));
#else
        return 1.0F / (1.0F + exp2f(x));
#endif
    }
    static NOWCELL_HOST_DEVICE float sigmoid(float x) { return logistic2(-1.44269504F * x); }
    static NOWCELL_HOST_DEVICE float tanh(float x) { return fmaf(2.0F, logistic2(-2.88539008F * x), -1.0F); }
};

}  // namespace nowcell
