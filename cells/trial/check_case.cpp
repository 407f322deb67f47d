#include "cells/trial/check_case.h"

#include "cells/conv_lstm_sequence.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

namespace nowcell {

std::string CheckCase::text() const {
    std::string out;
    for (const std::int64_t n : {batch, steps, channels}) out += (out.empty() ? "" : ",") + std::to_string(n);
    return out + "->" + std::to_string(filters) + "," + std::to_string(height) + "x" + std::to_string(width) + "," +
           std::to_string(kernel);
}

const std::vector<CheckCase>& check_cases() {
    static const std::vector<CheckCase> cases = {
        {.name = "even", .steps = 4, .channels = 8, .filters = 16, .height = 16, .width = 16},
        {.name = "odd sizes"},
        {.name = "B = 1, T = 1", .batch = 1, .steps = 1, .channels = 3, .filters = 4},
        {.name = "one channel", .batch = 3, .steps = 5, .channels = 1, .filters = 1, .height = 7, .width = 5},
        {.name = "one pixel wide", .height = 13, .width = 1},
        {.name = "wide", .channels = 40, .filters = 72, .height = 21, .width = 19},
        {.name = "kernel 1", .filters = 12, .kernel = 1},
        {.name = "kernel 5", .batch = 1, .channels = 9, .filters = 12, .height = 17, .width = 12, .kernel = 5},
        {.name = "kernel 7", .batch = 1, .filters = 6, .height = 15, .width = 14, .kernel = 7},
        {.name = "from a state", .state = true},
        {.name = "no bias", .bias = false},
        {.name = "channels last", .channels = 8, .filters = 8, .state = true, .channels_last = true},
        {.name = "recompute", .steps = 5, .memory = Memory::recompute},
        {.name = "checkpoint", .steps = 7, .memory = Memory::checkpoint},
        {.name = "peephole channel", .peephole = Peephole::channel, .state = true},
        {.name = "peephole pixel", .peephole = Peephole::pixel, .state = true},
        {.name = "hard sigmoid", .activation = Activation::linear, .recurrent_activation = Activation::hard_sigmoid},
        {.name = "relu", .activation = Activation::relu},
        {.name = "norm channels", .norm = GateNorm::channels, .state = true},
        {.name = "norm frame", .norm = GateNorm::frame},
        {.name = "norm of the sum", .norm = GateNorm::channels, .norm_on = NormOn::sum},
    };
    return cases;
}

CheckInputs::CheckInputs(const CheckCase& problem, torch::ScalarType type) {
    const CheckCase& p = problem;
    at::Generator generator = at::detail::createCPUGenerator(7);
    const auto numbers = [&](std::vector<std::int64_t> shape, double scale, double mean = 0.0) {
        return (at::randn(shape, generator, at::kDouble) * scale + mean).to(type).to(at::kDouble);
    };
    const double area = static_cast<double>(p.kernel * p.kernel);
    const std::vector<std::int64_t> size = {p.height, p.width};
    const std::int64_t gates = 4 * p.filters;
    x = numbers({p.batch, p.steps, p.channels, p.height, p.width}, 1.0);
    if (p.channels_last) x = x.permute({0, 1, 3, 4, 2}).contiguous().permute({0, 1, 4, 2, 3});
    if (p.state) state.h = numbers({p.batch, p.filters, p.height, p.width}, 0.5);
    if (p.state) state.c = numbers({p.batch, p.filters, p.height, p.width}, 0.7);
    weights.input =
        numbers({gates, p.channels, p.kernel, p.kernel}, 1.0 / std::sqrt(area * static_cast<double>(p.channels)));
    weights.hidden =
        numbers({gates, p.filters, p.kernel, p.kernel}, 1.0 / std::sqrt(area * static_cast<double>(p.filters)));
    if (p.bias) weights.bias = numbers({gates}, 0.3);
    if (p.peephole == Peephole::channel) weights.peephole = numbers({3, p.filters, 1, 1}, 0.3);
    if (p.peephole == Peephole::pixel) weights.peephole = numbers({3, p.filters, p.height, p.width}, 0.3);
    if (p.norm != GateNorm::none) {
        const std::vector<std::int64_t> shape = p.norm == GateNorm::frame
                                                    ? std::vector<std::int64_t>{gates, p.height, p.width}
                                                    : std::vector<std::int64_t>{gates};
        weights.norm_input_scale = numbers(shape, 0.2, 1.0);
        weights.norm_input_shift = numbers(shape, 0.2);
        if (p.norm_on == NormOn::parts) weights.norm_hidden_scale = numbers(shape, 0.2, 1.0);
        if (p.norm_on == NormOn::parts) weights.norm_hidden_shift = numbers(shape, 0.2);
    }
    d_h = numbers({p.batch, p.steps, p.filters, p.height, p.width}, 1.0);
    d_c = numbers({p.batch, p.filters, p.height, p.width}, 1.0);
}

CheckInputs CheckInputs::leaves(const torch::Device& device, torch::ScalarType type) const {
    const auto leaf = [&](const torch::Tensor& t) {
        return t.defined() ? t.to(device, type, false, true).detach().requires_grad_(true) : t;
    };
    const ConvLstmWeights& w = weights;
    CheckInputs out;
    out.x = leaf(x);
    out.state = {leaf(state.h), leaf(state.c)};
    out.weights = {leaf(w.input),
                   leaf(w.hidden),
                   leaf(w.bias),
                   leaf(w.peephole),
                   leaf(w.norm_input_scale),
                   leaf(w.norm_input_shift),
                   leaf(w.norm_hidden_scale),
                   leaf(w.norm_hidden_shift)};
    out.d_h = d_h.to(device, type);
    out.d_c = d_c.to(device, type);
    return out;
}

std::vector<torch::Tensor> CheckInputs::tensors() const {
    std::vector<torch::Tensor> all = ConvLstmArguments{x, state, weights}.tensors();
    all.resize(kConvLstmGradients);
    return all;
}

}  // namespace nowcell
