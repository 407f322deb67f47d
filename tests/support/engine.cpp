#include "tests/support/engine.h"

#include "cells/cpu/engine_use.h"
#include "cells/cpu/isa.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <cstdlib>
#include <sstream>

using nowcell::Algorithm;
using nowcell::CellRules;
using nowcell::EngineUse;
using nowcell::State;

namespace {

const std::vector<std::string> kNames = {"x", "h", "c", "input", "hidden", "bias", "peephole"};

std::vector<torch::Tensor> all_leaves(const CellCall& call) {
    return {call.x,
            call.state.h,
            call.state.c,
            call.weights.input,
            call.weights.hidden,
            call.weights.bias,
            call.weights.peephole};
}

CellAnswer with_gradients(std::vector<torch::Tensor> values, const std::vector<torch::Tensor>& leaves) {
    CellAnswer answer{std::move(values), {}};
    // A hidden weight of a single step from no state has no influence.
    answer.gradients = torch::autograd::grad({smooth_loss(answer.values)}, leaves, {}, {}, false, true);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        if (!answer.gradients[i].defined()) answer.gradients[i] = at::zeros_like(leaves[i]);
    }
    return answer;
}

std::string text_of(const EngineUse& use) {
    return use.layer + ": " + use.engine + " [" + use.reason + "], " + std::to_string(use.forward_calls) +
           " forward, " + std::to_string(use.backward_calls) + " backward";
}

template <class Fits>
std::string first_other(const Fits& fits, bool backward) {
    std::int64_t forward_calls = 0;
    std::int64_t backward_calls = 0;
    for (const EngineUse& use : nowcell::engine_uses()) {
        if (!fits(use)) return text_of(use);
        forward_calls += use.forward_calls;
        backward_calls += use.backward_calls;
    }
    if (forward_calls == 0) return "no forward call";
    if (backward && backward_calls == 0) return "no backward call";
    return "";
}

}  // namespace

std::string CallShape::text() const {
    std::ostringstream text;
    text << "batch " << batch << ", " << steps << " steps, " << channels << " -> " << filters << ", " << height << "x"
         << width << ", kernel " << kernel;
    return text.str();
}

std::vector<torch::Tensor> CellCall::leaves() const {
    std::vector<torch::Tensor> defined;
    for (const torch::Tensor& tensor : all_leaves(*this)) {
        if (tensor.defined()) defined.push_back(tensor);
    }
    return defined;
}

std::vector<std::string> CellCall::leaf_names() const {
    std::vector<std::string> names;
    const std::vector<torch::Tensor> leaves = all_leaves(*this);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        if (leaves[i].defined()) names.push_back(kNames[i]);
    }
    return names;
}

CellCall CellCall::copy(at::ScalarType type) const {
    const auto leaf = [type](const torch::Tensor& tensor) {
        return tensor.defined() ? tensor.detach().to(type, false, true).requires_grad_(true) : tensor;
    };
    const auto number = [type](const torch::Tensor& tensor) { return tensor.defined() ? tensor.to(type) : tensor; };
    CellCall other = *this;
    other.x = leaf(x);
    other.state = {leaf(state.h), leaf(state.c)};
    other.weights.input = leaf(weights.input);
    other.weights.hidden = leaf(weights.hidden);
    other.weights.bias = leaf(weights.bias);
    other.weights.peephole = leaf(weights.peephole);
    other.noise = {number(noise.input_dropout), number(noise.hidden_dropout), number(noise.keep_h),
                   number(noise.keep_c)};
    return other;
}

CellCall random_call(const CallShape& s, std::uint64_t seed) {
    at::manual_seed(seed);
    const auto normal = [](at::IntArrayRef shape, double scale) {
        return (at::randn(shape, at::kFloat) * scale).requires_grad_(true);
    };
    const auto area = static_cast<double>(s.kernel * s.kernel);
    CellCall call;
    call.x = normal({s.batch, s.steps, s.channels, s.height, s.width}, 1.0);
    call.state.h = normal({s.batch, s.filters, s.height, s.width}, 0.5);
    call.state.c = normal({s.batch, s.filters, s.height, s.width}, 0.8);
    call.weights.input = normal({4 * s.filters, s.channels, s.kernel, s.kernel},
                                1.0 / std::sqrt(area * static_cast<double>(s.channels)));
    call.weights.hidden =
        normal({4 * s.filters, s.filters, s.kernel, s.kernel}, 1.0 / std::sqrt(area * static_cast<double>(s.filters)));
    call.weights.bias = normal({4 * s.filters}, 0.3);
    return call;
}

