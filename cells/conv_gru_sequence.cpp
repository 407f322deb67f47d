#include "cells/conv_gru_sequence.h"

#include "cells/accumulate.h"
#include "cells/chunks.h"

#include <ATen/ATen.h>

#include <ranges>

namespace nowcell {
namespace {

// Positions in ConvGruArguments::tensors().
enum Index { kX, kH, kInput, kHidden, kBias, kHiddenBias };

std::vector<Chunk> chunks_of(const ConvGruArguments& a) {
    const std::int64_t gates = a.x.size(0) * 3 * a.filters() * c10::multiply_integers(a.frame_size());
    return chunks(a.x.size(1), gates * static_cast<std::int64_t>(a.x.element_size()));
}

torch::Tensor start(const ConvGruArguments& a, const ConvGruResult& result) {
    return a.h.defined() ? a.h : at::zeros_like(result.last);
}

// One sweep from the last step to the first.
class Backward {
 public:
    Backward(const ConvGruArguments& arguments, const ConvGruResult& result, const std::vector<bool>& wanted)
        : a_(arguments),
          result_(result),
          wanted_(wanted),
          hidden_(arguments.weights, arguments.noise.hidden_dropout),
          start_(start(arguments, result)),
          grad_(kConvGruGradients) {
        if (wanted_[kX]) grad_[kX] = at::empty_like(a_.x, at::MemoryFormat::Contiguous);
        if (wanted_[kHidden]) grad_[kHidden] = at::zeros_like(a_.weights.hidden, at::MemoryFormat::Contiguous);
    }

    std::vector<torch::Tensor> run(const torch::Tensor& outputs, const torch::Tensor& last) {
        d_ = last.defined() ? last : at::zeros_like(result_.last);
        const std::vector<Chunk> all = chunks_of(a_);
        for (const Chunk& chunk : std::views::reverse(all)) sweep(chunk, outputs);
        if (wanted_[kH]) grad_[kH] = d_;
        return with_plain_layout(grad_);
    }

 private:
    bool after() const { return a_.rules.reset == Reset::after; }
    bool recompute() const { return result_.gates.numel() == 0; }
    torch::Tensor before(std::int64_t step) const { return step == 0 ? start_ : result_.h.select(1, step - 1); }

    ConvGruStep stored(std::int64_t step) const {
        const std::vector<torch::Tensor> gates = result_.gates.select(1, step).split(a_.filters(), 1);
        return {gates[0], gates[1], gates[2], after() ? gates[3] : torch::Tensor(), {}};
    }

    void sweep(const Chunk& chunk, const torch::Tensor& outputs) {
        const torch::Tensor frames = a_.x.narrow(1, chunk.first, chunk.count);
        const GateConvolution input{a_.weights.input, a_.weights.bias, a_.noise.input_dropout, a_.rules.convolution};
        const torch::Tensor part = recompute() ? input.forward(frames) : torch::Tensor();
        std::vector<std::int64_t> shape = result_.h.sizes().vec();
        shape[1] = chunk.count;
        const torch::Tensor reset_h = after() ? torch::Tensor() : at::empty(shape, a_.x.options());
        shape[2] *= 3;
        const torch::Tensor d_input = at::empty(shape, a_.x.options());
        const torch::Tensor d_hidden = after() ? at::empty_like(d_input) : d_input;
        for (std::int64_t s = chunk.count - 1; s >= 0; --s) {
            const std::int64_t step = chunk.first + s;
            if (outputs.defined()) d_ = d_ + outputs.select(1, step);
            const torch::Tensor h = before(step);
            const ConvGruStep now = recompute() ? conv_gru_step(part.select(1, s), h, hidden_, a_.rules) : stored(step);
            if (!after()) reset_h.select(1, s).copy_(now.r * h);
            step_back(step, now, h, d_input.select(1, s), d_hidden.select(1, s));
        }
        hidden_weight(chunk, d_hidden, reset_h);
        if (!wanted_[kX] && !wanted_[kInput] && !wanted_[kBias]) return;
        const ConvolutionGradients d = input.backward(d_input, frames, {wanted_[kX], wanted_[kInput], wanted_[kBias]});
        if (wanted_[kX]) grad_[kX].narrow(1, chunk.first, chunk.count).copy_(d.x);
        if (wanted_[kInput]) accumulate(grad_[kInput], d.weight);
        if (wanted_[kBias]) accumulate(grad_[kBias], d.bias);
    }

