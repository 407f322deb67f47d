// What the vector kernels are given and what they offer; no torch, raw pointers and sizes.
// Frames are channels last. K = F + C channels, hidden state first, are what a step's convolution reads.
#pragma once

#include "cells/activation_kind.h"

#include <cstddef>

namespace nowcell::cpu {

/// One frame per batch item: pixel (y,x) of item b at data + b * batch + y * row + x * depth.
template <class Value>
struct BasicFrame {
    Value* data = nullptr;
    std::ptrdiff_t batch = 0, row = 0;
    int depth = 0;

    explicit operator bool() const { return data != nullptr; }
    Value* at(int b, int y, int x) const { return data + b * batch + y * row + static_cast<std::ptrdiff_t>(x) * depth; }
    operator BasicFrame<const Value>() const { return {data, batch, row, depth}; }
};
using Frame = BasicFrame<float>;
using ConstFrame = BasicFrame<const float>;

/// Half open.
struct Range {
    int begin = 0, end = 0;
};

/// A layer at one size of frame, and its weights as the kernels read them.
struct Layer {
    int batch = 0, height = 0, width = 0, channels = 0, filters = 0, kernel = 0;
    Activation activation = Activation::tanh;
    Activation recurrent_activation = Activation::sigmoid;
    bool standard = true;               ///< tanh and sigmoid, no peephole, nothing kept of old states
    int block = 0;                      ///< rows of a product in the forward pass (Winograd: tiles)
    int gradient_block = 0;             ///< the same in the backward pass
    std::ptrdiff_t peephole_pixel = 0;  ///< from pixel to pixel: F, or 0 where all pixels share it

    const float* forward_weights = nullptr;
    const float* backward_weights = nullptr;
    const float* bias = nullptr;      ///< in the order of the columns
    const float* peephole = nullptr;  ///< (3,H*W or 1,F) or null

    int depth() const { return channels + filters; }
    int pixels() const { return height * width; }
};

/// The tensors of the cell, contiguous as torch has them; null where there is none.
struct Weights {
    const float* input = nullptr;   ///< (4F,C,k,k)
    const float* hidden = nullptr;  ///< (4F,F,k,k)
    const float* bias = nullptr;    ///< (4F)
};

/// Their gradients, written.
struct WeightGradients {
    float* input = nullptr;
    float* hidden = nullptr;
};

/// Frames of one step; null where there are zeros or nothing is wanted.
struct ForwardStep {
    ConstFrame x, h_old, c_old;
    Frame h, c, gates;
    Frame h_copy;                   ///< h again, with a border of zeros around it
    bool stream_gates = false;      ///< they are not read again soon
    const float* keep_h = nullptr;  ///< (B) shares of the old state that are kept
    const float* keep_c = nullptr;
};

struct BackwardStep {
    ConstFrame x, h_old, c_old, c, gates;
    ConstFrame d_out;  ///< gradient of the step's output
    Frame d_h, d_c;    ///< of the new state; of the old one afterwards
    Frame d_gates;     ///< 4F, before their activations
    Frame d_x;
    const float* keep_h = nullptr;
    const float* keep_c = nullptr;
    bool weights = true;  ///< whether weight gradients are wanted
};

/// What one worker needs for itself, in floats.
struct ScratchSize {
    std::size_t forward = 0, backward = 0;
    std::size_t weight_sums = 0;  ///< in Scratch::gradients before the sums of bias and peephole
};

struct Scratch {
    float* memory = nullptr;     ///< of ScratchSize::forward or backward
    float* gradients = nullptr;  ///< sums over all steps: weights as the kernels have them, bias (4F), peephole
    int filled = 0;              ///< rows that wait for the product of the weight gradients
};

/// One algorithm on one instruction set. Rows are those of the frames (direct) or of their tiles, over all batch items.
struct Kernels {
    const char* isa = nullptr;
    int vector_width = 0;
    int outputs = 1;  ///< pixels of a row along an axis
    int border = 0;   ///< zeros that frames and gate gradients need around them
    int seam = 0;     ///< neighbouring rows that add to the same data gradients

    // Sizes, in floats.
    std::size_t (*forward_weights)(const Layer&) = nullptr;
    std::size_t (*backward_weights)(const Layer&) = nullptr;
    ScratchSize (*scratch)(const Layer&) = nullptr;

    void (*pack_bias)(const Layer&, const float* bias, float* packed) = nullptr;
    void (*pack_forward)(const Layer&, const Weights&, float* packed) = nullptr;
    void (*pack_backward)(const Layer&, const Weights&, float* packed) = nullptr;
    void (*forward)(const Layer&, const ForwardStep&, Range rows, Scratch&) = nullptr;
    /// d_h, d_c, d_out to d_gates; pixels over all batch items. Leaves in d_h what was kept of it, and d_x zero.
    void (*gate_gradients)(const Layer&, const BackwardStep&, Range pixels, Scratch&) = nullptr;
    /// d_gates to d_h, d_x and the sums of the weight gradients.
    void (*backward)(const Layer&, const BackwardStep&, Range rows, Scratch&) = nullptr;
    /// Behind the last step: what waits goes to the sums.
    void (*flush)(const Layer&, Scratch&) = nullptr;
    /// Sums over workers to gradients, for channels `depths` of the K.
    void (*finish)(const Layer&, const Scratch* workers, int count, const WeightGradients&, Range depths) = nullptr;
    /// From one plane per channel to channels last and back, for pixels of one frame.
    void (*to_last)(const float* planes, std::ptrdiff_t plane, int channels, float* last, Range pixels) = nullptr;
    void (*to_first)(const float* last, int channels, float* planes, std::ptrdiff_t plane, Range pixels) = nullptr;
};

/// Null where there is none: `points` 0 for the direct convolution (any odd kernel), 6 or 8 for Winograd's.
const Kernels* avx512_kernels(int points, int kernel);
const Kernels* avx2_kernels(int points, int kernel);

/// Floating-point operations a second that one core reaches with nothing else to do.
double avx512_peak(double seconds);
double avx2_peak(double seconds);

}  // namespace nowcell::cpu