torch::Tensor smooth_loss(const std::vector<torch::Tensor>& parts) {
    torch::Tensor sum;
    double phase = 0.2;
    for (const torch::Tensor& part : parts) {
        const torch::Tensor n = at::arange(part.numel(), at::kDouble).view(part.sizes());
        const torch::Tensor probe = at::sin(n * 0.31 + phase).to(part.scalar_type());
        const torch::Tensor term = (part * probe + 0.25 * part * part).sum();
        sum = sum.defined() ? sum + term : term;
        phase += 0.7;
    }
    return sum;
}

CellAnswer answer_of_definition(const CellCall& call) {
    State state = call.state;
    const torch::Tensor h = nowcell::conv_lstm_reference(call.x, state, call.weights, call.rules, call.noise);
    return with_gradients({h, state.h, state.c}, call.leaves());
}

CellAnswer answer_of(const CellCall& call, Algorithm algorithm, nowcell::Memory memory, bool gradients) {
    State state = call.state;
    const torch::Tensor h =
        nowcell::conv_lstm(call.x, state, call.weights, call.rules, call.noise, call.order, memory, algorithm);
    if (!gradients) return {{h, state.h, state.c}, {}};
    return with_gradients({h, state.h, state.c}, call.leaves());
}

double largest_difference(const torch::Tensor& a, const torch::Tensor& b) {
    if (a.numel() == 0) return 0.0;
    return (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).abs().max().item<double>();
}

double relative_error(const torch::Tensor& a, const torch::Tensor& b) {
    const torch::Tensor exact = b.detach().to(at::kDouble);
    const double size = exact.norm().item<double>();
    const double error = (a.detach().to(at::kDouble) - exact).norm().item<double>();
    return size == 0.0 ? error : error / size;
}

std::string misses(const CellAnswer& got, const CellAnswer& exact, const std::vector<std::string>& names) {
    std::ostringstream text;
    static const std::vector<std::string> kValues = {"outputs", "last h", "last c"};
    // "not at most" instead of "more than": NaN is a miss.
    for (std::size_t i = 0; i < exact.values.size(); ++i) {
        const double error = largest_difference(got.values[i], exact.values[i]);
        if (!(error <= kStateTolerance)) text << kValues[i] << " off by " << error << "; ";
    }
    if (got.gradients.size() != exact.gradients.size()) text << "other gradients; ";
    for (std::size_t i = 0; i < got.gradients.size() && i < exact.gradients.size(); ++i) {
        const double error = relative_error(got.gradients[i], exact.gradients[i]);
        if (!(error <= kGradientTolerance)) text << "gradient of " << names[i] << " off by " << error << "; ";
    }
    return text.str();
}

bool has_engines() { return nowcell::cpu::isa() != nowcell::cpu::Isa::plain; }

std::vector<Algorithm> engines_for(std::int64_t kernel) {
    std::vector<Algorithm> all = {Algorithm::direct};
    if (kernel == 3 || kernel == 5) all.push_back(Algorithm::winograd_safe);
    if (kernel == 3 || kernel == 5 || kernel == 7) all.push_back(Algorithm::winograd_fast);
    return all;
}

std::string not_computed_by(Algorithm algorithm, bool backward) {
    if (!has_engines()) return not_by_reference("no kernels for this processor", backward);
    const std::string begin = name_of(algorithm) + ", " + nowcell::cpu::name_of(nowcell::cpu::isa()) + ", ";
    const auto fits = [&](const EngineUse& use) { return use.engine.starts_with(begin) && use.reason.empty(); };
    return first_other(fits, backward);
}

std::string not_by_reference(const std::string& reason, bool backward) {
    const auto fits = [&](const EngineUse& use) {
        return use.engine == "reference" && !use.reason.empty() && use.reason.find(reason) != std::string::npos;
    };
    return first_other(fits, backward);
}

std::int64_t test_shapes(std::int64_t usual) {
    const char* count = std::getenv("NOWCELL_TEST_SHAPES");
    return count == nullptr ? usual : std::stoll(count);
}
