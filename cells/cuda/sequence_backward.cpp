#include "cells/cuda/sequence_step.h"
#include "cells/cuda/sums.h"

#include <algorithm>

namespace nowcell::cuda {
namespace {

class Backward {
 public:
    Backward(const SequenceLayer& layer, const SequenceBackward& call, cudaStream_t stream)
        : layer_(layer), call_(call), stream_(stream) {}

    cudaError_t run() {
        if (!call_.gates) {
            if (const cudaError_t error = compute_again(); error != cudaSuccess) return error;
        }
        d_h_ = call_.d_h_after;
        d_c_ = call_.d_c_after;
        for (int s = call_.count - 1; s >= 0; --s) {
            if (const cudaError_t error = run_step(s); error != cudaSuccess) return error;
        }
        if (layer_.norm.of_parts()) {
            if (const cudaError_t error = input_norm_backward(); error != cudaSuccess) return error;
        }
        return call_.gradients.bias != nullptr ? bias_gradient() : cudaSuccess;
    }

 private:
    // s counts from the first step of the call, `step` from that of the sequence.
    Frames<const void> h_before(int step) const {
        return step == 0 ? call_.h_first : at(call_.h, step - 1, layer_.storage);
    }
    Frames<const float> c_saved(int step) const {
        if (step < 0) return call_.c_first;
        return at(call_.c, (step + 1) / call_.c_every - 1);
    }
    Frames<const float> c_behind(int s) const {
        if (call_.gates || s < 0) return c_saved(call_.first + s);
        return at(call_.c_again, s);
    }
    Frames<const void> gates_of(int s) const {
        return call_.gates ? at(call_.gates, call_.first + s, layer_.storage) : at(call_.d_gates, s, layer_.storage);
    }

    // Gates into d_gates and states into c_again, as the forward pass had them.
    cudaError_t compute_again() const {
        if (const cudaError_t error = convolve_again(); error != cudaSuccess) return error;
        if (const cudaError_t error = normalize_again(); error != cudaSuccess) return error;
        for (int s = 0; s < call_.count; ++s) {
            StepParts parts;
            parts.input = layer_.norm ? at(call_.d_gates, s, layer_.storage) : at(call_.input, s, layer_.storage);
            if (layer_.norm.of_parts()) {
                parts.hidden = at(call_.d_hidden, s, layer_.storage);
            } else if (!layer_.norm) {
                parts.hidden = hidden_of(s);
            }
            parts.h_old = h_before(call_.first + s);
            parts.c_old = c_behind(s - 1);
            parts.c = at(call_.c_again, s);
            parts.h = call_.h_again;
            parts.gates = at(call_.d_gates, s, layer_.storage);
            if (const cudaError_t error = run_gates(layer_, parts, stream_); error != cudaSuccess) return error;
        }
        return cudaSuccess;
    }

    // The recurrent part as it was computed again; null: in the input part, or zeros.
    Frames<const void> hidden_of(int s) const {
        if (!keeps_parts_apart(layer_) || !h_before(call_.first + s)) return {};
        return at(call_.hidden, s, layer_.storage);
    }

    // All h are known: one convolution for all steps but the first of the sequence.
    cudaError_t convolve_again() const {
        if (layer_.engine == Engine::implicit_gemm) return cudaSuccess;
        const bool apart = keeps_parts_apart(layer_);
        const Steps<void>& target = apart ? call_.hidden : call_.input;
        const int after_state = call_.first == 0 ? 1 : 0;
        if (after_state == 1 && call_.h_first) {
            const cudaError_t error = layer_.convolution->forward(
                one_step(call_.h_first), one_step(at(target, 0, layer_.storage)), 1, !apart, stream_);
            if (error != cudaSuccess) return error;
        }
        if (call_.count == after_state) return cudaSuccess;
        const Frames<const void> h = at(call_.h, call_.first + after_state - 1, layer_.storage);
        const Frames<void> gates = at(target, after_state, layer_.storage);
        return layer_.convolution->forward({h.data, h.batch, call_.h.step}, {gates.data, gates.batch, target.step},
                                           call_.count - after_state, !apart, stream_);
    }

    // Into d_gates, and d_hidden for parts.
    cudaError_t normalize_again() const {
        if (!layer_.norm) return cudaSuccess;
        const int batch = layer_.shape.batch;
        for (int s = 0; s < call_.count; ++s) {
            const bool parts = layer_.norm.of_parts();
            const Norm norm = input_norm(layer_, call_.workspace, stream_);
            cudaError_t error =
                norm.forward(batch, at(call_.input, s, layer_.storage), parts ? Frames<const void>() : hidden_of(s),
                             at(call_.d_gates, s, layer_.storage));
            if (error == cudaSuccess && parts) {
                error = hidden_norm(layer_, call_.workspace, stream_)
                            .forward(batch, hidden_of(s), {}, at(call_.d_hidden, s, layer_.storage));
            }
            if (error != cudaSuccess) return error;
        }
        return cudaSuccess;
    }

