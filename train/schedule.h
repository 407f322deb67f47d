// The learning rate of every step, and when to stop early.
#pragma once

#include "train/train_options.h"

#include <nlohmann/json_fwd.hpp>

#include <limits>

namespace nowcell {

/// The learning rate as a function of the step; with "plateau" also of the validations so far.
class Schedule {
 public:
    /// total_steps: of the whole run, > 0.
    Schedule(const ScheduleOptions& options, std::int64_t total_steps);

    /// Of a step, counted from 0; beyond the end as at the end.
    ///     constant   lr
    ///     step       lr factor^k after k times `every` epochs or steps, never below min_lr
    ///     cosine     from lr down to min_lr over half a cosine
    ///     one-cycle  from lr / divide up to lr over the share `rise`, then down to lr / divide / divide_final; along
    ///     half
    ///                cosines or straight lines. Source: PyTorch OneCycleLR with two phases
    ///     plateau    lr times the factors that validated() has brought, never below min_lr
    /// All but one-cycle first rise over warmup_steps in a straight line: lr (step + 1) / warmup_steps.
    double lr(std::int64_t step) const;

    /// Tells of the validation after an epoch; only "plateau" listens. Its rate falls when the error has not improved
    /// for
    ///     keras    `patience` validations; an improvement is below best - min_delta
    ///     pytorch  `patience` + 1 validations; an improvement is below best (1 - min_delta)
    /// and waits `cooldown` validations before it counts again. Source: Keras 3 and PyTorch ReduceLROnPlateau.
    void validated(double mae);

    /// What "plateau" has seen; load_state() continues bit for bit. Throws Error(model) on what state() did not write.
    nlohmann::json state() const;
    void load_state(const nlohmann::json& state);

 private:
    double one_cycle(std::int64_t step) const;

    ScheduleOptions options_;
    std::int64_t total_;
    double best_ = std::numeric_limits<double>::infinity();
    std::int64_t wait_ = 0;
    std::int64_t cooling_ = 0;
    double scale_ = 1.0;
};

/// Ends a run whose validation error stays where it is. Source: Keras EarlyStopping.
class EarlyStopping {
 public:
    /// patience: validations without an improvement by more than min_delta; 0: never stop.
    EarlyStopping(std::int64_t patience, double min_delta) : patience_(patience), min_delta_(min_delta) {}

    void validated(double mae);
    bool stop() const { return patience_ > 0 && wait_ >= patience_; }

    nlohmann::json state() const;
    void load_state(const nlohmann::json& state);  ///< Throws Error(model) on what state() did not write.

 private:
    std::int64_t patience_;
    double min_delta_;
    double best_ = std::numeric_limits<double>::infinity();
    std::int64_t wait_ = 0;
};

}  // namespace nowcell
