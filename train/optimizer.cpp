#include "train/optimizer.h"

#include "src/error.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

class Adam final : public Optimizer {
 public:
    Adam(NamedParameters parameters, OptimizerOptions options)
        : Optimizer(std::move(parameters), std::move(options)),
          keras_(this->options().name == "adam-keras"),
          decays_beside_(this->options().name != "adam") {
        remember("exp_avg");
        remember("exp_avg_sq");
    }

 private:
    void move(std::size_t index, torch::Tensor& weight, const torch::Tensor& given, double lr) override {
        const OptimizerOptions& o = options();
        torch::Tensor gradient = given;
        if (o.weight_decay != 0.0 && decays_beside_) weight.mul_(1.0 - lr * o.weight_decay);
        if (o.weight_decay != 0.0 && !decays_beside_) gradient = gradient.add(weight, o.weight_decay);
        torch::Tensor& first = moment("exp_avg", index);
        torch::Tensor& second = moment("exp_avg_sq", index);
        first.mul_(o.beta1).add_(gradient, 1.0 - o.beta1);
        second.mul_(o.beta2).addcmul_(gradient, gradient, 1.0 - o.beta2);
        const auto t = static_cast<double>(steps());
        const double correct1 = 1.0 - std::pow(o.beta1, t);
        const double correct2 = std::sqrt(1.0 - std::pow(o.beta2, t));
        if (keras_) {
            weight.addcdiv_(first, second.sqrt().add_(o.eps), -lr * correct2 / correct1);
        } else {
            weight.addcdiv_(first, (second.sqrt() / correct2).add_(o.eps), -lr / correct1);
        }
    }

    bool keras_;
    bool decays_beside_;
};

class Sgd final : public Optimizer {
 public:
    Sgd(NamedParameters parameters, OptimizerOptions options) : Optimizer(std::move(parameters), std::move(options)) {
        if (this->options().momentum > 0.0) remember("momentum");
    }

 private:
    void move(std::size_t index, torch::Tensor& weight, const torch::Tensor& given, double lr) override {
        torch::Tensor gradient = given;
        if (options().weight_decay != 0.0) gradient = gradient.add(weight, options().weight_decay);
        if (options().momentum > 0.0) {
            torch::Tensor& velocity = moment("momentum", index);
            velocity.mul_(options().momentum).add_(gradient);
            gradient = options().nesterov ? gradient.add(velocity, options().momentum) : velocity;
        }
        weight.add_(gradient, -lr);
    }
};

std::string shape_text(const torch::Tensor& tensor) {
    return fmt::format("{} [{}]", c10::toString(tensor.scalar_type()), fmt::join(tensor.sizes(), ","));
}

// Empty when `got` can take the place of `expected`.
std::string misfit(const std::string& name, const torch::Tensor& expected, const torch::Tensor& got) {
    if (got.sizes() == expected.sizes() && got.scalar_type() == expected.scalar_type()) return "";
    return fmt::format("{}: got {}, expected {}", name, shape_text(got), shape_text(expected));
}

template <typename Function>
void for_each_pair(torch::nn::Module& to, const torch::nn::Module& from, Function function) {
    const c10::NoGradGuard no_grad;
    const auto targets = to.named_parameters();
    for (const auto& entry : from.named_parameters()) function(targets[entry.key()], entry.value());
    const auto buffers = to.named_buffers();
    for (const auto& entry : from.named_buffers()) torch::Tensor(buffers[entry.key()]).copy_(entry.value());
}

std::vector<torch::Tensor> gradients_of(const NamedParameters& parameters) {
    std::vector<torch::Tensor> gradients;
    for (const auto& [name, parameter] : parameters) {
        if (parameter.grad().defined()) gradients.push_back(parameter.grad());
    }
    return gradients;
}

// As torch::nn::utils::clip_grad_norm_: a factor of at most 1, and the same operations whether it binds or not.
void scale_to(const std::vector<torch::Tensor>& gradients, const torch::Tensor& norm, double limit) {
    const torch::Tensor factor = (limit / (norm + 1e-6)).clamp_max(1.0);
    for (torch::Tensor gradient : gradients) gradient.mul_(factor.to(gradient.options()));
}

}  // namespace

