#include "cells/accumulate.h"
#include "cells/chunks.h"
#include "cells/cuda/glue/conv_lstm_cuda.h"
#include "cells/cuda/glue/layer.h"
#include "cells/cuda/glue/tensors.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <ranges>

namespace nowcell::cuda {
namespace {

// Cell states are computed again from one checkpoint to the next.
std::vector<Chunk> between_checkpoints(std::int64_t steps, std::int64_t distance) {
    std::vector<Chunk> result;
    for (std::int64_t first = 0; first < steps; first += distance) {
        result.push_back({first, std::min(distance, steps - first)});
    }
    return result;
}

// One sweep from the last step to the first.
class Backward {
 public:
    Backward(const ConvLstmArguments& a, const ConvLstmResult& result, const std::vector<bool>& wanted)
        : a_(a), wanted_(wanted), layer_(a), grad_(kConvLstmGradients), options_(a.x.options()) {
        const std::int64_t steps = a.x.size(1);
        const StepShape& shape = layer_.shape();
        again_ = result.gates.numel() == 0;
        const bool all_c = result.c.size(1) == steps;
        every_ = all_c ? 1 : checkpoint_distance(steps);
        h_ = by_time(result.h);
        c_ = channels_last(result.c);
        gates_ = again_ ? result.gates : channels_last(result.gates);
        const std::int64_t bytes = shape.pixels() * shape.batch * 4 * shape.filters * a.x.element_size();
        chunks_ = all_c ? chunks(steps, bytes) : between_checkpoints(steps, every_);
        d_h_ = empty_by_time(1, shape, shape.filters, options_)[0];
        d_c_ = empty_by_time(1, shape, shape.filters, options_.dtype(at::kFloat))[0];
        workspace_ = layer_.bytes(backward_workspace_bytes(layer_.sequence()));
        if (again_) h_again_ = at::empty_like(d_h_);
        if (wanted[kX]) grad_[kX] = empty_gradient(a.x);
        prepare_sums();
    }

    std::vector<torch::Tensor> run(const torch::Tensor& outputs, const State& last) {
        d_out_ = channels_last(outputs);
        const torch::Tensor d_h_last = channels_last(last.h);
        const torch::Tensor d_c_last = last.c.defined() ? channels_last(last.c.to(at::kFloat)) : torch::Tensor();
        for (const Chunk& chunk : std::views::reverse(chunks_)) {
            const bool newest = chunk.first + chunk.count == a_.x.size(1);
            sweep(chunk, newest ? d_h_last : d_h_, newest ? d_c_last : d_c_);
        }
        if (wanted_[kH]) grad_[kH] = d_h_;
        if (wanted_[kC]) grad_[kC] = d_c_;
        finish_sums();
        layer_.note(true);
        for (std::size_t i = 0; i < grad_.size(); ++i) {
            if (grad_[i].defined()) grad_[i] = grad_[i].to(a_.x.scalar_type());
        }
        return with_plain_layout(grad_);
    }

 private:
    bool fused() const { return layer_.sequence().engine == Engine::implicit_gemm; }
    torch::Tensor empty_gates(std::int64_t count) const {
        return empty_by_time(count, layer_.shape(), 4 * layer_.shape().filters, options_);
    }

