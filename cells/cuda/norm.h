// Layer normalisation of gates before their activations, as kernels. No torch.
#pragma once

#include "cells/cuda/gates.h"

namespace nowcell::cuda {

enum class NormOver {
    pixel,  ///< the 4F channels of each pixel; scale and shift (4F)
    frame,  ///< all numbers of a frame; scale and shift (H,W,4F)
};

/// y = norm(x + addend) * scale + shift. Source: Ba et al. 2016; variance over N, epsilon 1e-5 inside the root.
struct NormForward {
    StepShape shape;  ///< rows of 4 * filters channels; any number of frames
    Storage storage = Storage::float32;
    NormOver over = NormOver::pixel;
    Frames<const void> x, addend;  ///< (B,H,W,4F); addend null: zeros
    const float* scale = nullptr;
    const float* shift = nullptr;
    Frames<void> y;             ///< may be x or addend
    void* workspace = nullptr;  ///< norm_workspace_bytes
};
std::size_t norm_workspace_bytes(const StepShape& shape, NormOver over);
cudaError_t norm_forward(const NormForward& call, cudaStream_t stream);

/// norm_forward over frames and gates_forward of its result in one: `call.gates.input` and `.hidden` are what is
/// normalised, as their sum; `call.gates.bias` is added behind the norm or null.
struct NormGatesForward {
    GatesForward gates;
    const float* scale = nullptr;  ///< (H,W,4F)
    const float* shift = nullptr;
    void* workspace = nullptr;
};
cudaError_t norm_gates_forward(const NormGatesForward& call, cudaStream_t stream);

/// Gradients at x + addend.
struct NormBackward {
    StepShape shape;
    Storage storage = Storage::float32;
    NormOver over = NormOver::pixel;
    Frames<const void> x, addend;
    const float* scale = nullptr;
    Frames<const void> d_y;
    Frames<void> d_x;          ///< may be d_y
    float* d_scale = nullptr;  ///< added to; null: not wanted. The same sums in the same order each time
    float* d_shift = nullptr;
    void* workspace = nullptr;  ///< norm_workspace_bytes
};
cudaError_t norm_backward(const NormBackward& call, cudaStream_t stream);

}  // namespace nowcell::cuda
