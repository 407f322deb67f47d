// The [loss], [optim], [schedule] and [train] sections of a configuration.
#pragma once

#include "src/config.h"

#include <cstdint>
#include <string>

namespace nowcell {

/// How a network is trained.
struct TrainOptions {
    std::string loss = "mae";        ///< "mae" | "mse"
    std::string optimizer = "adam";  ///< "adam" | "adamw"
    double lr = 1e-3;
    double weight_decay = 0.0;
    double grad_clip = 1.0;             ///< global norm; 0: none
    std::string schedule = "constant";  ///< "constant" | "cosine"
    std::int64_t warmup_steps = 0;
    double min_lr = 0.0;
    std::int64_t epochs = 50;
    double max_time_s = 0.0;  ///< 0: no limit
    std::int64_t batch = 16;
    std::int64_t epoch_windows = 0;  ///< 0: all
    std::uint64_t seed = 42;
    std::int64_t patience = 0;  ///< validations; 0: never stop early
    double ema = 0.0;           ///< 0: no average

    static TrainOptions from(const Config& config);
};

}  // namespace nowcell
