#include "cells/conv_lstm_sequence.h"

#include "cells/accumulate.h"
#include "cells/chunks.h"
#include "cells/cpu/conv_lstm_engine.h"
#include "cells/frame_layout.h"
#include "cells/layer_norm.h"

#include <ATen/ATen.h>

#include <ranges>

namespace nowcell {
namespace {

std::vector<Chunk> chunks_of(const ConvLstmArguments& a) {
    const std::int64_t gates = a.x.size(0) * 4 * a.filters() * c10::multiply_integers(a.frame_size());
    return chunks(a.x.size(1), gates * static_cast<std::int64_t>(a.x.element_size()));
}

// One sweep from the last step to the first.
class Backward {
 public:
    Backward(const ConvLstmArguments& arguments, const ConvLstmResult& result, const std::vector<bool>& wanted)
        : a_(arguments), result_(result), wanted_(wanted), grad_(kConvLstmGradients) {
        if (wanted_[kX]) grad_[kX] = empty_gradient(a_.x);
        if (wanted_[kPeephole]) grad_[kPeephole] = at::zeros_like(a_.weights.peephole);
    }

    std::vector<torch::Tensor> run(const torch::Tensor& outputs, const State& last) {
        d_.h = last.h.defined() ? last.h : at::zeros_like(result_.last.h);
        d_.c = last.c.defined() ? last.c : at::zeros_like(result_.last.c, a_.x.options());
        const std::vector<Chunk> all = chunks_of(a_);
        for (const Chunk& chunk : std::views::reverse(all)) sweep(chunk, outputs);
        if (wanted_[kH]) grad_[kH] = d_.h;
        if (wanted_[kC]) grad_[kC] = d_.c;
        return with_plain_layout(grad_);
    }

 private:
    bool norm() const { return a_.weights.norm_input_scale.defined(); }
    bool norm_parts() const { return a_.weights.norm_hidden_scale.defined(); }
    bool recompute() const { return result_.gates.numel() == 0; }

    State before(std::int64_t step) const {
        if (step == 0) return a_.state;
        return {result_.h.select(1, step - 1), saved_c(step - 1)};
    }
    torch::Tensor saved_c(std::int64_t step) const { return result_.c.select(1, step).to(a_.x.scalar_type()); }

    // A step from its saved gates; c is computed again when zoneout has changed the saved one.
    ConvLstmStep stored(std::int64_t step, const State& old) const {
        const std::vector<torch::Tensor> gates = result_.gates.select(1, step).chunk(4, 1);
        ConvLstmStep now{gates[0], gates[1], gates[2], gates[3], saved_c(step), {}};
        if (!a_.noise.keep_c.defined()) return now;
        now.c = now.i * now.g;
        if (old.c.defined()) now.c.addcmul_(now.f, old.c);
        return now;
    }

    void sweep(const Chunk& chunk, const torch::Tensor& outputs) {
        const torch::Tensor frames = a_.x.narrow(1, chunk.first, chunk.count);
        const GateConvolution input{a_.weights.input, a_.weights.bias, a_.noise.input_dropout, a_.rules.convolution};
        const torch::Tensor part = recompute() ? input.forward(frames) : torch::Tensor();
        std::vector<std::int64_t> shape = result_.h.sizes().vec();
        shape[1] = chunk.count;
        shape[2] *= 4;
        const torch::Tensor d_input = at::empty(shape, a_.x.options());
        const torch::Tensor d_hidden = norm_parts() ? at::empty_like(d_input) : d_input;
        for (std::int64_t s = chunk.count - 1; s >= 0; --s) {
            const std::int64_t step = chunk.first + s;
            if (outputs.defined()) d_.h = d_.h + outputs.select(1, step);
            const State old = before(step);
            const torch::Tensor step_part = part.defined() ? part.select(1, s) : part;
            const ConvLstmStep now = recompute()
                                         ? conv_lstm_step(step_part, old, a_.weights, a_.rules, a_.noise.hidden_dropout)
                                         : stored(step, old);
            const State kept = step_gates(step, now, old, d_input.select(1, s));
            if (norm()) norm_step(step_part, old, d_input.select(1, s), d_hidden.select(1, s));
            step_state(old, kept, d_hidden.select(1, s));
        }
        hidden_weight(chunk, d_hidden);
        input_chunk(input, chunk, frames, part, d_input);
    }

