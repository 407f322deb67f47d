// What both passes over a sequence are made of.
#pragma once

#include "cells/cuda/sequence.h"

namespace nowcell::cuda {

template <class T>
Steps<T> one_step(const Frames<T>& frames) {
    return {frames.data, frames.batch, 0};
}

inline StepShape with_batch(StepShape shape, std::int64_t batch) {
    shape.batch = static_cast<int>(batch);
    return shape;
}

/// body(first step, run) on runs of frames with one stride: all at once, or step by step.
template <class Body>
cudaError_t for_each_run(const Steps<void>& steps, int batch, int count, const Body& body) {
    if (merged(steps, batch, count).frames > 0) return body(0, merged(steps, batch, count));
    for (int s = 0; s < count; ++s) {
        if (const cudaError_t error = body(s, Merged{batch, steps.batch}); error != cudaSuccess) return error;
    }
    return cudaSuccess;
}

/// Whether the engine can compute the layer.
cudaError_t check(const SequenceLayer& layer);

/// A norm of one part or of the sum, forward and backward.
struct Norm {
    const SequenceLayer& layer;
    const float* scale;
    const float* shift;
    void* workspace;
    cudaStream_t stream;

    cudaError_t forward(std::int64_t frames, const Frames<const void>& x, const Frames<const void>& addend,
                        const Frames<void>& y) const {
        NormForward call;
        call.shape = with_batch(layer.shape, frames);
        call.storage = layer.storage;
        call.over = layer.norm.over;
        call.x = x;
        call.addend = addend;
        call.scale = scale;
        call.shift = shift;
        call.y = y;
        call.workspace = workspace;
        return norm_forward(call, stream);
    }
    cudaError_t backward(std::int64_t frames, const Frames<const void>& x, const Frames<const void>& addend,
                         const Frames<const void>& d_y, const Frames<void>& d_x, float* d_scale, float* d_shift) const {
        NormBackward call;
        call.shape = with_batch(layer.shape, frames);
        call.storage = layer.storage;
        call.over = layer.norm.over;
        call.x = x;
        call.addend = addend;
        call.scale = scale;
        call.d_y = d_y;
        call.d_x = d_x;
        call.d_scale = d_scale;
        call.d_shift = d_shift;
        call.workspace = workspace;
        return norm_backward(call, stream);
    }
};

Norm input_norm(const SequenceLayer& layer, void* workspace, cudaStream_t stream);
Norm hidden_norm(const SequenceLayer& layer, void* workspace, cudaStream_t stream);

/// From the parts of a step to its gates and state.
struct StepParts {
    Frames<const void> input, hidden;  ///< hidden null: in the input, or zeros
    Frames<const void> h_old;          ///< null: zeros; read by implicit_gemm
    Frames<const float> c_old;
    Frames<float> c;
    Frames<void> h, gates;
};

GatesForward gates_call(const SequenceLayer& layer, const StepParts& parts);
/// With the recurrent convolution, if the engine has both in one.
cudaError_t run_gates(const SequenceLayer& layer, const StepParts& parts, cudaStream_t stream);

}  // namespace nowcell::cuda
