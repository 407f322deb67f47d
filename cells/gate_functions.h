// The activations of a cell, as gate_math.h asks for them, on whatever a value is: `V` names the type and its
// operations, as cpu::Avx512 and cuda::Scalar do.
#pragma once

#include "cells/activation_kind.h"
#include "cells/gate_math.h"

namespace nowcell {

/// sigmoid and tanh to about 2e-7 absolute; NaN stays NaN.
template <class V>
struct Smooth {
    using Value = typename V::Value;

    // 2^x to 2e-7 relative for x up to 126; below -126 it may be any number under 2^-125.
    static NOWCELL_HOST_DEVICE Value exp2(Value x) {
        x = V::max(V::set(-126.0F), V::min(V::set(126.0F), x));
        const Value whole = V::round(x);
        const Value f = x - whole;
        Value p = V::set(1.5403530e-4F);  // Taylor coefficients of 2^f, |f| <= 1/2
        p = V::fma(p, f, V::set(1.3333558e-3F));
        p = V::fma(p, f, V::set(9.6181291e-3F));
        p = V::fma(p, f, V::set(5.5504109e-2F));
        p = V::fma(p, f, V::set(2.4022651e-1F));
        p = V::fma(p, f, V::set(6.9314718e-1F));
        p = V::fma(p, f, V::set(1.0F));
        return V::scale(p, whole);
    }
    static NOWCELL_HOST_DEVICE Value sigmoid(Value x) {
        return V::reciprocal(V::set(1.0F) + exp2(x * V::set(-1.44269504F)));
    }
    static NOWCELL_HOST_DEVICE Value tanh(Value x) {
        return V::fma(V::set(2.0F), V::reciprocal(V::set(1.0F) + exp2(x * V::set(-2.88539008F))), V::set(-1.0F));
    }
};

/// Each activation and its gradient.
template <class V>
struct ActivationOf {
    using Value = typename V::Value;

    template <Activation kFunction>
    static NOWCELL_HOST_DEVICE Value apply(Value x) {
        if constexpr (kFunction == Activation::tanh) return Smooth<V>::tanh(x);
        if constexpr (kFunction == Activation::sigmoid) return Smooth<V>::sigmoid(x);
        if constexpr (kFunction == Activation::relu) return V::max(V::zero(), x);
        if constexpr (kFunction == Activation::hard_sigmoid) return clipped(1.0F / 6.0F, x);
        if constexpr (kFunction == Activation::hard_sigmoid_keras2) return clipped(0.2F, x);
        return x;
    }
    /// Of x, from that of the result y and y itself.
    template <Activation kFunction>
    static NOWCELL_HOST_DEVICE Value gradient(Value d, Value y) {
        if constexpr (kFunction == Activation::tanh) return d - d * (y * y);
        if constexpr (kFunction == Activation::sigmoid) return d * (y - y * y);
        if constexpr (kFunction == Activation::relu) return V::between(d, y, V::set(__builtin_inff()));
        if constexpr (kFunction == Activation::hard_sigmoid) {
            return V::between(d, y, V::set(1.0F)) * V::set(1.0F / 6.0F);
        }
        if constexpr (kFunction == Activation::hard_sigmoid_keras2) {
            return V::between(d, y, V::set(1.0F)) * V::set(0.2F);
        }
        return d;
    }

    static NOWCELL_ON_DEVICE_TOO inline Value apply(Activation function, Value x) {
        switch (function) {
            case Activation::linear: return x;
            case Activation::tanh: return apply<Activation::tanh>(x);
            case Activation::sigmoid: return apply<Activation::sigmoid>(x);
            case Activation::relu: return apply<Activation::relu>(x);
            case Activation::hard_sigmoid: return apply<Activation::hard_sigmoid>(x);
            case Activation::hard_sigmoid_keras2: return apply<Activation::hard_sigmoid_keras2>(x);
        }
        return x;
    }
    static NOWCELL_ON_DEVICE_TOO inline Value gradient(Activation function, Value d, Value y) {
        switch (function) {
            case Activation::linear: return d;
            case Activation::tanh: return gradient<Activation::tanh>(d, y);
            case Activation::sigmoid: return gradient<Activation::sigmoid>(d, y);
            case Activation::relu: return gradient<Activation::relu>(d, y);
            case Activation::hard_sigmoid: return gradient<Activation::hard_sigmoid>(d, y);
            case Activation::hard_sigmoid_keras2: return gradient<Activation::hard_sigmoid_keras2>(d, y);
        }
        return d;
    }

 private:
    static NOWCELL_HOST_DEVICE Value clipped(float slope, Value x) {
        return V::max(V::zero(), V::min(V::set(1.0F), V::fma(V::set(slope), x, V::set(0.5F))));
    }
};

/// Two activations known to the compiler.
template <class V, Activation kState, Activation kRecurrent, bool kWithPeephole>
struct FixedFunctions {
    using Value = typename V::Value;
    static constexpr bool kPeephole = kWithPeephole;
    NOWCELL_HOST_DEVICE Value gate(Value x) const { return ActivationOf<V>::template apply<kRecurrent>(x); }
    NOWCELL_HOST_DEVICE Value state(Value x) const { return ActivationOf<V>::template apply<kState>(x); }
    NOWCELL_HOST_DEVICE Value gate_gradient(Value d, Value y) const {
        return ActivationOf<V>::template gradient<kRecurrent>(d, y);
    }
    NOWCELL_HOST_DEVICE Value state_gradient(Value d, Value y) const {
        return ActivationOf<V>::template gradient<kState>(d, y);
    }
};

/// tanh and sigmoid without peepholes: what nearly every model uses.
template <class V>
using StandardFunctions = FixedFunctions<V, Activation::tanh, Activation::sigmoid, false>;

/// Any two activations, chosen at run time.
template <class V>
struct AnyFunctions {
    using Value = typename V::Value;
    static constexpr bool kPeephole = true;
    Activation recurrent, activation;

    NOWCELL_HOST_DEVICE Value gate(Value x) const { return ActivationOf<V>::apply(recurrent, x); }
    NOWCELL_HOST_DEVICE Value state(Value x) const { return ActivationOf<V>::apply(activation, x); }
    NOWCELL_HOST_DEVICE Value gate_gradient(Value d, Value y) const {
        return ActivationOf<V>::gradient(recurrent, d, y);
    }
    NOWCELL_HOST_DEVICE Value state_gradient(Value d, Value y) const {
        return ActivationOf<V>::gradient(activation, d, y);
    }
};

}  // namespace nowcell
