// What a run leaves behind beside its checkpoints: rows, events, curves, TensorBoard, the state of the run.
#pragma once

#include "src/run_directory.h"
#include "train/event_log.h"
#include "train/log_keys.h"
#include "train/records.h"
#include "train/run_state.h"

#include <exception>
#include <memory>
#include <optional>

namespace nowcell {

class EventFile;

/// Keeps metrics.csv, events.jsonl, loss.png, loss.svg, lr.svg, run.json and tb/ of a run directory current.
/// After a kill at any moment, a recorder that is given what the checkpoint covers leaves every row once.
class RunRecorder {
 public:
    /// units: of the validation errors. loss_scale: physical units of one unit of the training loss; NaN when the loss
    /// cannot stand beside an MAE. Without `resumed` the files of an earlier run in the same folder are replaced; with
    /// it they are cut back to its step first. Throws Error(output).
    RunRecorder(const RunDirectory& run, LogOptions options, std::string units, double loss_scale,
                const std::optional<Resumption>& resumed = std::nullopt);
    ~RunRecorder();
    RunRecorder(const RunRecorder&) = delete;
    RunRecorder& operator=(const RunRecorder&) = delete;

    /// run.json in state "running" with these facts, and an event "started", or "resumed". Throws Error(output), as all
    /// that follow.
    void started(const nlohmann::ordered_json& facts);

    /// Every log.every_steps-th step and every skipped one is written. Cheap enough to be called for each.
    void step(const StepRecord& record);

    /// A row more. Call it before the checkpoint that covers the epoch, and put records() into that.
    void epoch(const EpochRecord& record);

    /// Anything else worth a line in events.jsonl: "checkpoint", "warning", "rollback", "stop". facts: an object, or
    /// null.
    void event(const std::string& kind, const nlohmann::ordered_json& facts);

    /// A PNG file for TensorBoard's images; nothing without log.tensorboard.
    void picture(const std::string& tag, const std::string& path);

    /// The run's end in run.json: "done" or "stopped", with what there is to say.
    void finished(const std::string& state, const nlohmann::ordered_json& facts);

    /// The same for a run that an exception ends: "diverged" for Error(diverged), else "failed". Throws nothing.
    void failed(const std::exception& error) noexcept;

    const std::vector<EpochRecord>& records() const { return records_; }

 private:
    void write_curves() const;
    nlohmann::ordered_json standing() const;

    RunDirectory run_;
    LogOptions options_;
    std::string units_;
    double loss_scale_;
    bool resumed_;
    std::int64_t step_;
    std::vector<EpochRecord> records_;
    EventLog events_;
    RunState state_;
    std::unique_ptr<EventFile> tensorboard_;  // or none
};

}  // namespace nowcell
