// The checkpoints of a run on the disk: written on a thread, the newest kept, the best kept, none lost.
#pragma once

#include "src/checkpoint.h"
#include "src/run_directory.h"

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace nowcell {

/// Writes checkpoints/step-NNNNNNNN.safetensors, last.safetensors (the newest of them under a second name) and
/// best.safetensors. Each is complete or absent at any moment; an older one is removed only when `keep` newer ones that
/// this process has written or read are on the disk.
class CheckpointWriter {
 public:
    /// keep: step checkpoints that stay, >= 1. valid: the step of the checkpoint that the run was resumed from.
    CheckpointWriter(const RunDirectory& run, std::int64_t keep, std::optional<std::int64_t> valid = {});
    ~CheckpointWriter();  ///< waits for what is being written
    CheckpointWriter(const CheckpointWriter&) = delete;
    CheckpointWriter& operator=(const CheckpointWriter&) = delete;

    /// Takes a snapshot over and returns; `best`: it is also the best one. Waits while another is being written.
    /// Throws as check().
    void save(Checkpoint snapshot, std::int64_t step, bool best);

    /// Throws Error(output) when a checkpoint could not be written; those before it are untouched.
    void check();

    /// Returns when all is on the disk. Throws as check().
    void finish();

 private:
    struct Job {
        Checkpoint checkpoint;
        std::int64_t step = 0;
        bool best = false;
    };

    void work();
    void write(const Job& job);
    void prune();

    RunDirectory run_;
    std::size_t keep_;
    std::vector<std::int64_t> valid_;  // steps, oldest first; of the thread alone once it runs

    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Job> job_;  // with mutex_, as all that follows
    std::exception_ptr failure_;
    bool busy_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

/// The newest checkpoint of a run that is whole, with a warning for each that is not.
/// Throws Error(model) when there is none.
Checkpoint load_newest(const RunDirectory& run);

}  // namespace nowcell
