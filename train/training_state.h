// Where a run stands: everything besides tensors that a resumed run needs to go on as if nothing had happened.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <limits>

namespace nowcell {

/// Counters of a run. A checkpoint holds them in its section "training".
struct TrainingState {
    std::int64_t epoch = 0;       ///< the epoch that is being trained, from 1; 0: nothing has been done
    std::int64_t epoch_step = 0;  ///< steps of it that are done
    std::int64_t step = 0;        ///< steps of the run, skipped ones included
    bool validated = false;       ///< the epoch has been validated, or epoch 0 has

    std::int64_t best_epoch = 0;
    double best_mae = std::numeric_limits<double>::infinity();  ///< validation, physical units
    double last_mae = std::numeric_limits<double>::quiet_NaN();

    double loss_sum = 0.0;       ///< over the epoch's steps with a loss
    std::int64_t losses = 0;     ///< how many these are
    std::int64_t sequences = 0;  ///< of the epoch
    std::int64_t skipped = 0;    ///< steps in a row that were not taken because of NaN or Inf
    std::int64_t rollbacks = 0;  ///< since the last checkpoint

    double seconds = 0.0;        ///< of training and validation, over all processes that worked on the run
    double epoch_seconds = 0.0;  ///< of the epoch's steps

    nlohmann::json json() const;
    /// Throws nlohmann::json::exception on a section that is none.
    static TrainingState from(const nlohmann::json& json);
};

}  // namespace nowcell