    // From the gradient of the new state to that of the gates before their activations, written to `gates`. Leaves the
    // gradient of the old c in d_.c; returns the share of the old h that zoneout keeps.
    State step_gates(std::int64_t step, const ConvLstmStep& now, const State& old, const torch::Tensor& gates) {
        const CellRules& rules = a_.rules;
        const torch::Tensor& peephole = a_.weights.peephole;
        const std::vector<torch::Tensor> d = gates.chunk(4, 1);
        State kept;
        share(a_.noise.keep_h, step, d_.h, kept.h);
        share(a_.noise.keep_c, step, d_.c, kept.c);
        const torch::Tensor out = activate(rules.activation, now.c);
        d[3].copy_(activation_gradient(rules.recurrent_activation, d_.h * out, now.o));
        torch::Tensor d_c = d_.c + activation_gradient(rules.activation, d_.h * now.o, out);
        if (peephole.defined()) d_c.addcmul_(d[3], peephole[2]);
        d[0].copy_(activation_gradient(rules.recurrent_activation, d_c * now.g, now.i));
        d[2].copy_(activation_gradient(rules.activation, d_c * now.i, now.g));
        if (!old.c.defined()) {
            d[1].zero_();
            if (peephole.defined()) peephole_gradient(d, old, now);
            return kept;
        }
        d[1].copy_(activation_gradient(rules.recurrent_activation, d_c * old.c, now.f));
        d_.c = d_c * now.f;
        if (peephole.defined()) {
            d_.c.addcmul_(d[0], peephole[0]).addcmul_(d[1], peephole[1]);
            peephole_gradient(d, old, now);
        }
        if (kept.c.defined()) d_.c.add_(kept.c);
        return kept;
    }

    // Splits a gradient into what reaches the new value, left in `d`, and what the old one keeps.
    static void share(const torch::Tensor& keep, std::int64_t step, torch::Tensor& d, torch::Tensor& kept) {
        if (!keep.defined()) return;
        const torch::Tensor part = keep_at(keep, step);
        kept = part * d;
        d = (1 - part) * d;
    }

    void peephole_gradient(const std::vector<torch::Tensor>& d, const State& old, const ConvLstmStep& now) {
        if (!wanted_[kPeephole]) return;
        const torch::Tensor& sum = grad_[kPeephole];
        const auto reduced = [&](const torch::Tensor& x) { return x.sum_to_size(sum[0].sizes()); };
        sum[2].add_(reduced(d[3] * now.c));
        if (!old.c.defined()) return;
        sum[0].add_(reduced(d[0] * old.c));
        sum[1].add_(reduced(d[1] * old.c));
    }

    // Through the norm: `gates` holds the gradient of the normalised gates, and of the input part afterwards. The input
    // part's own norm is undone for the whole chunk in input_chunk.
    void norm_step(const torch::Tensor& part, const State& old, const torch::Tensor& gates,
                   const torch::Tensor& hidden) {
        const ConvLstmWeights& w = a_.weights;
        const GateConvolution recurrent{w.hidden, {}, a_.noise.hidden_dropout, {}};
        const torch::Tensor hidden_part =
            old.h.defined() ? recurrent.forward(old.h.unsqueeze(1)).squeeze(1) : at::zeros_like(part);
        const torch::Tensor& scale = norm_parts() ? w.norm_hidden_scale : w.norm_input_scale;
        LayerNormGradients d = layer_norm_backward(gates, norm_parts() ? hidden_part : part + hidden_part, scale);
        hidden.copy_(d.x);
        add_norm(norm_parts() ? kHiddenScale : kInputScale, d);
    }

    void add_norm(ConvLstmIndex scale, const LayerNormGradients& d) {
        const auto at = static_cast<std::size_t>(scale);
        if (wanted_[at]) accumulate(grad_[at], d.scale);
        if (wanted_[at + 1]) accumulate(grad_[at + 1], d.shift);
    }

    // The gradient of the old h.
    void step_state(const State& old, const State& kept, const torch::Tensor& hidden) {
        if (!old.h.defined()) return;
        const GateConvolution recurrent{a_.weights.hidden, {}, a_.noise.hidden_dropout, {}};
        d_.h = recurrent.backward(hidden.unsqueeze(1), old.h.unsqueeze(1), {true, false, false}).x.squeeze(1);
        if (kept.h.defined()) d_.h = d_.h + kept.h;
    }

    void hidden_weight(const Chunk& chunk, const torch::Tensor& gates) {
        if (!wanted_[kHidden]) return;
        torch::Tensor old;
        torch::Tensor gradient = gates;
        if (chunk.first > 0) {
            old = result_.h.narrow(1, chunk.first - 1, chunk.count);
        } else {
            old = result_.h.narrow(1, 0, chunk.count - 1);
            if (a_.state.h.defined()) {
                old = at::cat({a_.state.h.unsqueeze(1), old}, 1);
            } else {
                gradient = gates.narrow(1, 1, chunk.count - 1);
            }
        }
        if (old.size(1) == 0) {
            accumulate(grad_[kHidden], at::zeros_like(a_.weights.hidden));
            return;
        }
        const GateConvolution recurrent{a_.weights.hidden, {}, a_.noise.hidden_dropout, {}};
        accumulate(grad_[kHidden], recurrent.backward(gradient, old, {false, true, false}).weight);
    }

