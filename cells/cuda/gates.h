// The gates of one step, forward and backward, as kernels; launched on a stream, nothing waits. No torch.
#pragma once

#include "cells/cuda/problem.h"

#include <cuda_runtime_api.h>

namespace nowcell::cuda {

struct GatesForward {
    StepShape shape;
    Storage storage = Storage::float32;
    GateRules rules;
    Frames<const void> input;   ///< (B,H,W,4F) i, f, g, o: the input convolution, perhaps with the recurrent one in it
    Frames<const void> hidden;  ///< (B,H,W,4F) the recurrent convolution; null: zeros
    const float* bias = nullptr;  ///< (4F) or null
    Frames<const float> c_old;    ///< (B,H,W,F); null: zeros
    Frames<float> c;              ///< may be c_old
    Frames<void> h;               ///< (B,H,W,F)
    Frames<void> gates;           ///< (B,H,W,4F) behind their activations; null: not kept. May be `input` or `hidden`
};

/// Whether F and all addresses allow moves of 16 bytes; otherwise kernels go number by number.
bool moves_packs(const GatesForward& call);
cudaError_t gates_forward(const GatesForward& call, cudaStream_t stream);

struct GatesBackward {
    StepShape shape;
    Storage storage = Storage::float32;
    GateRules rules;
    Frames<const void> gates;   ///< (B,H,W,4F) behind their activations
    Frames<const float> c_old;  ///< (B,H,W,F); null: zeros
    Frames<const float> c;
    Frames<const void> d_out;  ///< (B,H,W,F) gradient of the step's output; null: zeros
    Frames<const void> d_h;    ///< (B,H,W,F) what the step after adds to it; null: zeros
    Frames<const float> d_c;   ///< (B,H,W,F) gradient of the new c; null: zeros
    Frames<float> d_c_old;     ///< may be d_c
    Frames<void> d_gates;      ///< (B,H,W,4F) before their activations. May be `gates`
};

bool moves_packs(const GatesBackward& call);
cudaError_t gates_backward(const GatesBackward& call, cudaStream_t stream);

}  // namespace nowcell::cuda
