// How gradients move weights: the steps of an optimiser, clipping, averaged weights.
#pragma once

#include "train/train_options.h"

#include <torch/nn/module.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nowcell {

/// A network's parameters with their names, in the order of named_parameters().
using NamedParameters = std::vector<std::pair<std::string, torch::Tensor>>;

NamedParameters named_parameters(const torch::nn::Module& module);

/// Moves parameters against their gradients. All that it remembers are plain named tensors, so that a checkpoint can
/// keep them; parameters without a gradient stay where they are.
class Optimizer {
 public:
    Optimizer(NamedParameters parameters, OptimizerOptions options);
    virtual ~Optimizer() = default;
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;

    /// One step at that learning rate.
    void step(double lr);

    /// Gradients become undefined.
    void zero_grad();

    /// "step", a 0-dim int64, and "MOMENT.PARAMETER" with the shape, type and device of the parameter: the tensors
    /// themselves, not copies.
    std::map<std::string, torch::Tensor> state() const;

    /// Copies values, from any device. Throws Error(model) that lists every missing, unexpected and misshapen name;
    /// nothing has changed then.
    void load_state(const std::map<std::string, torch::Tensor>& state);

    const OptimizerOptions& options() const { return options_; }
    const NamedParameters& parameters() const { return parameters_; }

 protected:
    /// Adds a moment of zeros for every parameter.
    void remember(const std::string& moment);
    torch::Tensor& moment(const std::string& name, std::size_t parameter) { return moments_.at(name)[parameter]; }
    std::int64_t steps() const { return steps_; }  ///< this one included

 private:
    virtual void move(std::size_t index, torch::Tensor& weight, const torch::Tensor& gradient, double lr) = 0;

    NamedParameters parameters_;
    OptimizerOptions options_;
    std::map<std::string, std::vector<torch::Tensor>> moments_;
    std::int64_t steps_ = 0;
};

/// By options.name:
///     adam        as PyTorch: w -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps); decay is added to the gradient
///     adam-keras  as Keras 1 to 3: w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps); decay beside the gradient
///     adamw       adam with decay beside the gradient: w -= lr decay w first
///     sgd         as PyTorch: momentum without dampening, nesterov; decay is added to the gradient
/// Bit for bit torch::optim's numbers where PyTorch has the kind.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, NamedParameters parameters);

/// Scales or cuts gradients in place as options.clip says: "global-norm", so that the norm over all parameters is at
/// most options.grad_clip; "per-variable", that of each (Keras' clipnorm); "value", each element (Keras' clipvalue).
/// grad_clip 0: untouched. Returns the global norm before.
double clip_gradients(const NamedParameters& parameters, const OptimizerOptions& options);

/// Divides every gradient in place. Where several passes make a step, each pass calls backward() on
/// loss * Loss::count(...); by the sum of the counts, what has added up is then the large batch's gradient.
void divide_gradients(const NamedParameters& parameters, double by);

/// average += (1 - decay_t) (weights - average), with decay_t = min(decay, (1 + step) / (10 + step)) so that the first
/// steps are not remembered for long. Source: TensorFlow ExponentialMovingAverage with num_updates.
void update_average(torch::nn::Module& average, const torch::nn::Module& weights, double decay, std::int64_t step);

/// Copies every parameter and buffer.
void copy_weights(torch::nn::Module& to, const torch::nn::Module& from);

}  // namespace nowcell
