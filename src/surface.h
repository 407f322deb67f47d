// What must hold across folders before anything is computed.
#pragma once

#include "src/config.h"

namespace nowcell {

/// Checks what single keys cannot. Free of LibTorch. Throws Error(usage).
void check_config(const Config& config);

}  // namespace nowcell
