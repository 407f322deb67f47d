#include "cells/cuda/sequence.h"

#include "cells/cuda/sums.h"

#include <algorithm>

namespace nowcell::cuda {
namespace {

template <class T>
Frames<T> step_of(const Steps<T>& steps, std::int64_t step, std::size_t bytes) {
    if (!steps) return {};
    using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
    return {reinterpret_cast<T*>(reinterpret_cast<Byte*>(steps.data) +
                                 step * steps.step * static_cast<std::int64_t>(bytes)),
            steps.batch};
}

template <class T>
Steps<T> one_step(const Frames<T>& frames) {
    return {frames.data, frames.batch, 0};
}

StepShape with_batch(StepShape shape, std::int64_t batch) {
    shape.batch = static_cast<int>(batch);
    return shape;
}

cudaError_t fill_with_zeros(const StepShape& shape, Storage storage, const Frames<void>& gates, cudaStream_t stream) {
    const std::size_t bytes = element_bytes(storage);
    const auto frame = static_cast<std::size_t>(4 * shape.pixels() * shape.filters);
    // The pitch of one row is never used, but must not be smaller than it.
    const std::size_t pitch = shape.batch == 1 ? frame : static_cast<std::size_t>(gates.batch);
    return cudaMemset2DAsync(gates.data, pitch * bytes, 0, frame * bytes, static_cast<std::size_t>(shape.batch),
                             stream);
}

// Body on runs of frames with one stride: all at once, or step by step.
template <class Body>
cudaError_t for_each_run(const Steps<void>& steps, int batch, int count, const Body& body) {
    if (merged(steps, batch, count).frames > 0) return body(0, merged(steps, batch, count));
    for (int s = 0; s < count; ++s) {
        if (const cudaError_t error = body(s, Merged{batch, steps.batch}); error != cudaSuccess) return error;
    }
    return cudaSuccess;
}

// A norm of one part or of the sum, forward and backward.
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

Norm input_norm(const SequenceLayer& layer, void* workspace, cudaStream_t stream) {
    return {layer, layer.norm.input_scale, layer.norm.input_shift, workspace, stream};
}
Norm hidden_norm(const SequenceLayer& layer, void* workspace, cudaStream_t stream) {
    return {layer, layer.norm.hidden_scale, layer.norm.hidden_shift, workspace, stream};
}

cudaError_t check(const SequenceLayer& layer) {
    if (layer.engine == Engine::implicit_gemm && layer.norm) return cudaErrorNotSupported;
    if (layer.convolution == nullptr && layer.engine != Engine::implicit_gemm) return cudaErrorInvalidValue;
    return cudaSuccess;
}

// From the parts of a step to its gates and state; what both passes share.
struct StepParts {
    Frames<const void> input, hidden;  // hidden null: in the input, or zeros
    Frames<const void> h_old;          // implicit_gemm
    Frames<const float> c_old;
    Frames<float> c;
    Frames<void> h, gates;
};

GatesForward gates_call(const SequenceLayer& layer, const StepParts& parts) {
    GatesForward call;
    call.shape = layer.shape;
    call.storage = layer.storage;
    call.rules = layer.rules;
    call.input = parts.input;
    call.hidden = parts.hidden;
    call.bias = layer.bias;
    call.c_old = parts.c_old;
    call.c = parts.c;
    call.h = parts.h;
    call.gates = parts.gates;
    return call;
}

cudaError_t run_gates(const SequenceLayer& layer, const StepParts& parts, cudaStream_t stream) {
    const GatesForward gates = gates_call(layer, parts);
    if (layer.engine != Engine::implicit_gemm || !parts.h_old) return gates_forward(gates, stream);
    StepForward call;
    call.gates = gates;
    call.kernel = layer.kernel;
    call.h_old = parts.h_old;
    call.weights = layer.packed_forward;
    return step_forward(call, stream);
}

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
        if (!layer_.norm || layer_.norm.of_parts()) return run_gates(layer_, parts, stream_);
        if (layer_.norm.over == NormOver::frame) return run_norm_and_gates(parts);
        const Norm norm = input_norm(layer_, call_.workspace, stream_);
        const cudaError_t error = norm.forward(layer_.shape.batch, parts.input, parts.hidden, input);
        parts.hidden = {};
        return error == cudaSuccess ? run_gates(layer_, parts, stream_) : error;
    }

