// The section [checkpoint] of a configuration. Free of LibTorch.
#pragma once

#include "src/config.h"

namespace nowcell {

/// When a run saves itself, beside the end of the run and every new best epoch.
struct CheckpointOptions {
    std::int64_t every = 1;        ///< epochs
    std::int64_t every_steps = 0;  ///< steps; 0: not by steps
    double every_time_s = 600.0;   ///< 0: not by time
    std::int64_t keep = 2;         ///< newest ones that stay

    static CheckpointOptions from(const Config& config);
};

std::vector<Key> checkpoint_keys();

}  // namespace nowcell
