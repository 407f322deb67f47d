// One step of learning: loss, clipping, learning rate, Adam, averaged weights.
#pragma once

#include "src/sequence_model.h"
#include "train/train_options.h"

#include <torch/optim/optimizer.h>

#include <memory>

namespace nowcell {

/// Mean over all elements, or over those that `valid` (bool, same shape) names; 0 with zero gradients when it
/// names none. Throws c10::ValueError when the shapes differ: nothing is broadcast silently.
torch::Tensor loss_of(const std::string& name, const Supervised& frames, const torch::Tensor& valid = {});

/// The learning rate of a step, counted from 0, in a run of `total` steps: linear warm-up, then constant or half a
/// cosine down to min_lr.
double learning_rate(const TrainOptions& options, std::int64_t step, std::int64_t total);

/// Adam or AdamW as PyTorch defines them (betas 0.9 and 0.999, eps 1e-8).
std::unique_ptr<torch::optim::Optimizer> make_optimizer(const TrainOptions& options,
                                                        const std::vector<torch::Tensor>& parameters);

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr);

/// Scales gradients so that their global norm is at most `limit` (0: no limit). Returns the norm before.
double clip_gradients(const std::vector<torch::Tensor>& parameters, double limit);

/// average += (1 - decay_t) (weights - average), with decay_t = min(decay, (1 + step) / (10 + step)) so that the first
/// steps are not remembered for long. Source: TensorFlow ExponentialMovingAverage with num_updates.
void update_average(torch::nn::Module& average, const torch::nn::Module& weights, double decay, std::int64_t step);

/// Copies every parameter and buffer.
void copy_weights(torch::nn::Module& to, const torch::nn::Module& from);

}  // namespace nowcell
