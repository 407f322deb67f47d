#include "train/optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace nowcell {
namespace {

template <typename Function>
void for_each_pair(torch::nn::Module& to, const torch::nn::Module& from, Function function) {
    const c10::NoGradGuard no_grad;
    const auto targets = to.named_parameters();
    for (const auto& entry : from.named_parameters()) function(targets[entry.key()], entry.value());
    const auto buffers = to.named_buffers();
    for (const auto& entry : from.named_buffers()) torch::Tensor(buffers[entry.key()]).copy_(entry.value());
}

}  // namespace

torch::Tensor loss_of(const std::string& name, const Supervised& frames, const torch::Tensor& valid) {
    TORCH_CHECK_VALUE(frames.prediction.sizes() == frames.target.sizes(), "loss: prediction ",
                      frames.prediction.sizes(), ", target ", frames.target.sizes());
    if (valid.defined()) {
        TORCH_CHECK_VALUE(valid.sizes() == frames.target.sizes(), "loss: mask ", valid.sizes(), ", target ",
                          frames.target.sizes());
        const torch::Tensor errors = at::where(valid, frames.prediction - frames.target, 0.0);
        return (name == "mse" ? errors.square() : errors.abs()).sum() / valid.sum().clamp_min(1);
    }
    return name == "mse" ? at::mse_loss(frames.prediction, frames.target)
                         : at::l1_loss(frames.prediction, frames.target);
}

double learning_rate(const TrainOptions& options, std::int64_t step, std::int64_t total) {
    if (step < options.warmup_steps) {
        return options.lr * static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps);
    }
    if (options.schedule == "constant") return options.lr;
    const std::int64_t span = std::max<std::int64_t>(1, total - options.warmup_steps);
    const double done = std::min(1.0, static_cast<double>(step - options.warmup_steps) / static_cast<double>(span));
    return options.min_lr + 0.5 * (options.lr - options.min_lr) * (1.0 + std::cos(std::numbers::pi * done));
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const TrainOptions& options,
                                                        const std::vector<torch::Tensor>& parameters) {
    if (options.optimizer == "adamw") {
        return std::make_unique<torch::optim::AdamW>(
            parameters, torch::optim::AdamWOptions(options.lr).weight_decay(options.weight_decay));
    }
    return std::make_unique<torch::optim::Adam>(
        parameters, torch::optim::AdamOptions(options.lr).weight_decay(options.weight_decay));
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr) {
    for (auto& group : optimizer.param_groups()) group.options().set_lr(lr);
}

double clip_gradients(const std::vector<torch::Tensor>& parameters, double limit) {
    return torch::nn::utils::clip_grad_norm_(parameters, limit > 0.0 ? limit : std::numeric_limits<double>::infinity());
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
