#include "train/trainer.h"

#include "cells/cpu/engine_use.h"
#include "src/engine_log.h"
#include "src/error.h"
#include "src/log.h"
#include "train/environment.h"
#include "train/sampling.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace nowcell {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kMostSkipped = 10;   // in a row
constexpr std::int64_t kMostRollbacks = 3;  // without a checkpoint in between

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::int64_t steps_of_epoch(const Loader& loader, const TrainOptions& options) {
    const std::int64_t sequences = options.batch * options.accumulate;
    std::int64_t samples = loader.samples();
    if (options.epoch_windows > 0) samples = std::min(samples, options.epoch_windows);
    return (samples + sequences - 1) / sequences;
}

// What the recorder knew when the checkpoint was made. A row of an epoch that goes on now is written anew at its end.
std::optional<Resumption> resumption(const std::optional<Checkpoint>& checkpoint, const TrainingState& state) {
    if (!checkpoint) return std::nullopt;
    Resumption resumed{state.step, epoch_records_from(checkpoint->get_json("records"))};
    std::erase_if(resumed.records, [&](const EpochRecord& record) {
        return record.epoch > state.epoch || (record.epoch == state.epoch && !state.validated);
    });
    return resumed;
}

}  // namespace

Trainer::Trainer(TrainingData data, Forecaster& forecaster, const RunDirectory& run,
                 const std::optional<Checkpoint>& resumed)
    : data_(std::move(data)),
      forecaster_(forecaster),
      run_(run),
      options_(TrainOptions::from(forecaster.config())),
      saving_(CheckpointOptions::from(forecaster.config())),
      loader_(data_.source, forecaster.data().window, data_.training,
              {options_.batch, /*shuffle=*/true, options_.seed, forecaster.data().prefetch,
               forecaster.device().is_cuda(), forecaster.data().augment,
               [&forecaster](const torch::Tensor& past, std::int64_t horizon) {
                   return forecaster.guide_frames(past, horizon);
               }}),
      steps_per_epoch_(steps_of_epoch(loader_, options_)),
      learner_(forecaster, options_),
      schedule_(options_.schedule, options_.epochs * steps_per_epoch_),
      stopping_(options_.patience, options_.min_delta),
      state_(resumed ? TrainingState::from(resumed->get_json("training")) : TrainingState{}),
      log_(LogOptions::from(forecaster.config())),
      recorder_(run, log_, data_.source.info().units,
                options_.loss.name == "mae" ? forecaster.normalizer().scale() : std::nan(""),
                resumption(resumed, state_)),
      writer_(run, saving_.keep, resumed ? std::optional(state_.step) : std::nullopt) {
    if (log_.pictures_every > 0) {
        samples_ = std::make_unique<Samples>(data_.source, forecaster.data().window, data_.validation, log_.pictures);
    }
    if (resumed) take_up(*resumed);
}

void Trainer::take_up(const Checkpoint& checkpoint) {
    settle_engine_choices(checkpoint.get_json("engines").get<std::map<std::string, std::string>>());
    schedule_.load_state(checkpoint.get_json("schedule"));
    stopping_.load_state(checkpoint.get_json("stopping"));
    learner_.get(checkpoint);
    before_s_ = state_.seconds;
    saved_step_ = state_.validated ? state_.step : -1;
}

double Trainer::elapsed_s() const { return before_s_ + since(start_); }

bool Trainer::out_of_time() const { return options_.max_time_s > 0.0 && elapsed_s() >= options_.max_time_s; }

std::string Trainer::stop_reason() const {
    if (stop_.received() != 0) return "signal";
    if (out_of_time()) return "train.max_time";
    if (stopping_.stop()) return "train.patience";
    return state_.validated && state_.epoch >= options_.epochs ? "all epochs" : "";
}

TrainResult Trainer::run() {
    start_ = saved_ = Clock::now();
    try {
        const std::string why = train();
        if (saved_step_ != state_.step) save(/*best=*/false);
        writer_.finish();
        const int signal = stop_.received();
        recorder_.finished(signal != 0 ? "stopped" : "done", {{"ended_by", why}, {"seconds", elapsed_s()}});
        return {state_, clock_, why, signal};
    } catch (const std::exception& error) {
        recorder_.failed(error);
        throw;
    }
}

// Returns why it ended.
std::string Trainer::train() {
    if (state_.epoch == 0 && !state_.validated) validate();
    while (true) {
        if (const std::string why = stop_reason(); !why.empty()) return why;
        const bool complete = train_epoch();
        // Who asks a run to stop does not wait for a validation: what has been learned is saved as it is.
        if (complete || stop_.received() == 0) validate();
    }
}

