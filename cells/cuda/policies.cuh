// What differs between the instances of a kernel of the cell, and their names.
#pragma once

#include "cells/cuda/problem.h"
#include "cells/cuda/scalar.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace nowcell::cuda {

using Standard = StandardFunctions<Scalar>;
using Peephole = FixedFunctions<Scalar, Activation::tanh, Activation::sigmoid, true>;
using Relu = FixedFunctions<Scalar, Activation::relu, Activation::sigmoid, false>;
using Any = AnyFunctions<Scalar>;

/// `X(suffix, element type, numbers moved at once, functions)`. One by one any activation will do: such layers are
/// rare.
#define NOWCELL_FOR_EACH_CELL_KERNEL(X)          \
    X(f32, float, 4, Standard)                   \
    X(f32_peephole, float, 4, Peephole)          \
    X(f32_relu, float, 4, Relu)                  \
    X(f32_any, float, 4, Any)                    \
    X(f32_single, float, 1, Any)                 \
    X(f16, __half, 8, Standard)                  \
    X(f16_peephole, __half, 8, Peephole)         \
    X(f16_relu, __half, 8, Relu)                 \
    X(f16_any, __half, 8, Any)                   \
    X(f16_single, __half, 1, Any)                \
    X(bf16, __nv_bfloat16, 8, Standard)          \
    X(bf16_peephole, __nv_bfloat16, 8, Peephole) \
    X(bf16_relu, __nv_bfloat16, 8, Relu)         \
    X(bf16_any, __nv_bfloat16, 8, Any)           \
    X(bf16_single, __nv_bfloat16, 1, Any)

enum class Policy { standard, peephole, relu, any };

template <class Functions>
constexpr Policy policy_of = Policy::any;
template <>
inline constexpr Policy policy_of<Standard> = Policy::standard;
template <>
inline constexpr Policy policy_of<Peephole> = Policy::peephole;
template <>
inline constexpr Policy policy_of<Relu> = Policy::relu;

template <class T>
constexpr Storage storage_of = Storage::float32;
template <>
inline constexpr Storage storage_of<__half> = Storage::float16;
template <>
inline constexpr Storage storage_of<__nv_bfloat16> = Storage::bfloat16;

inline Policy policy_for(const GateRules& rules, bool packs) {
    if (!packs || rules.recurrent_activation != Activation::sigmoid) return Policy::any;
    if (rules.activation == Activation::tanh) return rules.peephole == nullptr ? Policy::standard : Policy::peephole;
    return rules.activation == Activation::relu && rules.peephole == nullptr ? Policy::relu : Policy::any;
}

template <class Functions>
__device__ __forceinline__ Functions functions_of(const GateRules& rules) {
    if constexpr (policy_of<Functions> == Policy::any) {
        return {rules.recurrent_activation, rules.activation};
    } else {
        return {};
    }
}

/// One instance of a kernel.
template <class Call>
struct KernelRow {
    Storage storage;
    bool packs;
    Policy policy;
    void (*kernel)(Call);
};

template <class Call, std::size_t kRows>
void (*kernel_of(const KernelRow<Call> (&table)[kRows], Storage storage, bool packs, Policy policy))(Call) {
    for (const KernelRow<Call>& row : table) {
        if (row.storage == storage && row.packs == packs && row.policy == policy) return row.kernel;
    }
    return nullptr;
}

}  // namespace nowcell::cuda
