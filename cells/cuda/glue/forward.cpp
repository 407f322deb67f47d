#include "cells/chunks.h"
#include "cells/cuda/glue/conv_lstm_cuda.h"
#include "cells/cuda/glue/layer.h"
#include "cells/cuda/glue/tensors.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>

namespace nowcell::cuda {
namespace {

// The hidden states of all steps, (T,B,F,H,W), as the recurrent convolution wants them; the result itself if it lies
// so.
torch::Tensor hidden_states(const ConvLstmResult& result, const Layer& layer) {
    if (result.h.size(0) == 1 && lies_channels_last(result.h)) return result.h.transpose(0, 1);
    return empty_by_time(result.h.size(1), layer.shape(), layer.shape().filters, result.h.options());
}

torch::Tensor empty_state(const Layer& layer, const torch::TensorOptions& options) {
    return empty_by_time(1, layer.shape(), layer.shape().filters, options)[0];
}

}  // namespace

ConvLstmResult forward_on_kernels(const ConvLstmArguments& a, Saved saved) {
    ConvLstmResult result = conv_lstm_allocate(a, saved);
    const Layer layer(a);
    const SequenceLayer& sequence = layer.sequence();
    const std::int64_t steps = a.x.size(1), gates = 4 * a.filters();
    const torch::Tensor h = hidden_states(result, layer);
    const bool all_c = result.c.numel() > 0 && result.c.size(1) == steps;
    const torch::Tensor c_now = all_c ? torch::Tensor() : empty_state(layer, a.x.options().dtype(at::kFloat));
    torch::Tensor hidden;
    if (keeps_parts_apart(sequence)) hidden = empty_by_time(1, layer.shape(), gates, a.x.options())[0];

    SequenceForward call;
    call.h_first = frames_of(layer.h_first());
    call.c_first = float_frames_of(layer.c_first());
    call.h = steps_of(h.transpose(0, 1));
    call.c = float_steps_of(result.c);
    call.c_every = all_c || !call.c ? 1 : static_cast<int>(checkpoint_distance(steps));
    call.c_now = float_frames_of(c_now);
    call.gates = steps_of(result.gates);
    call.hidden = frames_of(hidden);
    const std::int64_t step_bytes = layer.shape().pixels() * layer.shape().batch * gates * a.x.element_size();
    const std::vector<Chunk> all = chunks(steps, step_bytes);
    const torch::Tensor workspace = layer.bytes(forward_workspace_bytes(sequence, static_cast<int>(all.front().count)));
    call.workspace = workspace.defined() ? workspace.mutable_data_ptr() : nullptr;
    for (const Chunk& chunk : all) {
        const torch::Tensor part = layer.input_part(layer.frames(chunk.first, chunk.count));
        call.first = static_cast<int>(chunk.first);
        call.count = static_cast<int>(chunk.count);
        call.input = steps_of(part.transpose(0, 1));
        layer.check(run_forward(sequence, call, c10::cuda::getCurrentCUDAStream()));
    }
    if (!h.is_alias_of(result.h)) result.h.copy_(h.transpose(0, 1));
    result.last.h.copy_(h[steps - 1]);
    const bool in_c = call.c && steps % call.c_every == 0;
    result.last.c.copy_(in_c ? result.c.select(1, -1) : c_now);
    layer.note(false);
    return result;
}

}  // namespace nowcell::cuda
