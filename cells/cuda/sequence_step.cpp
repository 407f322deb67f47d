#include "cells/cuda/sequence_step.h"

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

}  // namespace

Frames<const void> at(const Steps<const void>& steps, std::int64_t step, Storage storage) {
    return step_of(steps, step, element_bytes(storage));
}
Frames<void> at(const Steps<void>& steps, std::int64_t step, Storage storage) {
    return step_of(steps, step, element_bytes(storage));
}
Frames<float> at(const Steps<float>& steps, std::int64_t step) { return step_of(steps, step, sizeof(float)); }
Frames<const float> at(const Steps<const float>& steps, std::int64_t step) {
    return step_of(steps, step, sizeof(float));
}

Merged merged(const Steps<const void>& steps, int batch, int count) {
    const std::int64_t frames = static_cast<std::int64_t>(batch) * count;
    if (count == 1 || steps.step == batch * steps.batch) return {frames, steps.batch};
    if (batch == 1 || steps.batch == count * steps.step) return {frames, steps.step};
    return {};
}

bool keeps_parts_apart(const SequenceLayer& layer) { return layer.engine == Engine::separate || layer.norm.of_parts(); }

cudaError_t check(const SequenceLayer& layer) {
    if (layer.engine == Engine::implicit_gemm && layer.norm) return cudaErrorNotSupported;
    if (layer.convolution == nullptr && layer.engine != Engine::implicit_gemm) return cudaErrorInvalidValue;
    return cudaSuccess;
}

Norm input_norm(const SequenceLayer& layer, void* workspace, cudaStream_t stream) {
    return {layer, layer.norm.input_scale, layer.norm.input_shift, workspace, stream};
}
Norm hidden_norm(const SequenceLayer& layer, void* workspace, cudaStream_t stream) {
    return {layer, layer.norm.hidden_scale, layer.norm.hidden_shift, workspace, stream};
}

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

}  // namespace nowcell::cuda
