#include "train/checkpoint_writer.h"

#include "src/error.h"
#include "src/files.h"
#include "src/log.h"
#include "train/training_state.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace nowcell {

CheckpointWriter::CheckpointWriter(const RunDirectory& run, std::int64_t keep, std::optional<std::int64_t> valid)
    : run_(run), keep_(static_cast<std::size_t>(std::max<std::int64_t>(1, keep))) {
    if (valid) valid_.push_back(*valid);
    thread_ = std::thread([this] { work(); });
}

CheckpointWriter::~CheckpointWriter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void CheckpointWriter::save(Checkpoint snapshot, std::int64_t step, bool best) {
    finish();
    {
        const std::lock_guard lock(mutex_);
        job_ = Job{std::move(snapshot), step, best};
    }
    changed_.notify_all();
}

void CheckpointWriter::check() {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void CheckpointWriter::finish() {
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !job_ && !busy_; });
    }
    check();
}

void CheckpointWriter::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return job_ || stopping_; });
        if (!job_) return;
        const Job job = *std::exchange(job_, std::nullopt);
        busy_ = true;
        lock.unlock();
        std::exception_ptr failure;
        try {
            write(job);
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        busy_ = false;
        if (failure) failure_ = failure;
        changed_.notify_all();
    }
}

void CheckpointWriter::write(const Job& job) {
    const std::string bytes = job.checkpoint.bytes();
    if (job.best) write_atomically(run_.checkpoint("best"), bytes);
    const std::string path = run_.step_checkpoint(job.step);
    write_atomically(path, bytes);
    give_second_name(path, run_.checkpoint("last"));
    std::erase_if(valid_, [&](std::int64_t step) { return step >= job.step; });
    valid_.push_back(job.step);
    prune();
}

void CheckpointWriter::prune() {
    if (valid_.size() > keep_) valid_.erase(valid_.begin(), valid_.end() - static_cast<std::ptrdiff_t>(keep_));
    for (const std::int64_t step : run_.checkpoint_steps()) {
        const bool kept = std::find(valid_.begin(), valid_.end(), step) != valid_.end();
        // One that is not known to be whole goes only when there are enough that are.
        if (kept || (valid_.size() < keep_ && step < valid_.back())) continue;
        std::error_code ignored;
        std::filesystem::remove(run_.step_checkpoint(step), ignored);
    }
}

Checkpoint load_newest(const RunDirectory& run) {
    std::vector<std::string> candidates;
    for (const std::int64_t step : run.checkpoint_steps()) candidates.push_back(run.step_checkpoint(step));
    for (const char* other : {"last", "best"}) candidates.push_back(run.checkpoint(other));
    std::erase_if(candidates, [](const std::string& path) { return !std::filesystem::exists(path); });
    const auto refuse = [&](const std::string& why) -> Checkpoint {
        throw Error(ExitCode::model, fmt::format("{} holds no checkpoint to go on from: {}", run.path(), why), "",
                    "nowcell train --from-run " + run.path() + " repeats the run from its start");
    };
    if (candidates.empty()) return refuse("there is none");
    std::string used;
    try {
        Checkpoint checkpoint = Checkpoint::load_first(candidates, used);
        TrainingState::from(checkpoint.get_json("training"));
        return checkpoint;
    } catch (const nlohmann::json::exception&) {
        return refuse(used + " is from a version that could not resume");
    } catch (const Error& error) {
        return refuse(error.what());
    }
}

}  // namespace nowcell
