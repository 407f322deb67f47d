// What the numbers of a run depend on besides its configuration and data.
#pragma once

#include <torch/types.h>

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace nowcell {

/// Versions, kind of processor, device and number of threads.
nlohmann::json environment(torch::Device device);

/// What differs between a checkpoint's environment and this one, in words; empty: nothing that changes numbers.
std::vector<std::string> environment_changes(const nlohmann::json& before, const nlohmann::json& now);

/// MiB that programs may still take on this machine; 0 where it cannot be told.
double free_memory_mib();

/// Makes LibTorch refuse operations that may differ from run to run, and refuses what nobody can vouch for.
/// Throws Error(usage) naming the key.
class Config;
void require_determinism(const Config& config);

}  // namespace nowcell
