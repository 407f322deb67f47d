// The epoch loop.
#pragma once

#include "data/loader.h"
#include "predict/evaluation.h"
#include "predict/forecaster.h"
#include "src/run_directory.h"
#include "src/stop_signal.h"
#include "train/optimizer.h"
#include "train/progress.h"
#include "train/recorder.h"
#include "train/samples.h"
#include "train/step_clock.h"
#include "train/train_options.h"

#include <chrono>
#include <memory>
#include <string>

namespace nowcell {

/// How a run ended.
struct TrainResult {
    std::int64_t best_epoch = 0;
    double best_mae = 0.0;  ///< validation, physical units
    std::int64_t epochs = 0;
    std::int64_t steps = 0;
    double seconds = 0.0;
    double training_s = 0.0;  ///< of `seconds`, in training steps
    double waited_s = 0.0;    ///< of training_s, for data
    StepClock clock;          ///< of training_s
    std::string why;          ///< "all epochs", "train.max_time", "train.patience", "signal"
    int signal = 0;
};

/// Trains the network of a Forecaster and chooses the best epoch by the validation part.
class Trainer {
 public:
    /// All references must outlive the trainer.
    Trainer(const FrameSource& source, std::vector<Window> training, std::vector<Window> validation,
            Forecaster& forecaster, const RunDirectory& run);

    /// Throws Error(diverged) on a loss that is not finite; the checkpoints written so far stay.
    TrainResult run();

    RunRecorder& recorder() { return recorder_; }

 private:
    void train();
    bool train_epoch(std::int64_t epoch);  // false: stopped before its end
    void train_step(const Batch& batch, std::int64_t epoch);
    void validate(std::int64_t epoch);
    void draw_samples(std::int64_t epoch);
    void save(const std::string& which, std::int64_t epoch, double mae);
    std::string stop_reason(std::int64_t epoch) const;  // empty: go on
    bool out_of_time() const;
    double elapsed_s() const;
    ProgressRecord progress(std::int64_t epoch) const;
    torch::Tensor filled_target(const Batch& batch) const;
    torch::Tensor taught_mask(const Batch& batch, const Supervised& taught) const;

    Forecaster& forecaster_;  // holds the averaged weights when there is an average, else the trained ones
    const RunDirectory& run_;
    TrainOptions options_;
    WindowOptions window_;
    Loader loader_;
    EvaluationSet validation_;
    std::shared_ptr<SequenceModel> learner_;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    RunRecorder recorder_;
    LogOptions log_;
    std::unique_ptr<Samples> samples_;  // or none
    TrainingProgress progress_;
    StopSignal stop_;
    std::int64_t steps_per_epoch_;
    std::chrono::steady_clock::time_point start_;
    std::int64_t step_ = 0;
    std::int64_t epoch_step_ = 0;
    std::int64_t sequences_ = 0;
    double loss_sum_ = 0.0;
    double lr_ = 0.0;
    bool said_empty_ = false;
    double epoch_start_s_ = 0.0;
    double epoch_seconds_ = 0.0;
    TrainResult result_;
};

}  // namespace nowcell
