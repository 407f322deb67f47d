// One unit of an LSTM, forward and backward: the mathematics of every kernel, whatever a value is.
// `Value` is float or a vector of floats with the arithmetic operators. `Functions` has
//     kPeephole: whether the old and new c reach the gates
//     gate(x), state(x): the recurrent activation (of i, f, o) and the activation (of g and of c)
//     gate_gradient(d, y), state_gradient(d, y): the gradient of x from that of y, and y itself
#pragma once

#ifdef __CUDACC__
#define NOWCELL_ON_DEVICE_TOO __host__ __device__
#define NOWCELL_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define NOWCELL_ON_DEVICE_TOO
#define NOWCELL_HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace nowcell {

/// A value for each gate of a unit.
template <class Value>
struct LstmGates {
    Value i, f, g, o;
};

/// Peephole weights of a unit; zeros where there are none.
template <class Value>
struct LstmPeephole {
    Value i, f, o;
};

template <class Value>
struct LstmUnit {
    LstmGates<Value> gates;  ///< behind their activations
    Value c, h;
};

/// gates: before their activations. peephole: read if Functions::kPeephole.
/// Source: Shi et al. 2015, equation 3; without peepholes Keras.
template <class Functions, class Value>
NOWCELL_HOST_DEVICE LstmUnit<Value> lstm_forward(const Functions& functions, LstmGates<Value> gates, Value c_old,
                                                 const LstmPeephole<Value>& peephole) {
    if constexpr (Functions::kPeephole) {
        gates.i = gates.i + peephole.i * c_old;
        gates.f = gates.f + peephole.f * c_old;
    }
    LstmUnit<Value> unit;
    unit.gates.i = functions.gate(gates.i);
    unit.gates.f = functions.gate(gates.f);
    unit.gates.g = functions.state(gates.g);
    unit.c = unit.gates.f * c_old + unit.gates.i * unit.gates.g;
    if constexpr (Functions::kPeephole) gates.o = gates.o + peephole.o * unit.c;
    unit.gates.o = functions.gate(gates.o);
    unit.h = unit.gates.o * functions.state(unit.c);
    return unit;
}

/// Gradients of one unit.
template <class Value>
struct LstmGradients {
    LstmGates<Value> gates;  ///< of the gates before their activations
    Value c_old;
};

/// gates: behind their activations. d_h, d_c: gradients of the new h and c.
template <class Functions, class Value>
NOWCELL_HOST_DEVICE LstmGradients<Value> lstm_backward(const Functions& functions, const LstmGates<Value>& gates,
                                                       Value c_old, Value c, Value d_h, Value d_c,
                                                       const LstmPeephole<Value>& peephole) {
    const Value out = functions.state(c);
    LstmGradients<Value> d;
    d.gates.o = functions.gate_gradient(d_h * out, gates.o);
    d_c = d_c + functions.state_gradient(d_h * gates.o, out);
    if constexpr (Functions::kPeephole) d_c = d_c + d.gates.o * peephole.o;
    d.gates.i = functions.gate_gradient(d_c * gates.g, gates.i);
    d.gates.g = functions.state_gradient(d_c * gates.i, gates.g);
    d.gates.f = functions.gate_gradient(d_c * c_old, gates.f);
    d.c_old = d_c * gates.f;
    if constexpr (Functions::kPeephole) d.c_old = d.c_old + d.gates.i * peephole.i + d.gates.f * peephole.f;
    return d;
}

}  // namespace nowcell
