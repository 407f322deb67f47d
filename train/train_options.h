// The [loss], [optim], [schedule] and [train] sections of a configuration. Free of LibTorch, so that mistakes show at
// once.
#pragma once

#include "src/config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// What training minimises; `nowcell config keys loss` explains each.
struct LossOptions {
    std::string name = "mae";
    double huber_delta = 1.0;                              ///< model units
    std::vector<double> thresholds = {0.5, 2, 5, 10, 30};  ///< physical units, ascending
    std::vector<double> threshold_weights = {1, 1, 2, 5, 10, 30};
    double gradient_weight = 0.0;
    double ssim_weight = 0.0;
    std::vector<double> lead_weights = {};  ///< of lead 1, 2, ..., mean 1; empty: all alike

    static LossOptions from(const Config& config);

    /// Whether the structural similarity is part of it, which needs frames of at least 11x11.
    bool needs_ssim() const { return name == "ssim" || ssim_weight > 0.0; }
};

/// How gradients move weights.
struct OptimizerOptions {
    std::string name = "adam";  ///< "adam" | "adam-keras" | "adamw" | "sgd"
    double lr = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double eps = 1e-8;
    double momentum = 0.0;
    bool nesterov = false;
    double weight_decay = 0.0;
    double grad_clip = 1.0;            ///< 0: none
    std::string clip = "global-norm";  ///< "global-norm" | "per-variable" | "value"

    static OptimizerOptions from(const Config& config);
};

/// The course of the learning rate.
struct ScheduleOptions {
    std::string name = "constant";  ///< "constant" | "step" | "cosine" | "one-cycle" | "plateau"
    double lr = 1e-3;               ///< the rate that the schedule shapes: optim.lr
    std::int64_t epochs = 50;       ///< of the run
    std::int64_t warmup_steps = 0;
    double min_lr = 0.0;
    double factor = 0.1;         ///< step and plateau
    std::int64_t every = 30;     ///< step: `unit`s between two falls
    std::string unit = "epoch";  ///< "epoch" | "step"
    double rise = 0.3;           ///< one-cycle: share of the run
    double divide = 25.0;        ///< one-cycle: lr / this is the first rate
    double divide_final = 1e4;   ///< one-cycle: the first rate / this is the last one
    std::string anneal = "cosine";
    std::string rule = "keras";  ///< plateau: "keras" | "pytorch"
    std::int64_t patience = 10;  ///< plateau: validations
    double min_delta = 1e-4;     ///< plateau: physical units for keras, a share for pytorch
    std::int64_t cooldown = 0;   ///< plateau: validations

    static ScheduleOptions from(const Config& config);
};

/// Which frames a network sees as they were, and which as it forecast them itself, while it learns.
struct SamplingOptions {
    std::string name = "none";     ///< "none" | "scheduled" | "reverse"
    std::string decay = "linear";  ///< "linear" | "exponential"
    std::int64_t start = 0;        ///< step at which the shares begin to change
    std::int64_t stop = 50000;     ///< step from which none of the taught frames is shown
    double alpha = 5000.0;         ///< exponential: steps
    std::uint64_t seed = 42;

    static SamplingOptions from(const Config& config);
};

/// How a network is trained.
struct TrainOptions {
    LossOptions loss;
    OptimizerOptions optimizer;
    ScheduleOptions schedule;
    SamplingOptions sampling;
    std::int64_t epochs = 50;
    double max_time_s = 0.0;         ///< 0: no limit
    std::int64_t batch = 16;         ///< windows of one pass
    std::int64_t accumulate = 1;     ///< passes of a step
    std::int64_t epoch_windows = 0;  ///< 0: all
    std::uint64_t seed = 42;
    std::int64_t patience = 0;            ///< validations; 0: never stop early
    double min_delta = 0.0;               ///< physical units: what an improvement must exceed to end the waiting
    double ema = 0.0;                     ///< 0: no average
    std::int64_t curriculum_start = 0;    ///< lead times taught in the first epoch; 0: all
    std::int64_t curriculum_epochs = 10;  ///< epochs until all are taught
    std::string precision = "float32";    ///< "float32" | "bfloat16"
    std::string on_nan = "halt";          ///< "halt" | "skip" | "rollback"

    /// Throws Error(usage) with the position of the key that does not fit the others.
    static TrainOptions from(const Config& config);
};

}  // namespace nowcell
