// Layer normalisation of gates before their activations, as kernels. No torch.
#pragma once

#include "cells/cuda/gates.h"

namespace nowcell::cuda {

enum class NormOver {
    pixel,  ///< the 4F channels of each pixel; scale and shift (4F)
    frame,  ///< all numbers of a frame; scale and shift (H,W,4F)
};

constexpr float kNormEpsilon = 1e-5F;

/// y = norm(x + addend) * scale + shift. Source: Ba et al. 2016; variance over N, epsilon inside the root.
struct NormForward {
    StepShape shape;  ///< rows of 4 * filters channels; any number of frames, less than 2^31 pixels in all
    Storage storage = Storage::float32;
    NormOver over = NormOver::pixel;
    Frames<const void> x, addend;  ///< (B,H,W,4F); null: zeros
    const float* scale = nullptr;
    const float* shift = nullptr;
    Frames<void> y;             ///< may be x or addend
    void* workspace = nullptr;  ///< norm_workspace_bytes, a multiple of 16
};
/// Of all calls here with this shape.
std::size_t norm_workspace_bytes(const StepShape& shape, NormOver over);
/// Rows of up to 4096 channels stay in registers (256 where addresses or 4F are no multiples of 16 bytes); longer rows
/// and frames are read once for mean and variance and once more.
cudaError_t norm_forward(const NormForward& call, cudaStream_t stream);

/// What of the two convolutions is normalised in one go with the gates.
enum class NormedPart {
    sum,     ///< norm(input + hidden)
    hidden,  ///< input + norm(hidden); `input` may be normalised already
};

/// norm_forward over frames and gates_forward of its result in one; `gates.bias` is added behind the norm or null.
/// `gates.gates` may be `gates.input` or `.hidden`, but norm_backward needs what was normalised.
struct NormGatesForward {
    GatesForward gates;
    NormedPart part = NormedPart::sum;
    const float* scale = nullptr;  ///< (H,W,4F)
    const float* shift = nullptr;
    void* workspace = nullptr;  ///< norm_workspace_bytes of frames
};
cudaError_t norm_gates_forward(const NormGatesForward& call, cudaStream_t stream);

/// Gradients at x + addend.
struct NormBackward {
    StepShape shape;
    Storage storage = Storage::float32;
    NormOver over = NormOver::pixel;
    Frames<const void> x, addend;  ///< as in NormForward
    const float* scale = nullptr;
    Frames<const void> d_y;
    Frames<void> d_x;          ///< may be d_y, x or addend
    float* d_scale = nullptr;  ///< added to; both or neither. The same bits each time, on any device
    float* d_shift = nullptr;
    void* workspace = nullptr;  ///< norm_workspace_bytes, a multiple of 16
};
cudaError_t norm_backward(const NormBackward& call, cudaStream_t stream);

}  // namespace nowcell::cuda
