#include "train/run_log.h"

#include "predict/pictures.h"
#include "src/files.h"

#include <fmt/format.h>

#include <cmath>

namespace nowcell {
namespace {

std::string cell(double value) { return std::isnan(value) ? "" : fmt::format("{:.8g}", value); }

}  // namespace

RunLog::RunLog(std::string csv_path, std::string curve_path, std::string units, double loss_scale)
    : csv_path_(std::move(csv_path)),
      curve_path_(std::move(curve_path)),
      units_(std::move(units)),
      loss_scale_(loss_scale) {}

void RunLog::add(const EpochRecord& record) {
    records_.push_back(record);
    write_atomically(csv_path_, csv());
    draw();
}

std::string RunLog::csv() const {
    std::string out = "epoch,step,lr,train_loss,val_mae,val_mse,seconds,sequences_per_s\n";
    for (const EpochRecord& record : records_) {
        out += fmt::format("{},{},{},{},{},{},{:.1f},{:.2f}\n", record.epoch, record.step, cell(record.lr),
                           cell(record.train_loss), cell(record.validation_mae), cell(record.validation_mse),
                           record.seconds, record.sequences_per_s);
    }
    return out;
}

void RunLog::draw() const {
    Curve validation{"validation", {}, {}};
    Curve training{"training", {}, {}};
    for (const EpochRecord& record : records_) {
        validation.x.push_back(static_cast<double>(record.epoch));
        validation.y.push_back(record.validation_mae);
        training.x.push_back(static_cast<double>(record.epoch));
        training.y.push_back(record.train_loss * loss_scale_);
    }
    std::vector<Curve> curves = {validation};
    if (!std::isnan(loss_scale_) && records_.size() > 1) curves.push_back(training);
    write_plot(curve_path_, "Error during training", "epoch", units_ == "1" ? "MAE" : fmt::format("MAE [{}]", units_),
               curves);
}

}  // namespace nowcell
