// Where a run keeps its configuration, numbers, checkpoints and pictures.
#pragma once

#include "src/config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// The folder of a run: config.toml, checkpoints/{best,last,step-NNNNNNNN}.safetensors, and what train/README.md lists.
class RunDirectory {
 public:
    explicit RunDirectory(std::string path) : path_(std::move(path)) {}

    /// Makes the folder and writes config.toml. `path` empty: the next free runs/NAME-NNN, NAME from the config file.
    /// Throws Error(output) when the folder exists and is not empty (unless `force`) or cannot be made.
    static RunDirectory create(const std::string& path, const std::string& config_file, const Config& config,
                               bool force);

    /// Removes what create() made; for a run that failed before its first checkpoint.
    void discard() const;

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }
    std::string checkpoint(const std::string& which) const { return file("checkpoints/" + which + ".safetensors"); }
    std::string step_checkpoint(std::int64_t step) const;  ///< checkpoints/step-NNNNNNNN.safetensors

    /// The steps of which there are checkpoints, newest first.
    std::vector<std::int64_t> checkpoint_steps() const;

    /// Removes what a killed process was writing when it ended.
    void remove_temporaries() const;

    /// The checkpoints that `--model` may mean, the one that it means first: a file alone; of a run the best one, then
    /// the last one, then those of steps, newest first. Throws Error(model) saying what is there instead.
    static std::vector<std::string> resolve_model(const std::string& model);

 private:
    std::string path_;
    bool made_ = false;
};

/// Holds a run for one process: two that train the same run would mix their checkpoints.
class RunLock {
 public:
    /// Throws Error(output) when another process holds it.
    explicit RunLock(const RunDirectory& run);
    ~RunLock();
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;

 private:
    int file_;
};

}  // namespace nowcell
