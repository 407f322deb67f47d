// One step of a layer as one kernel: the recurrent convolution as a product of matrices on tensor cores with the gates
// behind it, and its twin backwards. Operands bfloat16, float16 or, of float32, tf32; sums float32. No torch.
#pragma once

#include "cells/cuda/gates.h"

namespace nowcell::cuda {

/// The recurrent convolution: stride and dilation 1, padding "same", odd sides.
struct KernelSize {
    int height = 0, width = 0;
};

/// Whether the kernels can compute the layer.
bool step_gemm_fits(const StepShape& shape, const KernelSize& kernel);

/// Bytes of the weights in the order of the kernels; a device address of them is a multiple of 16.
std::size_t packed_forward_bytes(Storage storage, int filters, const KernelSize& kernel);
std::size_t packed_backward_bytes(Storage storage, int filters, const KernelSize& kernel);
/// weights of (4F,F,height,width), given as (height,width,4F,F) and (height,width,F,4F), contiguous.
cudaError_t pack_forward(Storage storage, int filters, const KernelSize& kernel, const void* weights, void* packed,
                         cudaStream_t stream);
cudaError_t pack_backward(Storage storage, int filters, const KernelSize& kernel, const void* weights, void* packed,
                          cudaStream_t stream);

/// Share of the product that a block has.
enum class Share {
    automatic,  ///< large where that gives every multiprocessor a block
    small,
    large,  ///< only for tanh and sigmoid without peepholes and moves of 16 bytes; otherwise small
};

struct StepForward {
    GatesForward gates;  ///< `hidden` is not read
    KernelSize kernel;
    Frames<const void> h_old;       ///< (B,H,W,F); null: zeros. Not `gates.h`
    const void* weights = nullptr;  ///< of pack_forward
    Share share = Share::automatic;
};
cudaError_t step_forward(const StepForward& call, cudaStream_t stream);

struct StepBackward {
    GatesBackward gates;  ///< `d_h` is not read. `d_gates` is not d_gates_next
    KernelSize kernel;
    Frames<const void> d_gates_next;  ///< (B,H,W,4F) of the step after; null: zeros
    const void* weights = nullptr;    ///< of pack_backward
    Share share = Share::automatic;
};
cudaError_t step_backward(const StepBackward& call, cudaStream_t stream);

}  // namespace nowcell::cuda
