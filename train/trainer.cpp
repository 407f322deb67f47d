#include "train/trainer.h"

#include "data/missing.h"
#include "src/engine_log.h"
#include "src/error.h"
#include "src/log.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace nowcell {
Trainer::Trainer(const FrameSource& source, std::vector<Window> training, std::vector<Window> validation,
                 Forecaster& forecaster, const RunDirectory& run)
    : forecaster_(forecaster),
      run_(run),
      options_(TrainOptions::from(forecaster.config())),
      window_(forecaster.data().window),
      loader_(source, window_, std::move(training),
              {options_.batch, /*shuffle=*/true, options_.seed, forecaster.data().prefetch,
               forecaster.device().is_cuda(), forecaster.data().augment}),
      validation_{source, window_, std::move(validation), forecaster.config().integer("eval.batch"), /*images=*/false},
      learner_(make_sequence_model(forecaster.trained_on().channels, forecaster.network().options(),
                                   forecaster.network().frame())),
      recorder_(run, LogOptions::from(forecaster.config()), source.info().units,
                options_.loss == "mae" ? forecaster.normalizer().scale() : std::nan("")),
      log_(LogOptions::from(forecaster.config())),
      steps_per_epoch_(loader_.batches()) {
    copy_weights(*learner_, forecaster.network());
    learner_->to(forecaster.device());
    optimizer_ = make_optimizer(options_, learner_->parameters());
    result_.best_mae = std::numeric_limits<double>::infinity();
    if (log_.pictures_every > 0) {
        samples_ = std::make_unique<Samples>(source, window_, validation_.windows, log_.pictures);
    }
    if (options_.epoch_windows > 0) {
        const std::int64_t wanted = (options_.epoch_windows + options_.batch - 1) / options_.batch;
        steps_per_epoch_ = std::min(steps_per_epoch_, wanted);
    }
}

double Trainer::elapsed_s() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

bool Trainer::out_of_time() const { return options_.max_time_s > 0.0 && elapsed_s() >= options_.max_time_s; }

std::string Trainer::stop_reason(std::int64_t epoch) const {
    if (stop_.received() != 0) return "signal";
    if (out_of_time()) return "train.max_time";
    const bool patient = options_.patience == 0 || epoch - result_.best_epoch < options_.patience;
    if (!patient) return "train.patience";
    return epoch == options_.epochs ? "all epochs" : "";
}

TrainResult Trainer::run() {
    try {
        train();
    } catch (const std::exception& error) {
        recorder_.failed(error);
        throw;
    }
    result_.signal = stop_.received();
    result_.steps = step_;
    result_.seconds = elapsed_s();
    recorder_.finished(result_.signal != 0 ? "stopped" : "done",
                       {{"ended_by", result_.why}, {"seconds", result_.seconds}});
    return result_;
}

void Trainer::train() {
    start_ = std::chrono::steady_clock::now();
    validate(0);
    while (result_.why.empty()) {
        const bool complete = train_epoch(++result_.epochs);
        // Who asks a run to stop does not wait for a validation: what has been learned is saved as it is.
        if (complete || stop_.received() == 0) {
            validate(result_.epochs);
        } else {
            save("last", result_.epochs, std::numeric_limits<double>::quiet_NaN());
        }
        result_.why = stop_reason(result_.epochs);
    }
}

bool Trainer::train_epoch(std::int64_t epoch) {
    loader_.start_epoch(epoch);
    epoch_step_ = sequences_ = 0;
    loss_sum_ = 0.0;
    learner_->train();
    epoch_start_s_ = elapsed_s();
    result_.clock.start();
    for (Batch batch; epoch_step_ < steps_per_epoch_ && loader_.next(batch);) {
        result_.clock.lap(&StepClock::data_s);
        train_step(batch, epoch);
        if (step_ == 1) log_engines();
        if (progress_.due(epoch_step_, steps_per_epoch_)) progress_.show(progress(epoch));
        result_.clock.lap(&StepClock::other_s);
        if (out_of_time() || stop_.received() != 0) break;
    }
    epoch_seconds_ = elapsed_s() - epoch_start_s_;
    result_.training_s += epoch_seconds_;
    result_.waited_s += loader_.waited_s();
    if (options_.ema == 0.0) copy_weights(forecaster_.network(), *learner_);
    return epoch_step_ == steps_per_epoch_;
}

// The target as a network may see it: missing values filled as those of the input are.
torch::Tensor Trainer::filled_target(const Batch& batch) const {
    if (!batch.valid.defined()) return batch.target;
    const torch::Tensor all = at::cat({batch.past, batch.target}, 1);
    return fill_missing(all, forecaster_.data().source.missing, forecaster_.normalizer().mean)
        .slice(1, batch.past.size(1));
}

// Where what is taught is known, on the device; undefined: everywhere. A strategy may teach input frames too.
torch::Tensor Trainer::taught_mask(const Batch& batch, const Supervised& taught) const {
    const std::int64_t steps = window_.input_steps;
    if (!batch.valid.defined() && taught.first >= steps) return {};
    const torch::Tensor input = batch.past.slice(1, batch.past.size(1) - steps);
    const torch::Tensor frames = at::cat({input, batch.target}, 1);
    const torch::Tensor known = known_values(frames.narrow(1, taught.first, taught.target.size(1)));
    return known.defined() ? known.to(forecaster_.device()) : known;
}

