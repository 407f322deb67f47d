// A run directory as a report reads it.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace nowcell {

/// A row of metrics.csv, NaN where it says nothing.
struct EpochRow {
    double epoch, lr, train_loss, validation_mae;
};

/// What a run has left.
struct RunFiles {
    std::string path;
    nlohmann::ordered_json facts;                                    ///< run.json; empty when it is missing
    std::vector<std::pair<std::string, std::string>> settings = {};  ///< config.toml: key and value as written
    std::vector<EpochRow> epochs = {};                               ///< metrics.csv; may be empty
    std::string sample = {};                                         ///< newest strip of a validation window, or ""
    std::string scores = {};                                         ///< evaluation/scores.json, or ""

    /// A fact of run.json as text, "" when it is missing; `inner` of the object `name` when given.
    std::string fact(const char* name, const char* inner = nullptr) const;
};

/// Whether a folder looks like a run.
bool is_run(const std::string& path);

/// Throws Error(data) when a file of it is damaged.
RunFiles read_run(const std::string& path);

}  // namespace nowcell
