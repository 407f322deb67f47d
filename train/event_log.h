// events.jsonl: what happened in a run, one JSON object a line.
#pragma once

#include "train/append_file.h"
#include "train/records.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>

namespace nowcell {

/// Where a resumed run goes on: what its checkpoint covers.
struct Resumption {
    std::int64_t step = 0;                  ///< steps taken when the checkpoint was made
    std::vector<EpochRecord> records = {};  ///< RunRecorder::records() at that time
};

/// "2026-01-31T12:00:00Z".
std::string utc_now();

/// Every line has "event", "time" and "step". Throws Error(output).
class EventLog {
 public:
    /// Without `resumed` begins anew. With it the file becomes what the checkpoint covers: lines of later steps, of
    /// epochs that it has no row of, and what is no JSON (a line that a kill cut short) go; rows without a line get
    /// one.
    EventLog(const std::string& path, const std::optional<Resumption>& resumed);

    /// facts: an object, or null for none. They come after the three.
    void write(const std::string& event, std::int64_t step, const nlohmann::ordered_json& facts);

    void sync() { file_.sync(); }

 private:
    AppendFile file_;
};

}  // namespace nowcell