    // The recurrent part, beside the input part or in it; normalised if it has a norm of its own.
    cudaError_t convolve(const Frames<void>& input, StepParts& parts) const {
        if (layer_.engine == Engine::implicit_gemm) return cudaSuccess;
        const bool apart = keeps_parts_apart(layer_);
        cudaError_t error = cudaSuccess;
        if (parts.h_old) {
            error = layer_.convolution->forward(one_step(parts.h_old), one_step(apart ? call_.hidden : input), 1,
                                                !apart, stream_);
            if (apart) parts.hidden = call_.hidden;
        } else if (layer_.norm.of_parts()) {
            error = fill_with_zeros(layer_.shape, layer_.storage, call_.hidden, stream_);
            parts.hidden = call_.hidden;
        }
        if (error != cudaSuccess || !layer_.norm.of_parts()) return error;
        return hidden_norm(layer_, call_.workspace, stream_)
            .forward(layer_.shape.batch, call_.hidden, {}, call_.hidden);
    }

    cudaError_t run_norm_and_gates(const StepParts& parts) const {
        NormGatesForward call;
        call.gates = gates_call(layer_, parts);
        call.scale = layer_.norm.input_scale;
        call.shift = layer_.norm.input_shift;
        call.workspace = call_.workspace;
        return norm_gates_forward(call, stream_);
    }

    const SequenceLayer& layer_;
    const SequenceForward& call_;
    cudaStream_t stream_;
};

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
        return step_of(call_.c, (step + 1) / call_.c_every - 1, sizeof(float));
    }
    Frames<const float> c_behind(int s) const {
        if (call_.gates || s < 0) return c_saved(call_.first + s);
        return at(call_.c_again, s);
    }
    Frames<const void> gates_of(int s) const {
        return call_.gates ? at(call_.gates, call_.first + s, layer_.storage) : at(call_.d_gates, s, layer_.storage);
    }
    bool zeros_before(int s) const { return !h_before(call_.first + s); }

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
        if (!keeps_parts_apart(layer_) || (zeros_before(s) && !layer_.norm.of_parts())) return {};
        return at(call_.hidden, s, layer_.storage);
    }

    // All h are known: one convolution for all steps but the first of the sequence.
    cudaError_t convolve_again() const {
        if (layer_.engine == Engine::implicit_gemm) return cudaSuccess;
        const bool apart = keeps_parts_apart(layer_);
        const Steps<void>& target = apart ? call_.hidden : call_.input;
        const int after_state = call_.first == 0 ? 1 : 0;
        if (after_state == 1) {
            const Frames<void> gates = at(target, 0, layer_.storage);
            cudaError_t error = cudaSuccess;
            if (call_.h_first) {
                error = layer_.convolution->forward(one_step(call_.h_first), one_step(gates), 1, !apart, stream_);
            } else if (layer_.norm.of_parts()) {
                error = fill_with_zeros(layer_.shape, layer_.storage, gates, stream_);
            }
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

Frames<const void> at(const Steps<const void>& steps, std::int64_t step, Storage storage) {
    return step_of(steps, step, element_bytes(storage));
}
Frames<void> at(const Steps<void>& steps, std::int64_t step, Storage storage) {
    return step_of(steps, step, element_bytes(storage));
}
Frames<float> at(const Steps<float>& steps, std::int64_t step) { return step_of(steps, step, sizeof(float)); }

Merged merged(const Steps<const void>& steps, int batch, int count) {
    const std::int64_t frames = static_cast<std::int64_t>(batch) * count;
    if (count == 1 || steps.step == batch * steps.batch) return {frames, steps.batch};
    if (batch == 1 || steps.batch == count * steps.step) return {frames, steps.step};
    return {};
}

bool keeps_parts_apart(const SequenceLayer& layer) { return layer.engine == Engine::separate || layer.norm.of_parts(); }

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