    void input_chunk(const GateConvolution& input, const Chunk& chunk, const torch::Tensor& frames,
                     const torch::Tensor& part, torch::Tensor gates) {
        if (norm_parts()) {
            const LayerNormGradients d =
                layer_norm_backward(gates.flatten(0, 1), part.flatten(0, 1), a_.weights.norm_input_scale);
            add_norm(kInputScale, d);
            gates = d.x.view_as(gates);
        }
        if (!wanted_[kX] && !wanted_[kInput] && !wanted_[kBias]) return;
        const ConvolutionGradients d = input.backward(gates, frames, {wanted_[kX], wanted_[kInput], wanted_[kBias]});
        if (wanted_[kX]) grad_[kX].narrow(1, chunk.first, chunk.count).copy_(d.x);
        if (wanted_[kInput]) accumulate(grad_[kInput], d.weight);
        if (wanted_[kBias]) accumulate(grad_[kBias], d.bias);
    }

    const ConvLstmArguments& a_;
    const ConvLstmResult& result_;
    const std::vector<bool>& wanted_;
    std::vector<torch::Tensor> grad_;
    State d_;  // gradient of the state behind the step at hand
};

}  // namespace

ConvLstmResult conv_lstm_allocate(const ConvLstmArguments& a, Saved saved) {
    std::vector<std::int64_t> shape = {a.x.size(0), a.filters()};
    const std::vector<std::int64_t> size = a.frame_size();
    shape.insert(shape.end(), size.begin(), size.end());
    const bool last = a.x.dim() == 5;
    const torch::TensorOptions options = a.x.options();
    const bool half = at::isReducedFloatingType(a.x.scalar_type());
    const torch::TensorOptions c_options = half ? options.dtype(at::kFloat) : options;
    ConvLstmResult result;
    result.last = {empty_frames(shape, options, false), empty_frames(shape, options, false)};
    shape.insert(shape.begin() + 1, a.x.size(1));
    result.h = empty_frames(shape, options, last && is_channels_last(a.x));
    if (saved == Saved::checkpoints && keeps_checkpoints(a)) shape[1] /= checkpoint_distance(a.x.size(1));
    result.c = saved == Saved::none ? at::empty({0}, c_options) : empty_frames(shape, c_options, last);
    shape[1] = a.x.size(1);
    shape[2] *= 4;
    const bool gates = saved == Saved::gates && !a.weights.norm_input_scale.defined();
    result.gates = gates ? empty_frames(shape, options, last) : at::empty({0}, options);
    return result;
}

torch::Tensor empty_gradient(const torch::Tensor& x) {
    return empty_frames(x.sizes(), x.options(), x.dim() == 5 && is_channels_last(x));
}

namespace {

// Of every step, or of the last of each few.
void save_c(const torch::Tensor& saved, std::int64_t step, std::int64_t steps, const torch::Tensor& c) {
    const std::int64_t distance = saved.size(1) == steps ? 1 : checkpoint_distance(steps);
    if ((step + 1) % distance == 0) saved.select(1, step / distance).copy_(c);
}

}  // namespace

ConvLstmResult conv_lstm_forward(const ConvLstmArguments& a, Saved saved) {
    ConvLstmResult result = conv_lstm_allocate(a, saved);
    const GateConvolution input{a.weights.input, a.weights.bias, a.noise.input_dropout, a.rules.convolution};
    State state = a.state;
    for (const Chunk& chunk : chunks_of(a)) {
        const torch::Tensor part = input.forward(a.x.narrow(1, chunk.first, chunk.count));
        for (std::int64_t s = 0; s < chunk.count; ++s) {
            const std::int64_t at = chunk.first + s;
            ConvLstmStep step = conv_lstm_step(part.select(1, s), state, a.weights, a.rules, a.noise.hidden_dropout);
            if (result.gates.numel() > 0) {
                if (!step.f.defined()) step.f = at::zeros_like(step.i);
                torch::Tensor gates = result.gates.select(1, at);
                at::cat_out(gates, {step.i, step.f, step.g, step.o}, 1);
            }
            state = {keep_old(a.noise.keep_h, at, state.h, step.h), keep_old(a.noise.keep_c, at, state.c, step.c)};
            result.h.select(1, at).copy_(state.h);
            if (result.c.numel() > 0) save_c(result.c, at, a.x.size(1), state.c);
        }
    }
    result.last.h.copy_(state.h);
    result.last.c.copy_(state.c);
    return result;
}

std::vector<torch::Tensor> conv_lstm_backward(const ConvLstmArguments& arguments, const ConvLstmResult& result,
                                              const torch::Tensor& outputs, const State& last,
                                              const std::vector<bool>& wanted) {
    if (result.c.size(1) == arguments.x.size(1)) return Backward(arguments, result, wanted).run(outputs, last);
    return Backward(arguments, conv_lstm_forward(arguments, Saved::states), wanted).run(outputs, last);
}

}  // namespace nowcell
