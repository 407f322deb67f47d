#include "cells/trial/trial_cell.h"

#include "cells/conv_lstm.h"
#include "cells/cpu/engine_use.h"
#include "cells/trial/text.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <memory>

namespace nowcell {
namespace {

std::shared_ptr<ConvLstm> layer_of(const CellCase& shape, const Setting& setting,
                                   Algorithm algorithm = Algorithm::automatic) {
    ConvLstmOptions options;
    options.input_channels = shape.channels;
    options.filters = shape.filters;
    options.kernel = {shape.kernel};
    options.algorithm = algorithm;
    const ThreadsKept kept;
    at::set_num_threads(1);  // LAPACK rounds orthogonal kernels differently with more
    at::manual_seed(1);      // the same weights in every cell
    const auto layer = std::make_shared<ConvLstm>(options);
    layer->to(setting.device, setting.type);
    return layer;
}

torch::Tensor plain_forward(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
    const std::int64_t filters = weight.size(0) / 4;
    torch::Tensor h = at::zeros({x.size(0), filters, x.size(3), x.size(4)}, x.options().requires_grad(false));
    torch::Tensor c = h;
    std::vector<torch::Tensor> outputs;
    for (const torch::Tensor& frame : x.unbind(1)) {
        const torch::Tensor gates = at::conv2d(at::cat({frame, h}, 1), weight, bias, 1, weight.size(2) / 2);
        const std::vector<torch::Tensor> part = gates.chunk(4, 1);
        c = at::sigmoid(part[1]) * c + at::sigmoid(part[0]) * at::tanh(part[2]);
        h = at::sigmoid(part[3]) * at::tanh(c);
        outputs.push_back(h);
    }
    return at::stack(outputs, 1);
}

double relative_error(const torch::Tensor& got, const torch::Tensor& expected) {
    return ((got.to(at::kCPU, at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

// Gradient of half the mean square of the first item's hidden states.
torch::Tensor first_item_loss(const torch::Tensor& h) {
    torch::Tensor gradient = at::zeros_like(h);
    gradient[0].copy_(h[0] / static_cast<double>(h[0].numel()));
    return gradient;
}

// Squares of small gradients are zero in 16 bits; the usual eps would be as well.
torch::optim::AdamOptions adam_options(const torch::Tensor& weight) {
    return torch::optim::AdamOptions(1e-4).eps(weight.element_size() < 4 ? 1e-3 : 1e-8);
}

}  // namespace

const char* name_of(Direction direction) { return direction == Direction::inference ? "inference" : "training"; }

std::string CellCase::text() const {
    return std::to_string(batch) + "," + std::to_string(steps) + "," + std::to_string(channels) + "->" +
           std::to_string(filters) + "," + std::to_string(side) + "x" + std::to_string(side) + "," +
           std::to_string(kernel);
}

double CellCase::flop(Direction direction) const {
    const double outputs = static_cast<double>(batch * side * side * 4 * filters);
    const double inputs = static_cast<double>(kernel * kernel * (steps * channels + (steps - 1) * filters));
    return (direction == Direction::training ? 3.0 : 1.0) * 2.0 * outputs * inputs;
}

torch::Tensor CellCase::frames(const Setting& setting) const {
    at::manual_seed(2);
    return at::randn({batch, steps, channels, side, side}).to(setting.device, setting.type);
}

const std::vector<CellCase>& cell_cases() {
    static const std::vector<CellCase> cases = {
        {"a", 4, 15, 40, 40, 40, 3},   {"b3", 2, 10, 64, 64, 64, 3}, {"b5", 1, 8, 64, 64, 64, 5},
        {"c", 4, 10, 128, 128, 16, 5}, {"k1", 4, 10, 64, 64, 64, 1}, {"tiny", 1, 20, 16, 16, 32, 3},
    };
    return cases;
}

std::vector<std::string> cell_case_names() {
    std::vector<std::string> names;
    for (const CellCase& shape : cell_cases()) names.push_back(shape.name);
    return names;
}

TrialCell::TrialCell(std::vector<torch::Tensor> weights, Forward forward)
    : weights_(std::move(weights)), forward_(std::move(forward)), adam_(weights_, adam_options(weights_.front())) {}

void TrialCell::run(Direction direction, const torch::Tensor& x) {
    if (direction == Direction::inference) {
        infer(x);
    } else {
        learn(x);
    }
}

torch::Tensor TrialCell::infer(const torch::Tensor& x) const {
    const c10::NoGradGuard no_grad;
    return forward_(x);
}

torch::Tensor TrialCell::differentiate(const torch::Tensor& x, const Forward& loss,
                                       std::vector<torch::Tensor>& gradients) {
    const torch::Tensor leaf = x.detach().requires_grad_(true);
    adam_.zero_grad();
    const torch::Tensor h = forward_(leaf);
    torch::autograd::backward({h}, {loss(h.detach())});
    gradients.clear();
    for (const torch::Tensor& weight : weights_) gradients.push_back(weight.grad());
    gradients.push_back(leaf.grad());
    return h.detach();
}

void TrialCell::learn(const torch::Tensor& x) {
    // As in `bench memory`: at::mse_loss would keep a sequence of its own.
    const auto loss = [](const torch::Tensor& h) {
        return at::mse_loss_backward(at::ones({}, h.options()), h, at::zeros({}, h.options()).expand_as(h),
                                     at::Reduction::Mean);
    };
    std::vector<torch::Tensor> gradients;
    differentiate(x, loss, gradients);
    adam_.step();
}

TrialCell plain_cell(const CellCase& shape, const Setting& setting) {
    const std::shared_ptr<ConvLstm> layer = layer_of(shape, setting);
    const ConvLstmWeights& w = layer->weights();
    const torch::Tensor weight = at::cat({w.input, w.hidden}, 1).detach().requires_grad_(true);
    return {{weight, w.bias},
            [weight, bias = w.bias](const torch::Tensor& x) { return plain_forward(x, weight, bias); }};
}

TrialCell engine_cell(const CellCase& shape, Algorithm algorithm, const Setting& setting) {
    const std::shared_ptr<ConvLstm> layer = layer_of(shape, setting, algorithm);
    return {layer->parameters(), [layer](const torch::Tensor& x) { return layer->forward(x); }};
}

CellTruth::CellTruth(const CellCase& shape, const Setting& setting) : shape_(shape), setting_(setting) {
    const std::shared_ptr<ConvLstm> layer = layer_of(shape, {torch::kCPU, setting.type});
    layer->to(at::kDouble);
    TrialCell cell(layer->parameters(), [weights = layer->weights()](const torch::Tensor& x) {
        State state;
        return conv_lstm_reference(x, state, weights);
    });
    const torch::Tensor x = shape.frames({torch::kCPU, setting.type}).narrow(0, 0, 1).to(at::kDouble);
    h_ = cell.differentiate(x, first_item_loss, gradients_);
}

CellErrors CellTruth::errors(Algorithm algorithm, Direction direction, std::string& engine) const {
    const torch::Tensor x = shape_.frames(setting_);
    TrialCell cell = engine_cell(shape_, algorithm, setting_);
    std::vector<torch::Tensor> gradients;
    forget_engine_uses();
    const torch::Tensor h =
        direction == Direction::inference ? cell.infer(x) : cell.differentiate(x, first_item_loss, gradients);
    const std::vector<EngineUse> uses = engine_uses();
    engine = uses.empty() ? "unknown" : uses.back().engine;
    if (!uses.empty() && !uses.back().reason.empty() && algorithm != Algorithm::reference) {
        engine += " (" + uses.back().reason + ")";
    }
    CellErrors errors;
    errors.output = (h[0].to(at::kCPU, at::kDouble) - h_[0]).abs().max().item<double>();
    if (direction == Direction::inference) return errors;
    gradients.back() = gradients.back().narrow(0, 0, 1);
    errors.gradient = 0.0;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
        errors.gradient = std::max(*errors.gradient, relative_error(gradients[i], gradients_[i]));
    }
    return errors;
}

}  // namespace nowcell
