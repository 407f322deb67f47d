#include "train/recorder.h"

#include "predict/pictures/pictures.h"
#include "src/error.h"
#include "src/files.h"
#include "src/log.h"
#include "train/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

const EpochRecord* best_of(const std::vector<EpochRecord>& records) {
    const EpochRecord* best = nullptr;
    for (const EpochRecord& record : records) {
        if (best == nullptr || record.validation_mae < best->validation_mae) best = &record;
    }
    return best;
}

}  // namespace

RunRecorder::RunRecorder(const RunDirectory& run, LogOptions options, std::string units, double loss_scale,
                         const std::optional<Resumption>& resumed)
    : run_(run),
      options_(options),
      units_(std::move(units)),
      loss_scale_(loss_scale),
      resumed_(resumed.has_value()),
      step_(resumed ? resumed->step : 0),
      records_(resumed ? resumed->records : std::vector<EpochRecord>{}),
      events_(run.file("events.jsonl"), resumed),
      state_(run.file("run.json"), resumed_) {
    if (options_.tensorboard) tensorboard_ = std::make_unique<EventFile>(run.file("tb"), resumed_, step_);
    if (resumed) write_curves();
}

RunRecorder::~RunRecorder() = default;

void RunRecorder::started(const nlohmann::ordered_json& facts) {
    nlohmann::ordered_json state = {{"state", "running"}, {"pid", ::getpid()}};
    if (!state_.facts().contains("started")) state["started"] = utc_now();
    state["ended"] = nullptr;
    if (resumed_) state["resumed_from"] = {{"step", step_}, {"time", utc_now()}};
    state.update(standing());
    if (facts.is_object()) state.update(facts);
    state_.set(state);
    event(resumed_ ? "resumed" : "started", {});
}

void RunRecorder::step(const StepRecord& record) {
    step_ = record.step;
    if (record.step % options_.every_steps != 0 && !record.skipped) return;
    events_.write("step", record.step, to_json(record));
    if (!tensorboard_) return;
    tensorboard_->scalars(record.step, {{"train/loss", record.loss},
                                        {"train/lr", record.lr},
                                        {"train/gradient_norm", record.gradient_norm},
                                        {"train/sequences_per_s", record.sequences_per_s}});
}

void RunRecorder::epoch(const EpochRecord& record) {
    step_ = record.step;
    records_.push_back(record);
    write_curves();
    events_.write("epoch", record.step, to_json(record));
    events_.sync();
    state_.set(standing());
    if (!tensorboard_) return;
    tensorboard_->scalars(record.step, {{"validation/mae", record.validation_mae},
                                        {"validation/mse", record.validation_mse},
                                        {"train/epoch_loss", record.train_loss}});
}

void RunRecorder::event(const std::string& kind, const nlohmann::ordered_json& facts) {
    events_.write(kind, step_, facts);
}

void RunRecorder::picture(const std::string& tag, const std::string& path) {
    if (tensorboard_) tensorboard_->png(step_, tag, read_text(path));
}

void RunRecorder::finished(const std::string& state, const nlohmann::ordered_json& facts) {
    nlohmann::ordered_json all = {{"state", state}, {"ended", utc_now()}};
    if (facts.is_object()) all.update(facts);
    state_.set(all);
    events_.write(state, step_, facts);
    events_.sync();
}

void RunRecorder::failed(const std::exception& error) noexcept {
    try {
        const auto* ours = dynamic_cast<const Error*>(&error);
        const bool diverged = ours != nullptr && ours->code() == ExitCode::diverged;
        const std::string what = error.what();
        finished(diverged ? "diverged" : "failed", {{"error", what.substr(0, what.find('\n'))}});
    } catch (const std::exception& another) {
        log_warning(fmt::format("the end of the run could not be recorded: {}", another.what()));
    }
}

// Where the run stands, for run.json.
nlohmann::ordered_json RunRecorder::standing() const {
    nlohmann::ordered_json out = {{"step", step_}};
    if (records_.empty()) return out;
    const EpochRecord* best = best_of(records_);
    out["epoch"] = records_.back().epoch;
    out["best"] = {{"epoch", best->epoch}, {"val_mae", best->validation_mae}, {"unit", units_}};
    return out;
}

void RunRecorder::write_curves() const {
    write_atomically(run_.file("metrics.csv"), metrics_csv(records_));
    Curve validation{"validation", {}, {}};
    Curve training{"training", {}, {}};
    Curve rate{"", {}, {}};
    for (const EpochRecord& record : records_) {
        for (Curve* curve : {&validation, &training, &rate}) curve->x.push_back(static_cast<double>(record.epoch));
        validation.y.push_back(record.validation_mae);
        training.y.push_back(record.train_loss * loss_scale_);
        rate.y.push_back(record.epoch > 0 ? record.lr : std::nan(""));
    }
    std::vector<Curve> curves = {validation};
    if (!std::isnan(loss_scale_) && records_.size() > 1) curves.push_back(training);
    const std::string label = units_ == "1" ? "MAE" : fmt::format("MAE [{}]", units_);
    for (const char* name : {"loss.png", "loss.svg"}) {
        write_plot(run_.file(name), "Error during training", "epoch", label, curves);
    }
    write_plot(run_.file("lr.svg"), "Learning rate", "epoch", "", {rate});
}

}  // namespace nowcell
