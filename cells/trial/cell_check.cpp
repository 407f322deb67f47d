#include "cells/trial/cell_check.h"

#include "cells/conv_lstm_operator.h"
#include "cells/cpu/engine_use.h"
#include "cells/trial/check_case.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace nowcell {
namespace {

// Results that are judged together; places in Answer::numbers.
struct Group {
    const char* name;
    std::vector<std::size_t> places;
};
const std::vector<Group>& groups() {
    static const std::vector<Group> all = {
        {"h", {0}},       {"c", {1}},        {"d x", {2}},    {"d state", {3, 4}},
        {"d input", {5}}, {"d hidden", {6}}, {"d bias", {7}}, {"d options", {8, 9, 10, 11, 12}}};
    return all;
}

/// h (B,T,F,H,W), the last c (B,F,H,W), and the gradients; float64 on the CPU, undefined where there are none.
using Answer = std::vector<torch::Tensor>;

template <class Cell>
Answer answer_of(const CheckInputs& inputs, const Cell& cell) {
    State state = inputs.state;
    const torch::Tensor h = cell(state);
    torch::autograd::backward({h, state.c}, {inputs.d_h, inputs.d_c});
    Answer answer = {h.detach(), state.c.detach()};
    for (const torch::Tensor& leaf : inputs.tensors()) {
        // A hidden weight of a single step from no state has no influence.
        torch::Tensor gradient = leaf.defined() ? leaf.grad() : leaf;
        if (leaf.defined() && !gradient.defined()) gradient = at::zeros_like(leaf);
        answer.push_back(gradient);
    }
    for (torch::Tensor& tensor : answer) {
        if (tensor.defined()) tensor = tensor.to(at::kCPU, at::kDouble).contiguous();
    }
    return answer;
}

// Empty if `algorithm` computed all that ran since forget_engine_uses(), forward and backward; else what did, and why.
std::string computed_by_another(Algorithm algorithm) {
    std::int64_t forward = 0, backward = 0;
    for (const EngineUse& use : engine_uses()) {
        const std::string engine = use.engine.substr(0, use.engine.find(','));
        const bool asked = algorithm == Algorithm::automatic ? engine != "reference" : engine == name_of(algorithm);
        if (!asked) return use.engine + (use.reason.empty() ? "" : ": " + use.reason);
        forward += use.forward_calls;
        backward += use.backward_calls;
    }
    if (forward == 0 || backward == 0) return "nothing said that it computed";
    return "";
}

// TF32 for the convolutions of cuDNN as `allow` says, and as before at the end of the scope.
class Tf32 {
 public:
    explicit Tf32(bool allow) { at::globalContext().setAllowTF32CuDNN(allow); }
    ~Tf32() { at::globalContext().setAllowTF32CuDNN(before_); }
    Tf32(const Tf32&) = delete;
    Tf32& operator=(const Tf32&) = delete;

 private:
    bool before_ = at::globalContext().allowTF32CuDNN();
};

struct CheckType {
    std::string name;
    torch::ScalarType type;
    bool tf32 = false;
};

std::vector<CheckType> check_types(const torch::Device& device) {
    std::vector<CheckType> types;
    if (!device.is_cpu()) types.push_back({"tf32", torch::kFloat, true});
    types.push_back({"float32", torch::kFloat});
    types.push_back({"float16", torch::kHalf});
    types.push_back({"bfloat16", torch::kBFloat16});
    return types;
}

CheckRow check_row(const CheckCase& problem, const CheckInputs& inputs, const Answer& truth, const CheckType& type,
                   const torch::Device& device, Algorithm algorithm) {
    CheckRow row{problem.name, problem.text(), type.name, algorithm, {}, allowed_error(device, type.name, algorithm)};
    const CheckInputs leaves = inputs.leaves(device, type.type);
    const CellRules rules{{}, problem.activation, problem.recurrent_activation};
    forget_engine_uses();
    try {
        const Tf32 tf32(type.tf32);
        const Answer got = answer_of(leaves, [&](State& state) {
            return conv_lstm(leaves.x, state, leaves.weights, rules, {}, {}, problem.memory, algorithm);
        });
        bool passed = true;
        for (const Group& group : groups()) {
            Answer of_got, of_truth;
            for (const std::size_t place : group.places) {
                if (!truth[place].defined()) continue;
                of_got.push_back(got[place]);
                of_truth.push_back(truth[place]);
            }
            if (of_truth.empty()) continue;
            row.tensors.push_back(compare(group.name, of_got, of_truth, row.allowed));
            passed = passed && row.tensors.back().passed;
        }
        const std::string other = computed_by_another(algorithm);
        row.computed = other.empty() ? engine_uses().front().engine : other;
        row.state = !passed ? CheckState::failed : other.empty() ? CheckState::passed : CheckState::not_run;
    } catch (const std::exception& error) {
        const std::string what = error.what();
        row.computed = what.substr(0, what.find('\n'));
    }
    return row;
}

}  // namespace

CheckedTensor compare(const char* name, const std::vector<torch::Tensor>& got,
                      const std::vector<torch::Tensor>& expected, double allowed) {
    CheckedTensor out{name};
    double error = 0.0, norm = 0.0, largest = 0.0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const torch::Tensor difference = got[i] - expected[i];
        error += difference.square().sum().item<double>();
        norm += expected[i].square().sum().item<double>();
        largest = std::max(largest, expected[i].abs().max().item<double>());
        const double peak = difference.abs().max().item<double>();
        // A comparison with NaN is never true; std::max would drop it.
        if (std::isnan(peak) || peak > out.absolute) out.absolute = peak;
    }
    out.relative = error == 0.0 ? 0.0 : std::sqrt(error / norm);
    out.passed = out.relative <= allowed && out.absolute <= kPeakOfNorm * allowed * largest;
    return out;
}

const char* name_of(CheckState state) {
    return state == CheckState::passed ? "PASS" : state == CheckState::failed ? "FAIL" : "NOT RUN";
}

double allowed_error(const torch::Device& device, const std::string& type, Algorithm algorithm) {
    if (type == "float16") return 6e-3;
    if (type == "bfloat16") return 5e-2;
    // The products of implicit-gemm are TF32.
    if (type == "tf32" || (!device.is_cpu() && algorithm == Algorithm::implicit_gemm)) return 4e-3;
    if (algorithm == Algorithm::winograd_fast) return 5e-5;
    return algorithm == Algorithm::winograd_safe ? 1e-5 : 2e-6;
}

std::vector<CheckRow> check_cells(const torch::Device& device, const Progress& progress) {
    std::vector<CheckRow> rows;
    for (const CheckCase& problem : check_cases()) {
        for (const CheckType& type : check_types(device)) {
            const CheckInputs inputs(problem, type.type);
            const CheckInputs leaves = inputs.leaves(torch::kCPU, torch::kDouble);
            const Answer truth = answer_of(leaves, [&](State& state) {
                const CellRules rules{{}, problem.activation, problem.recurrent_activation};
                return conv_lstm_reference(leaves.x, state, leaves.weights, rules);
            });
            for (const Algorithm algorithm : engines_of(device)) {
                // On a CPU our kernels are of float32; 16 bits are LibTorch's alone.
                if (device.is_cpu() && type.type != torch::kFloat && algorithm != Algorithm::reference) continue;
                progress(problem.name + ", " + type.name + ", " + name_of(algorithm));
                rows.push_back(check_row(problem, inputs, truth, type, device, algorithm));
            }
        }
    }
    return rows;
}

}  // namespace nowcell
