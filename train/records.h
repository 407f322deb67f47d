// The numbers of a run: a row of each epoch, and of the steps in between.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace nowcell {

/// One row of metrics.csv.
struct EpochRecord {
    std::int64_t epoch = 0;  ///< 0: before the first step
    std::int64_t step = 0;   ///< of the run, taken so far
    double lr = 0.0;
    double train_loss = std::numeric_limits<double>::quiet_NaN();  ///< mean over the epoch, model units
    double validation_mae = 0.0;                                   ///< physical units
    double validation_mse = 0.0;
    double seconds = 0.0;  ///< since the start of training
    double sequences_per_s = 0.0;
    std::vector<double> mae_per_lead = {};  ///< validation, physical units, lead 1 first; may be empty
};

/// One optimiser step.
struct StepRecord {
    std::int64_t epoch = 0;  ///< from 1
    std::int64_t step = 0;   ///< of the run, from 1
    double loss = 0.0;       ///< model units
    double lr = 0.0;
    double gradient_norm = 0.0;  ///< before clipping
    double sequences_per_s = 0.0;
    double waiting = 0.0;  ///< share of the epoch's time spent waiting for data, 0..1
    bool skipped = false;  ///< moved no weight
};

/// Every number as it was; NaN is null.
nlohmann::ordered_json to_json(const EpochRecord& record);
nlohmann::ordered_json to_json(const StepRecord& record);

/// What to_json made, as a checkpoint keeps it. Throws nlohmann::json::exception on anything else.
EpochRecord epoch_record_from(const nlohmann::json& json);
nlohmann::json to_json(const std::vector<EpochRecord>& records);
std::vector<EpochRecord> epoch_records_from(const nlohmann::json& json);

/// The rows of metrics.csv with a head.
std::string metrics_csv(const std::vector<EpochRecord>& records);

}  // namespace nowcell
