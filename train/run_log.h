// The numbers of a run, one row per epoch, and their curve.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// One row of metrics.csv.
struct EpochRecord {
    std::int64_t epoch = 0;  ///< 0: before the first step
    std::int64_t step = 0;
    double lr = 0.0;
    double train_loss = 0.0;      ///< mean over the epoch, model units; NaN at epoch 0
    double validation_mae = 0.0;  ///< physical units
    double validation_mse = 0.0;
    double seconds = 0.0;  ///< since the start of training
    double sequences_per_s = 0.0;
};

/// Collects rows and keeps metrics.csv and the loss curve current.
class RunLog {
 public:
    /// loss_scale: physical units of one unit of the training loss; NaN when the loss cannot stand beside an MAE.
    RunLog(std::string csv_path, std::string curve_path, std::string units, double loss_scale);

    /// Writes both files anew, atomically. Throws Error(output).
    void add(const EpochRecord& record);

 private:
    std::string csv() const;
    void draw() const;

    std::string csv_path_;
    std::string curve_path_;
    std::string units_;
    double loss_scale_;
    std::vector<EpochRecord> records_;
};

}  // namespace nowcell