bool Trainer::train_epoch() {
    if (state_.validated) {
        ++state_.epoch;
        state_.epoch_step = state_.sequences = state_.losses = 0;
        state_.loss_sum = state_.epoch_seconds = 0.0;
        state_.validated = false;
    }
    loader_.start_epoch(state_.epoch, state_.epoch_step * options_.batch * options_.accumulate);
    epoch_start_s_ = elapsed_s() - state_.epoch_seconds;
    clock_.start();
    while (state_.epoch_step < steps_per_epoch_ && train_step()) {
        if (state_.step == 1) log_engines();
        state_.epoch_seconds = elapsed_s() - epoch_start_s_;
        show_progress();
        writer_.check();
        if (out_of_time() || stop_.received() != 0) break;
        if (save_is_due() && state_.epoch_step < steps_per_epoch_) save(/*best=*/false);
    }
    learner_.publish();
    return state_.epoch_step == steps_per_epoch_;
}

bool Trainer::train_step() {
    clock_.lap(&StepClock::other_s);
    std::vector<Batch> passes;
    for (Batch batch; static_cast<std::int64_t>(passes.size()) < options_.accumulate && loader_.next(batch);) {
        passes.push_back(std::move(batch));
    }
    clock_.lap(&StepClock::data_s);
    if (passes.empty()) return false;
    StepPlan plan{state_.step, taught_steps(options_, state_.epoch, forecaster_.data().window.output_steps),
                  passes.front().first, passes.back().first + passes.back().target.size(0) - 1};
    lr_ = schedule_.lr(state_.step);
    const StepOutcome outcome = learner_.learn(passes, plan, clock_);
    if (!outcome.bad.empty()) {
        refuse_step(outcome, plan);
    } else if (outcome.known) {
        learner_.update(lr_, state_.step, clock_);
        state_.skipped = 0;
        state_.loss_sum += outcome.loss;
        ++state_.losses;
    } else if (!std::exchange(said_empty_, true)) {
        log_warning("a batch without any known target: nothing learned");
    }
    ++state_.step;
    ++state_.epoch_step;
    state_.sequences += plan.last - plan.first + 1;
    const double rate = static_cast<double>(state_.sequences) / std::max(1e-9, elapsed_s() - epoch_start_s_);
    recorder_.step({state_.epoch, state_.step, outcome.loss, lr_, outcome.gradient_norm, rate,
                    loader_.waited_s() / std::max(1e-9, elapsed_s() - epoch_start_s_),
                    !outcome.known || !outcome.bad.empty()});
    return true;
}

// A step with NaN or Inf moves no weight, whatever follows.
void Trainer::refuse_step(const StepOutcome& outcome, const StepPlan& plan) {
    const std::string what = fmt::format(
        "{} is not finite at epoch {} step {} (samples {} to {} of the epoch; loss {}, gradient norm {}, learning rate "
        "{})",
        outcome.bad, state_.epoch, state_.epoch_step + 1, plan.first, plan.last, outcome.loss, outcome.gradient_norm,
        lr_);
    ++state_.skipped;
    const bool skips = options_.on_nan == "skip" && state_.skipped < kMostSkipped;
    const bool rolls = options_.on_nan == "rollback" && state_.rollbacks < kMostRollbacks;
    if (!skips && !rolls) {
        throw Error(ExitCode::diverged, "training diverged: " + what, "",
                    fmt::format("a smaller --lr or optim.grad_clip; {} holds the best epoch so far", run_.path()));
    }
    log_warning(what + (skips ? ": step skipped" : ""));
    recorder_.event(skips ? "skip" : "rollback", {{"bad", outcome.bad}, {"epoch", state_.epoch}});
    if (skips) learner_.undo();
    if (rolls) roll_back();
}

// Weights and optimiser of the newest checkpoint; the samples that came since then are not shown again.
void Trainer::roll_back() {
    writer_.finish();
    learner_.get(load_newest(run_));
    ++state_.rollbacks;
    log_warning(fmt::format("weights and optimiser are those of the newest checkpoint again ({} of {} times)",
                            state_.rollbacks, kMostRollbacks));
}

