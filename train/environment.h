// What the numbers of a run depend on besides its configuration and data.
#pragma once

#include "data/formats/source_info.h"
#include "src/config.h"

#include <torch/types.h>

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace nowcell {

/// Versions, kind of processor, device and number of threads.
nlohmann::json environment(torch::Device device);

/// What differs between a checkpoint's environment and this one, in words; empty: nothing that changes numbers.
std::vector<std::string> environment_changes(const nlohmann::json& before, const nlohmann::json& now);

/// What memory a training step is expected to take, in words. Throws Error(device) when that is more than the machine
/// has free by far: the estimate may be a quarter too large.
std::string check_memory(const Config& config, const SourceInfo& info, torch::Device device);

/// Makes LibTorch refuse operations that may differ from run to run, and refuses what nobody can vouch for.
/// Throws Error(usage) naming the key.
void require_determinism(const Config& config);

}  // namespace nowcell
