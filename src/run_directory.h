// Where a run keeps its configuration, numbers, checkpoints and pictures.
#pragma once

#include "src/config.h"

#include <string>

namespace nowcell {

/// The folder of a run: config.toml, checkpoints/{best,last}.safetensors, and what train/README.md lists.
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

    /// The checkpoint that `--model` names: a file, or the best one of a run (its last one when there is no best yet).
    /// Throws Error(model) saying what is there instead.
    static std::string resolve_model(const std::string& model);

 private:
    std::string path_;
    bool made_ = false;
};

}  // namespace nowcell
