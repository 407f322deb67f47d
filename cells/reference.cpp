#include "cells/reference.h"

#include <ATen/ATen.h>

#include <vector>

namespace nowcell {

torch::Tensor pad_same(const torch::Tensor& x, std::int64_t kernel) {
    const std::int64_t before = (kernel - 1) / 2;
    const std::int64_t after = kernel - 1 - before;
    return at::constant_pad_nd(x, {before, after, before, after});
}

torch::Tensor conv_same(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
    const std::int64_t kernel = weight.size(-1);
    const std::int64_t side = kernel / 2;
    if (kernel % 2 == 1) return at::conv2d(x, weight, bias, 1, at::IntArrayRef({side, side}));
    return at::conv2d(pad_same(x, kernel), weight, bias);
}

State conv_lstm_step(const torch::Tensor& gates, const State& state, const torch::Tensor& hidden_weight) {
    const bool first = !state.defined();
    const torch::Tensor sum = first ? gates : gates + conv_same(state.h, hidden_weight, {});
    const std::int64_t filters = sum.size(1) / 4;
    const torch::Tensor input_forget = at::sigmoid(sum.narrow(1, 0, 2 * filters));
    const torch::Tensor candidate = at::tanh(sum.narrow(1, 2 * filters, filters));
    const torch::Tensor output = at::sigmoid(sum.narrow(1, 3 * filters, filters));
    const torch::Tensor gained = input_forget.narrow(1, 0, filters) * candidate;
    State next;
    next.c = first ? gained : at::addcmul(gained, input_forget.narrow(1, filters, filters), state.c);
    next.h = output * at::tanh(next.c);
    return next;
}

torch::Tensor conv_lstm_reference(const torch::Tensor& x, State& state, const ConvLstmWeights& weights) {
    const std::int64_t batch = x.size(0);
    const std::int64_t steps = x.size(1);
    // The input part does not depend on the state: one convolution over all frames.
    const torch::Tensor gates = conv_same(x.flatten(0, 1), weights.input, weights.bias);
    std::vector<torch::Tensor> outputs;
    outputs.reserve(static_cast<std::size_t>(steps));
    // unbind, not select: its backward writes each step once instead of a zero-filled sequence per step.
    for (const torch::Tensor& step : gates.unflatten(0, {batch, steps}).unbind(1)) {
        state = conv_lstm_step(step, state, weights.hidden);
        outputs.push_back(state.h);
    }
    return at::stack(outputs, 1);
}

}  // namespace nowcell
