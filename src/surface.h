// What must hold across folders before anything is computed.
#pragma once

#include "src/config.h"

namespace nowcell {

/// Checks what single keys cannot. Free of LibTorch. Throws Error(usage).
void check_config(const Config& config);

/// "auto", "cpu", "cuda" or "cuda:N"; `where` says where the word stands. Throws Error(usage).
void check_device_name(const std::string& name, const std::string& where = "");

}  // namespace nowcell
