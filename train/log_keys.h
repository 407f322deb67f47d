// The section [log] of a configuration. Free of LibTorch.
#pragma once

#include "src/config.h"

namespace nowcell {

/// What a run records beside its checkpoints.
struct LogOptions {
    std::int64_t every_steps = 20;    ///< steps from one record in events.jsonl to the next
    bool tensorboard = true;          ///< tb/events.out.tfevents.*
    std::int64_t pictures_every = 1;  ///< epochs from one set of sample pictures to the next; 0: none
    std::int64_t pictures = 1;        ///< windows drawn

    static LogOptions from(const Config& config);
};

std::vector<Key> log_keys();

}  // namespace nowcell