NamedParameters named_parameters(const torch::nn::Module& module) {
    NamedParameters out;
    for (const auto& entry : module.named_parameters()) out.emplace_back(entry.key(), entry.value());
    return out;
}

Optimizer::Optimizer(NamedParameters parameters, OptimizerOptions options)
    : parameters_(std::move(parameters)), options_(std::move(options)) {}

void Optimizer::remember(const std::string& moment) {
    for (const auto& [name, parameter] : parameters_) moments_[moment].push_back(at::zeros_like(parameter.detach()));
}

void Optimizer::step(double lr) {
    const c10::NoGradGuard no_grad;
    ++steps_;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        torch::Tensor& weight = parameters_[i].second;
        if (weight.grad().defined()) move(i, weight, weight.grad(), lr);
    }
}

void Optimizer::zero_grad() {
    for (auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
}

std::map<std::string, torch::Tensor> Optimizer::state() const {
    std::map<std::string, torch::Tensor> out = {{"step", at::scalar_tensor(steps_, at::kLong)}};
    for (const auto& [moment, tensors] : moments_) {
        for (std::size_t i = 0; i < tensors.size(); ++i) out[moment + "." + parameters_[i].first] = tensors[i];
    }
    return out;
}

void Optimizer::load_state(const std::map<std::string, torch::Tensor>& given) {
    const c10::NoGradGuard no_grad;
    const std::map<std::string, torch::Tensor> expected = state();
    std::vector<std::string> wrong;
    for (const auto& [name, tensor] : expected) {
        const auto found = given.find(name);
        const std::string problem = found == given.end() ? "missing: " + name : misfit(name, tensor, found->second);
        if (!problem.empty()) wrong.push_back(problem);
    }
    for (const auto& [name, tensor] : given) {
        if (expected.count(name) == 0) wrong.push_back("unexpected: " + name);
    }
    if (!wrong.empty()) {
        throw Error(ExitCode::model,
                    fmt::format("the state of optimiser {} does not fit: {}", options_.name, fmt::join(wrong, "; ")),
                    "", "continue with the model and the optim.name that the state was saved with");
    }
    for (const auto& [name, tensor] : expected) torch::Tensor(tensor).copy_(given.at(name));
    steps_ = given.at("step").item<std::int64_t>();
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, NamedParameters parameters) {
    if (options.name == "sgd") return std::make_unique<Sgd>(std::move(parameters), options);
    return std::make_unique<Adam>(std::move(parameters), options);
}

double clip_gradients(const NamedParameters& parameters, const OptimizerOptions& options) {
    const c10::NoGradGuard no_grad;
    const std::vector<torch::Tensor> gradients = gradients_of(parameters);
    if (gradients.empty()) return 0.0;
    std::vector<torch::Tensor> norms;
    for (const torch::Tensor& gradient : gradients) norms.push_back(gradient.norm());
    const torch::Tensor norm = at::stack(norms).norm();
    const double limit = options.grad_clip;
    if (limit > 0.0 && options.clip == "global-norm") scale_to(gradients, norm, limit);
    for (std::size_t i = 0; limit > 0.0 && i < gradients.size(); ++i) {
        if (options.clip == "per-variable") scale_to({gradients[i]}, norms[i], limit);
        if (options.clip == "value") torch::Tensor(gradients[i]).clamp_(-limit, limit);
    }
    return norm.item<double>();
}

void divide_gradients(const NamedParameters& parameters, double by) {
    const c10::NoGradGuard no_grad;
    for (torch::Tensor gradient : gradients_of(parameters)) gradient.div_(by);
}

void update_average(torch::nn::Module& average, const torch::nn::Module& weights, double decay, std::int64_t step) {
    const auto count = static_cast<double>(step);
    const double kept = std::min(decay, (1.0 + count) / (10.0 + count));
    for_each_pair(average, weights, [&](torch::Tensor to, const torch::Tensor& from) { to.lerp_(from, 1.0 - kept); });
}

void copy_weights(torch::nn::Module& to, const torch::nn::Module& from) {
    for_each_pair(to, from, [](torch::Tensor target, const torch::Tensor& source) { target.copy_(source); });
}

}  // namespace nowcell