    cudaError_t run_step(int s) {
        if (const cudaError_t error = gates_gradient(s); error != cudaSuccess) return error;
        if (call_.gradients.peephole != nullptr) {
            if (const cudaError_t error = peephole_gradient(s); error != cudaSuccess) return error;
        }
        if (layer_.norm) {
            if (const cudaError_t error = step_norm_backward(s); error != cudaSuccess) return error;
        }
        const bool last = s == 0;
        if (last ? !call_.wants_d_h : layer_.engine == Engine::implicit_gemm) return cudaSuccess;
        d_h_ = call_.d_h;
        return layer_.convolution->backward(at(recurrent_gradient(), s, layer_.storage), call_.d_h, stream_);
    }

    const Steps<void>& recurrent_gradient() const { return layer_.norm.of_parts() ? call_.d_hidden : call_.d_gates; }

    cudaError_t gates_gradient(int s) {
        GatesBackward call;
        call.shape = layer_.shape;
        call.storage = layer_.storage;
        call.rules = layer_.rules;
        call.gates = gates_of(s);
        call.c_old = c_behind(s - 1);
        call.c = c_behind(s);
        call.d_out = at(call_.d_out, call_.first + s, layer_.storage);
        call.d_h = d_h_;
        call.d_c = d_c_;
        call.d_c_old = call_.d_c;
        call.d_gates = at(call_.d_gates, s, layer_.storage);
        d_c_ = call_.d_c;
        const bool last_of_call = s + 1 == call_.count;
        const Frames<const void> next =
            last_of_call ? call_.d_gates_after : at(Steps<const void>(call_.d_gates), s + 1, layer_.storage);
        if (layer_.engine != Engine::implicit_gemm || !next) return gates_backward(call, stream_);
        StepBackward step;
        step.gates = call;
        step.gates.d_h = {};
        step.kernel = layer_.kernel;
        step.d_gates_next = next;
        step.weights = layer_.packed_backward;
        return step_backward(step, stream_);
    }

    cudaError_t peephole_gradient(int s) const {
        PeepholeSums call;
        call.shape = layer_.shape;
        call.storage = layer_.storage;
        call.pixel = layer_.rules.pixel_peephole;
        call.d_gates = at(call_.d_gates, s, layer_.storage);
        call.c_old = c_behind(s - 1);
        call.c = c_behind(s);
        call.sums = call_.gradients.peephole;
        call.workspace = call_.workspace;
        return peephole_sums(call, stream_);
    }

    // Through the norm of the sum, or of the recurrent part.
    cudaError_t step_norm_backward(int s) const {
        const SequenceGradients& d = call_.gradients;
        const int batch = layer_.shape.batch;
        const Frames<void> gates = at(call_.d_gates, s, layer_.storage);
        if (layer_.norm.of_parts()) {
            return hidden_norm(layer_, call_.workspace, stream_)
                .backward(batch, hidden_of(s), {}, gates, at(call_.d_hidden, s, layer_.storage), d.hidden_scale,
                          d.hidden_shift);
        }
        return input_norm(layer_, call_.workspace, stream_)
            .backward(batch, at(call_.input, s, layer_.storage), hidden_of(s), gates, gates, d.input_scale,
                      d.input_shift);
    }

    cudaError_t input_norm_backward() const {
        const SequenceGradients& d = call_.gradients;
        const Norm norm = input_norm(layer_, call_.workspace, stream_);
        for (int s = 0; s < call_.count; ++s) {
            const Frames<void> gates = at(call_.d_gates, s, layer_.storage);
            const cudaError_t error = norm.backward(layer_.shape.batch, at(call_.input, s, layer_.storage), {}, gates,
                                                    gates, d.input_scale, d.input_shift);
            if (error != cudaSuccess) return error;
        }
        return cudaSuccess;
    }

    cudaError_t bias_gradient() const {
        return for_each_run(call_.d_gates, layer_.shape.batch, call_.count, [&](int s, const Merged& run) {
            ColumnSums call;
            call.storage = layer_.storage;
            call.values = at(call_.d_gates, s, layer_.storage).data;
            call.frames = run.frames;
            call.stride = run.stride;
            call.pixels = layer_.shape.pixels();
            call.columns = 4 * layer_.shape.filters;
            call.sums = call_.gradients.bias;
            call.workspace = call_.workspace;
            return column_sums(call, stream_);
        });
    }

    const SequenceLayer& layer_;
    const SequenceBackward& call_;
    cudaStream_t stream_;
    Frames<const void> d_h_;  // what the step at hand is given of the one after
    Frames<const float> d_c_;
};

}  // namespace

std::size_t backward_workspace_bytes(const SequenceLayer& layer) {
    std::size_t bytes = std::max(column_sums_workspace_bytes(4 * layer.shape.filters),
                                 peephole_sums_workspace_bytes(layer.shape.filters));
    if (layer.norm) bytes = std::max(bytes, norm_workspace_bytes(layer.shape, layer.norm.over));
    return bytes;
}

cudaError_t run_backward(const SequenceLayer& layer, const SequenceBackward& call, cudaStream_t stream) {
    if (const cudaError_t error = check(layer); error != cudaSuccess) return error;
    if (layer.convolution == nullptr && call.wants_d_h) return cudaErrorInvalidValue;
    return Backward(layer, call, stream).run();
}

}  // namespace nowcell::cuda