    // From the gradient of the new h to that of the old one in d_, and to those of the two parts of the gates.
    void step_back(std::int64_t step, const ConvGruStep& now, const torch::Tensor& h, const torch::Tensor& input,
                   const torch::Tensor& hidden) {
        const ConvGruRules& rules = a_.rules;
        torch::Tensor kept;
        if (a_.noise.keep_h.defined()) {
            const torch::Tensor share = keep_at(a_.noise.keep_h, step);
            kept = share * d_;
            d_ = (1 - share) * d_;
        }
        const bool keep = rules.update == Update::keep;
        const torch::Tensor to_old = keep ? now.z : 1 - now.z;
        const torch::Tensor to_new = keep ? 1 - now.z : now.z;
        const torch::Tensor dz = d_ * (keep ? h - now.g : now.g - h);
        const std::vector<torch::Tensor> d = input.chunk(3, 1);
        d[0].copy_(activation_gradient(rules.recurrent_activation, dz, now.z));
        d[2].copy_(activation_gradient(rules.activation, d_ * to_new, now.g));
        torch::Tensor old = d_ * to_old;
        if (after()) {
            d[1].copy_(activation_gradient(rules.recurrent_activation, d[2] * now.u, now.r));
            hidden.copy_(input);
            hidden.chunk(3, 1)[2].mul_(now.r);
            old.add_(through(hidden_.all, hidden, h));
        } else {
            const torch::Tensor reset_h = through(hidden_.candidate, d[2], h);
            d[1].copy_(activation_gradient(rules.recurrent_activation, reset_h * h, now.r));
            old.addcmul_(reset_h, now.r);
            old.add_(through(hidden_.update_reset, input.narrow(1, 0, 2 * a_.filters()), h));
        }
        d_ = kept.defined() ? old.add_(kept) : old;
    }

    static torch::Tensor through(const GateConvolution& convolution, const torch::Tensor& gates,
                                 const torch::Tensor& h) {
        return convolution.backward(gates.unsqueeze(1), h.unsqueeze(1), {true, false, false}).x.squeeze(1);
    }

    void hidden_weight(const Chunk& chunk, const torch::Tensor& gates, const torch::Tensor& reset_h) {
        if (wanted_[kHiddenBias]) accumulate(grad_[kHiddenBias], sum_to_channels(gates));
        if (!wanted_[kHidden]) return;
        const torch::Tensor old = chunk.first > 0
                                      ? result_.h.narrow(1, chunk.first - 1, chunk.count)
                                      : at::cat({start_.unsqueeze(1), result_.h.narrow(1, 0, chunk.count - 1)}, 1);
        const std::array<bool, 3> weight = {false, true, false};
        if (after()) {
            grad_[kHidden].add_(hidden_.all.backward(gates, old, weight).weight);
            return;
        }
        const std::int64_t filters = a_.filters();
        const auto rows = [&](std::int64_t first, std::int64_t count) {
            return grad_[kHidden].narrow(0, first * filters, count * filters);
        };
        rows(0, 2).add_(hidden_.update_reset.backward(gates.narrow(2, 0, 2 * filters), old, weight).weight);
        rows(2, 1).add_(hidden_.candidate.backward(gates.narrow(2, 2 * filters, filters), reset_h, weight).weight);
    }

    // (B,N,3F,size...) to (3F).
    static torch::Tensor sum_to_channels(const torch::Tensor& gates) { return gates.transpose(0, 2).flatten(1).sum(1); }

    const ConvGruArguments& a_;
    const ConvGruResult& result_;
    const std::vector<bool>& wanted_;
    ConvGruHidden hidden_;
    torch::Tensor start_;
    std::vector<torch::Tensor> grad_;
    torch::Tensor d_;  // gradient of the state behind the step at hand
};

}  // namespace

ConvGruResult conv_gru_allocate(const ConvGruArguments& a, Saved saved) {
    std::vector<std::int64_t> shape = {a.x.size(0), a.filters()};
    const std::vector<std::int64_t> size = a.frame_size();
    shape.insert(shape.end(), size.begin(), size.end());
    ConvGruResult result;
    result.last = at::empty(shape, a.x.options());
    shape.insert(shape.begin() + 1, a.x.size(1));
    result.h = at::empty(shape, a.x.options());
    shape[2] *= a.rules.reset == Reset::after ? 4 : 3;
    result.gates = at::empty(saved == Saved::gates ? at::IntArrayRef(shape) : at::IntArrayRef({0}), a.x.options());
    return result;
}

ConvGruResult conv_gru_forward(const ConvGruArguments& a, Saved saved) {
    ConvGruResult result = conv_gru_allocate(a, saved);
    const GateConvolution input{a.weights.input, a.weights.bias, a.noise.input_dropout, a.rules.convolution};
    const ConvGruHidden hidden(a.weights, a.noise.hidden_dropout);
    torch::Tensor h = start(a, result);
    for (const Chunk& chunk : chunks_of(a)) {
        const torch::Tensor part = input.forward(a.x.narrow(1, chunk.first, chunk.count));
        for (std::int64_t s = 0; s < chunk.count; ++s) {
            const std::int64_t at = chunk.first + s;
            const ConvGruStep step = conv_gru_step(part.select(1, s), h, hidden, a.rules);
            if (saved == Saved::gates) {
                std::vector<torch::Tensor> parts = {step.z, step.r, step.g};
                if (step.u.defined()) parts.push_back(step.u);
                torch::Tensor gates = result.gates.select(1, at);
                at::cat_out(gates, parts, 1);
            }
            h = keep_old(a.noise.keep_h, at, h, step.h);
            result.h.select(1, at).copy_(h);
        }
    }
    result.last.copy_(h);
    return result;
}

std::vector<torch::Tensor> conv_gru_backward(const ConvGruArguments& arguments, const ConvGruResult& result,
                                             const torch::Tensor& outputs, const torch::Tensor& last,
                                             const std::vector<bool>& wanted) {
    return Backward(arguments, result, wanted).run(outputs, last);
}

}  // namespace nowcell