void Trainer::show_progress() {
    if (!progress_.due(state_.epoch_step, steps_per_epoch_)) return;
    const double spent = std::max(1e-9, state_.epoch_seconds);
    const std::int64_t left = (options_.epochs - state_.epoch + 1) * steps_per_epoch_ - state_.epoch_step;
    double eta = static_cast<double>(left) * spent / static_cast<double>(state_.epoch_step);
    if (options_.max_time_s > 0.0) eta = std::min(eta, options_.max_time_s - elapsed_s());
    progress_.show({state_.epoch, options_.epochs, state_.epoch_step, steps_per_epoch_,
                    state_.loss_sum / static_cast<double>(std::max<std::int64_t>(1, state_.losses)), lr_,
                    static_cast<double>(state_.sequences) / spent, loader_.waited_s() / spent, process_memory_mib(),
                    std::max(0.0, eta)});
}

std::string Trainer::summary(const ScoreTable& table, double loss, double rate, bool best) const {
    return fmt::format("epoch {}/{}  {}validation MAE {:.5g} {}{}  {}", state_.epoch, options_.epochs,
                       state_.epoch > 0 ? fmt::format("loss {:.5f}  {:.1f} sequences/s  ", loss, rate) : "",
                       state_.last_mae, table.units == "1" ? "" : table.units, best ? "  best" : "",
                       time_text(elapsed_s()));
}

void Trainer::validate() {
    const std::vector<std::unique_ptr<Baseline>> none;
    const EvaluationSet set{data_.source, forecaster_.data().window, data_.validation,
                            forecaster_.config().integer("eval.batch"), min_input_steps(forecaster_)};
    ScoreOptions errors;
    errors.metrics = {"mae", "mse"};
    const ScoreTable table = evaluate(set, contenders(forecaster_, none), errors);
    const Scores& scores = table.rows.front().fields;
    state_.last_mae = scores.value("mae", 0);
    if (!std::isfinite(state_.last_mae)) {
        throw Error(ExitCode::diverged,
                    fmt::format("the validation error of epoch {} is {}", state_.epoch, state_.last_mae), "",
                    "a smaller --lr or optim.grad_clip");
    }
    const bool trained = state_.epoch > 0;
    const double loss = state_.losses > 0 ? state_.loss_sum / static_cast<double>(state_.losses) : std::nan("");
    const double rate = trained ? static_cast<double>(state_.sequences) / std::max(1e-9, state_.epoch_seconds) : 0.0;
    const bool best = state_.last_mae < state_.best_mae;
    if (best) {
        state_.best_mae = state_.last_mae;
        state_.best_epoch = state_.epoch;
    }
    state_.validated = state_.epoch_step == steps_per_epoch_ || !trained;
    if (trained && state_.validated) schedule_.validated(state_.last_mae);
    if (state_.validated) stopping_.validated(state_.last_mae);
    std::vector<double> leads;
    for (std::int64_t lead = 1; lead <= scores.leads(); ++lead) leads.push_back(scores.value("mae", lead));
    const EpochRecord record{state_.epoch,           state_.step, lr_,  loss, state_.last_mae,
                             scores.value("mse", 0), elapsed_s(), rate, leads};
    recorder_.epoch(record);
    if (best || state_.epoch % saving_.every == 0) save(best);
    draw_samples();
    progress_.finish(record, summary(table, loss, rate, best));
}

void Trainer::draw_samples() {
    if (samples_ == nullptr || state_.epoch % log_.pictures_every != 0) return;
    const std::vector<std::string> files =
        samples_->write(forecaster_, run_.file(fmt::format("samples/epoch-{:04}", state_.epoch)),
                        fmt::format("epoch {}", state_.epoch));
    for (std::size_t i = 0; i < files.size(); ++i) recorder_.picture(fmt::format("sample/{}", i), files[i]);
}

bool Trainer::save_is_due() const {
    if (saving_.every_steps > 0 && state_.step % saving_.every_steps == 0) return true;
    return saving_.every_time_s > 0.0 && since(saved_) >= saving_.every_time_s;
}

void Trainer::save(bool best) {
    learner_.publish();
    state_.seconds = elapsed_s();
    state_.rollbacks = 0;
    writer_.save(snapshot(), state_.step, best);
    recorder_.event("checkpoint", {{"epoch", state_.epoch}, {"best", best}});
    saved_ = Clock::now();
    saved_step_ = state_.step;
}

Checkpoint Trainer::snapshot() {
    Checkpoint checkpoint;
    forecaster_.put(checkpoint);
    learner_.put(checkpoint);
    checkpoint.put_json("training", state_.json());
    checkpoint.put_json("schedule", schedule_.state());
    checkpoint.put_json("stopping", stopping_.state());
    checkpoint.put_json("records", to_json(recorder_.records()));
    checkpoint.put_json("engines", engine_choices());
    checkpoint.put_json("environment", environment(forecaster_.device()));
    return checkpoint;
}

}  // namespace nowcell