void Trainer::train_step(const Batch& batch, std::int64_t epoch) {
    const Prepared prepared = forecaster_.prepare(batch.past, window_.output_steps);
    const torch::Tensor target =
        forecaster_.normalizer().apply(filled_target(batch).to(forecaster_.device(), /*non_blocking=*/true));
    lr_ = learning_rate(options_, step_, options_.epochs * steps_per_epoch_);
    set_learning_rate(*optimizer_, lr_);
    optimizer_->zero_grad();
    result_.clock.lap(&StepClock::other_s);
    const Supervised taught = learner_->supervised(prepared.input, target, prepared.guides);
    const torch::Tensor mask = taught_mask(batch, taught);
    const bool empty = mask.defined() && !mask.any().item<bool>();
    if (empty && !std::exchange(said_empty_, true)) log_warning("a batch without any known target: nothing learned");
    const torch::Tensor loss = loss_of(options_.loss, taught, mask);
    loss.backward();
    result_.clock.lap(&StepClock::model_s);
    const double norm = clip_gradients(learner_->parameters(), options_.grad_clip);
    const double value = loss.item<double>();
    if (!std::isfinite(value) || !std::isfinite(norm)) {
        throw Error(ExitCode::diverged,
                    fmt::format("training diverged at epoch {} step {}: loss {}, gradient norm {}, learning rate {}",
                                epoch, epoch_step_ + 1, value, norm, lr_),
                    "", fmt::format("a smaller --lr or optim.grad_clip; {} holds the best epoch so far", run_.path()));
    }
    result_.clock.lap(&StepClock::other_s);
    if (!empty) optimizer_->step();
    result_.clock.lap(&StepClock::optimizer_s);
    ++step_;
    ++epoch_step_;
    sequences_ += batch.target.size(0);
    loss_sum_ += value;
    if (options_.ema > 0.0) update_average(forecaster_.network(), *learner_, options_.ema, step_);
    const double passed = std::max(1e-9, elapsed_s() - epoch_start_s_);
    recorder_.step(
        {epoch, step_, value, lr_, norm, static_cast<double>(sequences_) / passed, loader_.waited_s() / passed, empty});
}

ProgressRecord Trainer::progress(std::int64_t epoch) const {
    const double passed = std::max(1e-9, elapsed_s() - epoch_start_s_);
    const auto left =
        static_cast<double>((options_.epochs - epoch) * steps_per_epoch_ + steps_per_epoch_ - epoch_step_);
    double eta = left * elapsed_s() / static_cast<double>(step_);
    if (options_.max_time_s > 0.0) eta = std::min(eta, options_.max_time_s - elapsed_s());
    return {epoch,
            options_.epochs,
            epoch_step_,
            steps_per_epoch_,
            loss_sum_ / static_cast<double>(epoch_step_),
            lr_,
            static_cast<double>(sequences_) / passed,
            loader_.waited_s() / passed,
            process_memory_mib(),
            std::max(0.0, eta)};
}

void Trainer::validate(std::int64_t epoch) {
    const std::vector<std::unique_ptr<Baseline>> none;
    const ScoreTable table = evaluate(validation_, contenders(forecaster_, none), forecaster_.normalizer());
    const Scores& scores = table.scores.front();
    const double mae = scores.value(Metric::mae, 0);
    if (!std::isfinite(mae)) {
        throw Error(ExitCode::diverged, fmt::format("the validation error of epoch {} is {}", epoch, mae), "",
                    "a smaller --lr or optim.grad_clip");
    }
    const bool trained = epoch > 0;
    const double loss = trained ? loss_sum_ / static_cast<double>(epoch_step_) : std::nan("");
    const double rate = trained ? static_cast<double>(sequences_) / std::max(1e-9, epoch_seconds_) : 0.0;
    const bool best = mae < result_.best_mae;
    if (best) {
        result_.best_mae = mae;
        result_.best_epoch = epoch;
        save("best", epoch, mae);
    }
    std::vector<double> leads;
    for (std::int64_t lead = 1; lead <= scores.leads(); ++lead) leads.push_back(scores.value(Metric::mae, lead));
    const EpochRecord record{epoch, step_, lr_, loss, mae, scores.value(Metric::mse, 0), elapsed_s(), rate, leads};
    recorder_.epoch(record);
    save("last", epoch, mae);
    draw_samples(epoch);
    progress_.finish(record,
                     fmt::format("epoch {}/{}  {}validation MAE {:.5g} {}{}  {}", epoch, options_.epochs,
                                 trained ? fmt::format("loss {:.5f}  {:.1f} sequences/s  ", loss, rate) : "", mae,
                                 table.units == "1" ? "" : table.units, best ? "  best" : "", time_text(elapsed_s())));
}

void Trainer::draw_samples(std::int64_t epoch) {
    if (samples_ == nullptr || epoch % log_.pictures_every != 0) return;
    const std::vector<std::string> files = samples_->write(
        forecaster_, run_.file(fmt::format("samples/epoch-{:04}", epoch)), fmt::format("epoch {}", epoch));
    for (std::size_t i = 0; i < files.size(); ++i) recorder_.picture(fmt::format("sample/{}", i), files[i]);
}

void Trainer::save(const std::string& which, std::int64_t epoch, double mae) {
    Checkpoint checkpoint;
    forecaster_.put(checkpoint);
    checkpoint.put_json("training", {{"epoch", epoch}, {"step", step_}, {"validation_mae", mae}});
    checkpoint.save(run_.checkpoint(which));
    recorder_.event("checkpoint", {{"name", which}, {"epoch", epoch}});
}

}  // namespace nowcell