    // Sums that kernels add to, in their layout.
    void prepare_sums() {
        const ConvLstmWeights& w = a_.weights;
        const auto sum = [&](std::size_t index, at::IntArrayRef sizes) {
            return wanted_[index] ? at::zeros(sizes, options_.dtype(at::kFloat)) : torch::Tensor();
        };
        const StepShape& shape = layer_.shape();
        const bool pixel = layer_.sequence().rules.pixel_peephole;
        bias_ = sum(kBias, {4 * shape.filters});
        peephole_ = sum(kPeephole, {3, pixel ? shape.height : 1, pixel ? shape.width : 1, shape.filters});
        sums_.bias = floats_of(bias_);
        sums_.peephole = floats_of(peephole_);
        if (wanted_[kInputScale] || wanted_[kInputShift]) norm_sums(w.norm_input_scale, input_norm_);
        if (wanted_[kHiddenScale] || wanted_[kHiddenShift]) norm_sums(w.norm_hidden_scale, hidden_norm_);
        sums_.input_scale = floats_of(input_norm_[0]), sums_.input_shift = floats_of(input_norm_[1]);
        sums_.hidden_scale = floats_of(hidden_norm_[0]), sums_.hidden_shift = floats_of(hidden_norm_[1]);
    }
    void norm_sums(const torch::Tensor& like, torch::Tensor (&pair)[2]) const {
        const torch::Tensor turned = like.dim() == 3 ? like.permute({1, 2, 0}) : like;
        for (torch::Tensor& sum : pair) sum = at::zeros(turned.sizes(), options_.dtype(at::kFloat));
    }
    void finish_sums() {
        grad_[kBias] = bias_;
        if (peephole_.defined()) {
            grad_[kPeephole] = peephole_.permute({0, 3, 1, 2}).sum_to_size(a_.weights.peephole.sizes());
        }
        const auto turned = [](const torch::Tensor& sum) { return sum.dim() == 3 ? sum.permute({2, 0, 1}) : sum; };
        if (wanted_[kInputScale]) grad_[kInputScale] = turned(input_norm_[0]);
        if (wanted_[kInputShift]) grad_[kInputShift] = turned(input_norm_[1]);
        if (wanted_[kHiddenScale]) grad_[kHiddenScale] = turned(hidden_norm_[0]);
        if (wanted_[kHiddenShift]) grad_[kHiddenShift] = turned(hidden_norm_[1]);
    }

    void sweep(const Chunk& chunk, const torch::Tensor& d_h_after, const torch::Tensor& d_c_after) {
        const SequenceLayer& sequence = layer_.sequence();
        const bool again = again_, norm = static_cast<bool>(sequence.norm);
        const bool uses_frames = again || wanted_[kX] || wanted_[kInput];
        const torch::Tensor frames = uses_frames ? layer_.frames(chunk.first, chunk.count) : torch::Tensor();
        const torch::Tensor part = again ? layer_.input_part(frames) : torch::Tensor();
        const torch::Tensor d_gates = again && !norm ? part : empty_gates(chunk.count);
        const torch::Tensor d_hidden = sequence.norm.of_parts() ? empty_gates(chunk.count) : torch::Tensor();
        const bool apart = again && keeps_parts_apart(sequence);
        const torch::Tensor hidden = apart ? empty_gates(chunk.count) : torch::Tensor();
        torch::Tensor c_again;
        if (again) {
            c_again = empty_by_time(chunk.count, layer_.shape(), layer_.shape().filters, options_.dtype(at::kFloat));
        }
        SequenceBackward call = call_for(chunk);
        const bool newest = chunk.first + chunk.count == a_.x.size(1);
        if (!fused() || newest) call.d_h_after = frames_of(d_h_after);
        if (fused() && !newest) call.d_gates_after = frames_of(d_gates_after_);
        call.d_c_after = float_frames_of(d_c_after);
        call.d_gates = by_step(d_gates);
        call.d_hidden = by_step(d_hidden);
        call.input = by_step(part);
        call.hidden = by_step(hidden);
        const Steps<void> c_steps = by_step(c_again);
        call.c_again = {static_cast<float*>(c_steps.data), c_steps.batch, c_steps.step};
        layer_.check(run_backward(sequence, call, c10::cuda::getCurrentCUDAStream()));
        d_gates_after_ = d_gates[0];
        hidden_weight(chunk, d_hidden.defined() ? d_hidden : d_gates);
        input_gradients(chunk, d_gates, frames);
    }
    // Of (count,B,...).
    static Steps<void> by_step(const torch::Tensor& tensor) {
        return tensor.defined() ? steps_of(tensor.transpose(0, 1)) : Steps<void>();
    }

