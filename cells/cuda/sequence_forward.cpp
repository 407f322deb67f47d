#include "cells/cuda/sequence_step.h"

namespace nowcell::cuda {
namespace {

class Forward {
 public:
    Forward(const SequenceLayer& layer, const SequenceForward& call, cudaStream_t stream)
        : layer_(layer), call_(call), stream_(stream) {}

    cudaError_t run() const {
        if (layer_.norm.of_parts()) {
            if (const cudaError_t error = normalize_input(); error != cudaSuccess) return error;
        }
        for (int step = call_.first; step < call_.first + call_.count; ++step) {
            if (const cudaError_t error = run_step(step); error != cudaSuccess) return error;
        }
        return cudaSuccess;
    }

 private:
    Frames<const void> h_before(int step) const {
        return step == 0 ? call_.h_first : at(call_.h, step - 1, layer_.storage);
    }

    cudaError_t normalize_input() const {
        const Norm norm = input_norm(layer_, call_.workspace, stream_);
        return for_each_run(call_.input, layer_.shape.batch, call_.count, [&](int step, const Merged& run) {
            const Frames<void> first{at(call_.input, step, layer_.storage).data, run.stride};
            return norm.forward(run.frames, first, {}, first);
        });
    }

    cudaError_t run_step(int step) const {
        StepParts parts;
        const Frames<void> input = at(call_.input, step - call_.first, layer_.storage);
        parts.input = input;
        parts.h_old = h_before(step);
        parts.c_old = step == 0 ? call_.c_first : state_behind(call_, step - 1);
        parts.c = state_behind(call_, step);
        parts.h = at(call_.h, step, layer_.storage);
        parts.gates = at(call_.gates, step, layer_.storage);
        if (const cudaError_t error = convolve(input, parts); error != cudaSuccess) return error;
        if (!layer_.norm) return run_gates(layer_, parts, stream_);
        if (layer_.norm.over == NormOver::frame) return run_norm_and_gates(parts);
        const cudaError_t error = normalize(input, parts);
        return error == cudaSuccess ? run_gates(layer_, parts, stream_) : error;
    }

    // Over pixels, the sum or the recurrent part.
    cudaError_t normalize(const Frames<void>& input, StepParts& parts) const {
        const int batch = layer_.shape.batch;
        if (layer_.norm.of_parts()) {
            const Norm norm = hidden_norm(layer_, call_.workspace, stream_);
            const Frames<const void> hidden = parts.hidden;
            parts.hidden = call_.hidden;
            return norm.forward(batch, hidden, {}, call_.hidden);
        }
        const Frames<const void> hidden = parts.hidden;
        parts.hidden = {};
        return input_norm(layer_, call_.workspace, stream_).forward(batch, input, hidden, input);
    }

    // The recurrent part, beside the input part or in it.
    cudaError_t convolve(const Frames<void>& input, StepParts& parts) const {
        if (layer_.engine == Engine::implicit_gemm || !parts.h_old) return cudaSuccess;
        const bool apart = keeps_parts_apart(layer_);
        if (apart) parts.hidden = call_.hidden;
        return layer_.convolution->forward(one_step(parts.h_old), one_step(apart ? call_.hidden : input), 1, !apart,
                                           stream_);
    }

    cudaError_t run_norm_and_gates(const StepParts& parts) const {
        const GateNorm& norm = layer_.norm;
        NormGatesForward call;
        call.gates = gates_call(layer_, parts);
        call.part = norm.of_parts() ? NormedPart::hidden : NormedPart::sum;
        call.scale = norm.of_parts() ? norm.hidden_scale : norm.input_scale;
        call.shift = norm.of_parts() ? norm.hidden_shift : norm.input_shift;
        call.workspace = call_.workspace;
        return norm_gates_forward(call, stream_);
    }

    const SequenceLayer& layer_;
    const SequenceForward& call_;
    cudaStream_t stream_;
};

}  // namespace

std::size_t forward_workspace_bytes(const SequenceLayer& layer, int count) {
    if (!layer.norm) return 0;
    const std::int64_t frames = static_cast<std::int64_t>(layer.shape.batch) * count;
    return norm_workspace_bytes(with_batch(layer.shape, frames), layer.norm.over);
}

Frames<float> state_behind(const SequenceForward& call, int step) {
    if (!call.c || (step + 1) % call.c_every != 0) return call.c_now;
    return at(call.c, (step + 1) / call.c_every - 1);
}

cudaError_t run_forward(const SequenceLayer& layer, const SequenceForward& call, cudaStream_t stream) {
    if (const cudaError_t error = check(layer); error != cudaSuccess) return error;
    return Forward(layer, call, stream).run();
}

}  // namespace nowcell::cuda
