// The network that is taught: forward, loss, backward, clipping, update, average.
#pragma once

#include "data/loader.h"
#include "predict/forecaster.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/step_clock.h"
#include "train/train_options.h"

#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// What a step is taught with.
struct StepPlan {
    std::int64_t step = 0;   ///< of the run, from 0
    std::int64_t leads = 0;  ///< lead times that are taught
    std::int64_t first = 0;  ///< place in the epoch of the first sample
    std::int64_t last = 0;   ///< and of the last one
};

/// What forward and backward gave.
struct StepOutcome {
    double loss = 0.0;           ///< model units; 0 when nothing was known
    double gradient_norm = 0.0;  ///< over all parameters, before clipping
    bool known = true;           ///< false: no target was, and there is nothing to learn
    std::string bad;             ///< the first tensor with NaN or Inf, in words; empty: all numbers are finite
};

/// Teaches the network of a Forecaster. With train.ema the forecaster's own network holds the averaged weights, else it
/// gets a copy of the taught ones by publish().
class Learner {
 public:
    /// forecaster: must outlive the learner.
    Learner(Forecaster& forecaster, TrainOptions options);

    /// Gradients of the passes of one step, as those of one batch of all their samples; clipped. No weight moves.
    /// Throws c10::ValueError on batches that do not fit.
    StepOutcome learn(const std::vector<Batch>& passes, const StepPlan& plan, StepClock& clock);

    /// Moves the weights, and the average after them.
    void update(double lr, std::int64_t step, StepClock& clock);

    /// In place of update(), with train.on_nan = "skip": what the forward pass has changed besides gradients is as
    /// before.
    void undo();

    /// Shows the forecaster the weights of now.
    void publish();

    /// Weights, moments of the optimiser and the states of the random generators.
    void put(Checkpoint& checkpoint) const;
    /// The inverse, bit for bit. Throws Error(model) listing every name that does not fit.
    void get(const Checkpoint& checkpoint);

 private:
    bool averages() const { return options_.ema > 0.0; }
    Supervised forward(const StepPlan& plan, std::int64_t first, std::int64_t samples);
    std::string first_bad(const Supervised& taught, const torch::Tensor& loss) const;
    std::string first_bad_gradient() const;

    Forecaster& forecaster_;
    TrainOptions options_;
    Loss loss_;
    std::shared_ptr<SequenceModel> network_;
    std::unique_ptr<Optimizer> optimizer_;
    Lesson lesson_;                       // of the last pass
    std::vector<torch::Tensor> buffers_;  // before the step, where it may be undone
};

}  // namespace nowcell