    // What does not depend on the memory of the chunk.
    SequenceBackward call_for(const Chunk& chunk) const {
        SequenceBackward call;
        call.first = static_cast<int>(chunk.first);
        call.count = static_cast<int>(chunk.count);
        call.h_first = frames_of(layer_.h_first());
        call.c_first = float_frames_of(layer_.c_first());
        call.h = by_step(h_);
        call.c = float_steps_of(c_);
        call.c_every = static_cast<int>(every_);
        call.gates = steps_of(gates_);
        call.d_out = steps_of(d_out_);
        call.d_h = frames_of(d_h_);
        call.wants_d_h = chunk.first == 0 ? wanted_[kH] : !fused();
        call.d_c = float_frames_of(d_c_);
        call.h_again = frames_of(h_again_);
        call.gradients = sums_;
        call.workspace = workspace_.defined() ? workspace_.mutable_data_ptr() : nullptr;
        return call;
    }

    // gates: (count,B,4F,H,W), the gradient of the recurrent part.
    void hidden_weight(const Chunk& chunk, const torch::Tensor& gates) {
        if (!wanted_[kHidden]) return;
        const torch::Tensor& weights = a_.weights.hidden;
        const auto add = [&](const torch::Tensor& gradient, const torch::Tensor& old) {
            add_weight(kHidden, convolve_backward(gradient.flatten(0, 1), old.flatten(0, 1), weights, {}, 1,
                                                  {false, true, false})
                                    .weight);
        };
        if (!grad_[kHidden].defined()) grad_[kHidden] = at::zeros_like(weights, options_.dtype(at::kFloat));
        const std::int64_t skipped = chunk.first == 0 ? 1 : 0, count = chunk.count - skipped;
        if (skipped == 1 && layer_.h_first().defined()) add(gates.narrow(0, 0, 1), layer_.h_first().unsqueeze(0));
        if (count > 0) add(gates.narrow(0, skipped, count), h_.narrow(0, chunk.first + skipped - 1, count));
    }

    void input_gradients(const Chunk& chunk, const torch::Tensor& gates, const torch::Tensor& frames) {
        if (!wanted_[kX] && !wanted_[kInput]) return;
        const ConvolutionGradients d =
            convolve_backward(gates.flatten(0, 1), frames, a_.weights.input, a_.rules.convolution, 1,
                              {wanted_[kX], wanted_[kInput], false});
        if (wanted_[kX]) {
            grad_[kX]
                .narrow(1, chunk.first, chunk.count)
                .copy_(d.x.unflatten(0, {chunk.count, a_.x.size(0)}).transpose(0, 1));
        }
        if (wanted_[kInput]) add_weight(kInput, d.weight);
    }
    // In float32, whatever the weights are.
    void add_weight(std::size_t index, const torch::Tensor& term) { accumulate(grad_[index], term.to(at::kFloat)); }

    const ConvLstmArguments& a_;
    const std::vector<bool>& wanted_;
    const Layer layer_;
    std::vector<torch::Tensor> grad_;
    const torch::TensorOptions options_;
    bool again_ = false;
    std::int64_t every_ = 1;
    std::vector<Chunk> chunks_;
    torch::Tensor h_, c_, gates_, d_out_, d_h_, d_c_, d_gates_after_, h_again_, workspace_;
    torch::Tensor bias_, peephole_, input_norm_[2], hidden_norm_[2];
    SequenceGradients sums_;
};

}  // namespace

std::vector<torch::Tensor> backward_on_kernels(const ConvLstmArguments& a, const ConvLstmResult& result,
                                               const torch::Tensor& outputs, const State& last,
                                               const std::vector<bool>& wanted) {
    return Backward(a, result, wanted).run(outputs, last);
}

}  // namespace nowcell::cuda
