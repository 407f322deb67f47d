// The epoch loop.
#pragma once

#include "data/loader.h"
#include "predict/evaluation.h"
#include "predict/forecaster.h"
#include "src/run_directory.h"
#include "src/stop_signal.h"
#include "train/checkpoint_options.h"
#include "train/checkpoint_writer.h"
#include "train/learner.h"
#include "train/progress.h"
#include "train/recorder.h"
#include "train/samples.h"
#include "train/schedule.h"
#include "train/step_clock.h"
#include "train/training_state.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace nowcell {

/// How a run ended.
struct TrainResult {
    TrainingState state;
    StepClock clock;  ///< of the steps of this process
    std::string why;  ///< "all epochs", "train.max_time", "train.patience", "signal"
    int signal = 0;
};

/// What a run learns from and is judged by; all must outlive the trainer.
struct TrainingData {
    const FrameSource& source;
    std::vector<Window> training;
    std::vector<Window> validation;
};

/// Trains the network of a Forecaster and chooses the best epoch by the validation part.
class Trainer {
 public:
    /// forecaster and run must outlive the trainer. resumed: the checkpoint to go on from; what follows is then, to the
    /// last bit, what would have followed without the interruption (same program, kind of CPU and number of threads).
    /// Throws Error(model) when it does not fit the network or the optimiser.
    Trainer(TrainingData data, Forecaster& forecaster, const RunDirectory& run,
            const std::optional<Checkpoint>& resumed = {});

    /// Throws Error(diverged) as train.on_nan says; the checkpoints written so far stay. Throws Error(output) when a
    /// checkpoint cannot be written.
    TrainResult run();

    const TrainingState& state() const { return state_; }
    RunRecorder& recorder() { return recorder_; }

 private:
    std::string train();
    bool train_epoch();  // false: stopped before its end
    bool train_step();   // false: the epoch's samples are used up
    void refuse_step(const StepOutcome& outcome, const StepPlan& plan);
    void roll_back();
    void validate();
    void save(bool best);
    bool save_is_due() const;
    Checkpoint snapshot();
    void take_up(const Checkpoint& checkpoint);
    std::string stop_reason() const;  // empty: go on
    bool out_of_time() const;
    double elapsed_s() const;
    void show_progress();
    void draw_samples();
    std::string summary(const ScoreTable& table, double loss, double rate, bool best) const;

    TrainingData data_;
    Forecaster& forecaster_;  // holds the averaged weights when there is an average, else copies of the trained ones
    const RunDirectory& run_;
    TrainOptions options_;
    CheckpointOptions saving_;
    Loader loader_;
    std::int64_t steps_per_epoch_;
    Learner learner_;
    Schedule schedule_;
    EarlyStopping stopping_;
    TrainingState state_;
    LogOptions log_;
    RunRecorder recorder_;
    std::unique_ptr<Samples> samples_;  // or none
    CheckpointWriter writer_;
    StopSignal stop_;
    TrainingProgress progress_;
    StepClock clock_;
    std::chrono::steady_clock::time_point start_;
    std::chrono::steady_clock::time_point saved_;
    double before_s_ = 0.0;  // of the processes before this one
    double epoch_start_s_ = 0.0;
    double lr_ = 0.0;
    std::int64_t saved_step_ = -1;
    bool said_empty_ = false;
};

}  // namespace nowcell
