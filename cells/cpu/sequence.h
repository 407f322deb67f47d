// A sequence on the kernels: the loop over time, the layouts, the workers. No torch.
#pragma once

#include "cells/cpu/arena.h"
#include "cells/cpu/kernels.h"

#include <functional>

namespace nowcell::cpu {

/// Runs work(0) ... work(count - 1), possibly at the same time, and returns when all are done.
using Parallel = std::function<void(int count, const std::function<void(int)>& work)>;

/// Frames of a tensor (B,T,C,H,W): frame (b,t) at data + b * batch + t * step, either one plane per channel or
/// channels last, without gaps.
struct Frames {
    float* data = nullptr;
    std::ptrdiff_t batch = 0, step = 0;
    bool channels_last = false;

    explicit operator bool() const { return data != nullptr; }
};

/// Shares of the old state that are kept, one for each item and step; null: none.
struct Kept {
    const float* data = nullptr;  ///< (T,B)
};

struct ForwardCall {
    int steps = 0;
    Frames x;
    Frames h_first, c_first;  ///< no data: zeros
    Frames h;                 ///< of every step
    Frames c, gates;          ///< of every step, channels last; no data: not kept
    int c_every = 1;          ///< c only of steps n - 1, 2 n - 1, ...
    Frames h_last, c_last;
    Kept keep_h, keep_c;
};

struct BackwardCall {
    int steps = 0;
    Frames x, h_first, c_first, h, c;
    Frames gates;     ///< no data: computed again
    int c_every = 1;  ///< as in ForwardCall; more than 1 only without gates
    Frames d_h;       ///< of every step; no data: zeros
    Frames d_h_last, d_c_last;
    Frames d_x, d_h_first, d_c_first;  ///< no data: not wanted
    WeightGradients weights;           ///< null: not wanted
    float* d_bias = nullptr;           ///< (4F)
    float* d_peephole = nullptr;       ///< (3,H*W or 1,F)
    Kept keep_h, keep_c;
};

/// How a layer's rows are shared out. Items of a batch are apart from each other: a worker that has whole items never
/// waits for another.
struct Workers {
    int count = 1;
    bool apart = true;
};
Workers workers_for(const Layer& layer, const Kernels& kernels, int threads);

/// The layer's weights must be packed: forward ones for both, backward ones for the second.
void run_forward(const Layer& layer, const Kernels& kernels, const Workers& workers, const Parallel& parallel,
                 Arena& arena, const ForwardCall& call);
void run_backward(const Layer& layer, const Kernels& kernels, const Workers& workers, const Parallel& parallel,
                  Arena& arena, const BackwardCall& call);

}  // namespace nowcell::cpu
