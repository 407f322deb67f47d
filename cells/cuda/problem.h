// What the CUDA kernels are told about a layer; no torch, no CUDA.
#pragma once

#include "cells/activation_kind.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace nowcell::cuda {

/// How numbers of x, h, weights and gates lie in memory. Cell states, their gradients and all sums are float32.
enum class Storage { float32, float16, bfloat16 };

constexpr std::size_t element_bytes(Storage storage) { return storage == Storage::float32 ? 4 : 2; }

/// Frames (B,H,W,channels), one per item of the batch: channels last, no gaps inside a frame. T: float, or void for
/// numbers of the call's Storage.
template <class T>
struct Frames {
    T* data = nullptr;       ///< null: zeros, or not wanted
    std::int64_t batch = 0;  ///< elements from item to item

    Frames() = default;
    Frames(T* first, std::int64_t from_item_to_item) : data(first), batch(from_item_to_item) {}
    /// Of what may be written, to what may be read alone.
    template <class U, class = std::enable_if_t<!std::is_same_v<U, T> && std::is_convertible_v<U*, T*>>>
    Frames(const Frames<U>& other) : data(other.data), batch(other.batch) {}
    explicit operator bool() const { return data != nullptr; }
};

/// The frames of one step of a layer with F = filters.
struct StepShape {
    int batch = 0, height = 0, width = 0, filters = 0;

    std::int64_t pixels() const { return static_cast<std::int64_t>(height) * width; }  ///< of one frame
};

/// What the gates do; peephole weights (3,H*W or 1,F), i, f, o, float32.
struct GateRules {
    Activation activation = Activation::tanh;               ///< of g and of c
    Activation recurrent_activation = Activation::sigmoid;  ///< of i, f, o
    const float* peephole = nullptr;                        ///< null: none
    bool pixel_peephole = false;                            ///< one for each pixel
};

}  // namespace nowcell::cuda
