// run.json: what a run is and how it stands, for people and for programs that look over many runs.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace nowcell {

/// Facts by name; every change is written atomically. A process that is killed leaves "running" and its "pid" behind.
class RunState {
 public:
    /// resumed: keeps the facts of an earlier part of the run, when the file can be read.
    RunState(std::string path, bool resumed);

    /// Adds facts, replacing those of the same name. Throws Error(output).
    void set(const nlohmann::ordered_json& facts);

    const nlohmann::ordered_json& facts() const { return facts_; }

 private:
    std::string path_;
    nlohmann::ordered_json facts_;
};

}  // namespace nowcell
