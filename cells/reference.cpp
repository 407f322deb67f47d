#include "cells/reference.h"

#include "cells/layer_norm.h"

#include <ATen/ATen.h>

#include <vector>

namespace nowcell {
namespace {

torch::Tensor plus_peephole(const torch::Tensor& gate, const torch::Tensor& c, const torch::Tensor& peephole,
                            std::int64_t which) {
    if (!peephole.defined() || !c.defined()) return gate;
    return at::addcmul(gate, peephole[which], c);
}

torch::Tensor apply(const GateConvolution& convolution, const torch::Tensor& h) {
    return convolution.forward(h.unsqueeze(1)).squeeze(1);
}

// The gates before peepholes and activations; a zero state has no recurrent part.
torch::Tensor conv_lstm_gates(const torch::Tensor& input_part, const torch::Tensor& h, const ConvLstmWeights& weights,
                              const torch::Tensor& hidden_dropout) {
    torch::Tensor hidden_part;
    if (h.defined()) hidden_part = apply({weights.hidden, {}, hidden_dropout, {}}, h);
    if (weights.norm_hidden_scale.defined()) {
        // Zeros are not nothing here: the norm turns them into its shift.
        if (!h.defined()) hidden_part = at::zeros_like(input_part);
        return layer_norm(input_part, weights.norm_input_scale, weights.norm_input_shift) +
               layer_norm(hidden_part, weights.norm_hidden_scale, weights.norm_hidden_shift);
    }
    const torch::Tensor sum = h.defined() ? input_part + hidden_part : input_part;
    if (!weights.norm_input_scale.defined()) return sum;
    return layer_norm(sum, weights.norm_input_scale, weights.norm_input_shift);
}

}  // namespace

ConvLstmStep conv_lstm_step(const torch::Tensor& input_part, const State& old, const ConvLstmWeights& weights,
                            const CellRules& rules, const torch::Tensor& hidden_dropout) {
    const torch::Tensor& peephole = weights.peephole;
    const std::vector<torch::Tensor> gates = conv_lstm_gates(input_part, old.h, weights, hidden_dropout).chunk(4, 1);
    ConvLstmStep step;
    step.i = activate(rules.recurrent_activation, plus_peephole(gates[0], old.c, peephole, 0));
    step.g = activate(rules.activation, gates[2]);
    step.c = step.i * step.g;
    if (old.c.defined()) {
        step.f = activate(rules.recurrent_activation, plus_peephole(gates[1], old.c, peephole, 1));
        step.c = at::addcmul(step.c, step.f, old.c);
    }
    step.o = activate(rules.recurrent_activation, plus_peephole(gates[3], step.c, peephole, 2));
    step.h = step.o * activate(rules.activation, step.c);
    return step;
}

torch::Tensor conv_lstm_reference(const torch::Tensor& x, State& state, const ConvLstmWeights& weights,
                                  const CellRules& rules, const SequenceNoise& noise) {
    // The input part does not depend on the state: one convolution over all frames.
    const torch::Tensor input_part =
        GateConvolution{weights.input, weights.bias, noise.input_dropout, rules.convolution}.forward(x);
    std::vector<torch::Tensor> outputs;
    outputs.reserve(static_cast<std::size_t>(x.size(1)));
    // unbind, not select: its backward writes each step once instead of a zero-filled sequence per step.
    for (const torch::Tensor& part : input_part.unbind(1)) {
        const auto at = static_cast<std::int64_t>(outputs.size());
        const ConvLstmStep step = conv_lstm_step(part, state, weights, rules, noise.hidden_dropout);
        state = {keep_old(noise.keep_h, at, state.h, step.h), keep_old(noise.keep_c, at, state.c, step.c)};
        outputs.push_back(state.h);
    }
    return at::stack(outputs, 1);
}

ConvGruHidden::ConvGruHidden(const ConvGruWeights& weights, const torch::Tensor& dropout)
    : all{weights.hidden, weights.hidden_bias, dropout, {}} {
    const std::int64_t filters = weights.hidden.size(1);
    const auto part = [&](std::int64_t first, std::int64_t count) {
        return GateConvolution{weights.hidden.narrow(0, first * filters, count * filters),
                               {},
                               dropout.defined() ? dropout.narrow(1, first, count) : dropout,
                               {}};
    };
    update_reset = part(0, 2);
    candidate = part(2, 1);
}

ConvGruStep conv_gru_step(const torch::Tensor& input_part, const torch::Tensor& h, const ConvGruHidden& hidden,
                          const ConvGruRules& rules) {
    const std::int64_t filters = input_part.size(1) / 3;
    const bool after = rules.reset == Reset::after;
    const torch::Tensor part = apply(after ? hidden.all : hidden.update_reset, h);
    const torch::Tensor gates =
        activate(rules.recurrent_activation, input_part.narrow(1, 0, 2 * filters) + part.narrow(1, 0, 2 * filters));
    ConvGruStep step;
    step.z = gates.narrow(1, 0, filters);
    step.r = gates.narrow(1, filters, filters);
    if (after) step.u = part.narrow(1, 2 * filters, filters);
    const torch::Tensor recurrent = after ? step.r * step.u : apply(hidden.candidate, step.r * h);
    step.g = activate(rules.activation, input_part.narrow(1, 2 * filters, filters) + recurrent);
    const bool keep = rules.update == Update::keep;
    step.h = keep ? step.z * h + (1 - step.z) * step.g : (1 - step.z) * h + step.z * step.g;
    return step;
}

torch::Tensor conv_gru_reference(const torch::Tensor& x, State& state, const ConvGruWeights& weights,
                                 const ConvGruRules& rules, const SequenceNoise& noise) {
    const torch::Tensor input_part =
        GateConvolution{weights.input, weights.bias, noise.input_dropout, rules.convolution}.forward(x);
    const ConvGruHidden hidden(weights, noise.hidden_dropout);
    if (!state.h.defined()) {
        std::vector<std::int64_t> shape = input_part.sizes().vec();
        shape.erase(shape.begin() + 1);
        shape[1] /= 3;
        state.h = at::zeros(shape, input_part.options());
    }
    std::vector<torch::Tensor> outputs;
    for (const torch::Tensor& part : input_part.unbind(1)) {
        const auto at = static_cast<std::int64_t>(outputs.size());
        state.h = keep_old(noise.keep_h, at, state.h, conv_gru_step(part, state.h, hidden, rules).h);
        outputs.push_back(state.h);
    }
    return at::stack(outputs, 1);
}

}  // namespace nowcell
