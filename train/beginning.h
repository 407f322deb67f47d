// How a run begins: anew, as another one did, or where it was interrupted.
#pragma once

#include "data/formats/source_info.h"
#include "src/checkpoint.h"
#include "src/run_directory.h"
#include "src/verb.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>

namespace nowcell {

/// What a run begins with.
struct Beginning {
    Config config;
    std::optional<Checkpoint> checkpoint;     ///< of a run that goes on
    std::optional<RunDirectory> interrupted;  ///< a run to go on with; without a checkpoint it never got to one
    std::string repeats;                      ///< the run whose configuration this is

    /// From --config, --resume or --from-run.
    /// Throws Error(usage) on flags that exclude each other, or a key that a resumed run cannot change; Error(model)
    /// when there is nothing to go on from.
    static Beginning from(const Request& request);
};

/// Refuses to go on with other data than the run began with; `accepted`: warns. Throws Error(data).
void check_same_data(const Checkpoint& checkpoint, const SourceInfo& info, bool accepted);

/// Warns of what differs from the run that is repeated.
void compare_with(const std::string& run, const SourceInfo& info, torch::Device device);

}  // namespace nowcell
