// The activations of a cell on vectors of floats, as gate_math.h asks for them.
#pragma once

#include "cells/activation_kind.h"

namespace nowcell::cpu {

/// sigmoid and tanh to about 2e-7 absolute; NaN stays NaN. `V` is the vector interface (Avx512).
template <class V>
struct Smooth {
    using Value = typename V::Value;

    // 2^x to 2e-7 relative for x up to 126; below -126 it may be any number under 2^-125.
    static inline __attribute__((always_inline)) Value exp2(Value x) {
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
    static inline __attribute__((always_inline)) Value sigmoid(Value x) {
        return V::reciprocal(V::set(1.0F) + exp2(x * V::set(-1.44269504F)));
    }
    static inline __attribute__((always_inline)) Value tanh(Value x) {
        return V::fma(V::set(2.0F), V::reciprocal(V::set(1.0F) + exp2(x * V::set(-2.88539008F))), V::set(-1.0F));
    }
};

/// tanh and sigmoid without peepholes: what nearly every model uses.
template <class V>
struct StandardFunctions {
    using Value = typename V::Value;
    static constexpr bool kPeephole = false;
    inline __attribute__((always_inline)) Value gate(Value x) const { return Smooth<V>::sigmoid(x); }
    inline __attribute__((always_inline)) Value state(Value x) const { return Smooth<V>::tanh(x); }
    inline __attribute__((always_inline)) Value gate_gradient(Value d, Value y) const { return d * (y - y * y); }
    inline __attribute__((always_inline)) Value state_gradient(Value d, Value y) const { return d - d * (y * y); }
};

/// Any two activations, chosen at run time.
template <class V>
struct AnyFunctions {
    using Value = typename V::Value;
    static constexpr bool kPeephole = true;
    Activation recurrent, activation;

    inline __attribute__((always_inline)) Value gate(Value x) const { return apply(recurrent, x); }
    inline __attribute__((always_inline)) Value state(Value x) const { return apply(activation, x); }
    inline __attribute__((always_inline)) Value gate_gradient(Value d, Value y) const {
        return gradient(recurrent, d, y);
    }
    inline __attribute__((always_inline)) Value state_gradient(Value d, Value y) const {
        return gradient(activation, d, y);
    }

 private:
    static inline Value clipped(float slope, Value x) {
        return V::max(V::zero(), V::min(V::set(1.0F), V::fma(V::set(slope), x, V::set(0.5F))));
    }
    static Value apply(Activation function, Value x) {
        switch (function) {
            case Activation::linear: return x;
            case Activation::tanh: return Smooth<V>::tanh(x);
            case Activation::sigmoid: return Smooth<V>::sigmoid(x);
            case Activation::relu: return V::max(V::zero(), x);
            case Activation::hard_sigmoid: return clipped(1.0F / 6.0F, x);
            case Activation::hard_sigmoid_keras2: return clipped(0.2F, x);
        }
        return x;
    }
    static Value gradient(Activation function, Value d, Value y) {
        switch (function) {
            case Activation::linear: return d;
            case Activation::tanh: return d - d * (y * y);
            case Activation::sigmoid: return d * (y - y * y);
            case Activation::relu: return V::between(d, y, V::set(__builtin_inff()));
            case Activation::hard_sigmoid: return V::between(d, y, V::set(1.0F)) * V::set(1.0F / 6.0F);
            case Activation::hard_sigmoid_keras2: return V::between(d, y, V::set(1.0F)) * V::set(0.2F);
        }
        return d;
    }
};

}  // namespace nowcell::cpu
