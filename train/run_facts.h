// What run.json says of a run when it begins.
#pragma once

#include "predict/forecaster.h"
#include "src/verb.h"

#include <nlohmann/json_fwd.hpp>

namespace nowcell {

/// The command line, versions, device, threads, seed, data with fingerprint, and the size of the network.
nlohmann::ordered_json run_facts(const Request& request, const Forecaster& forecaster, const SourceInfo& info);

}  // namespace nowcell
