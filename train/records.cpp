#include "train/records.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace nowcell {
namespace {

std::string cell(double value) { return std::isnan(value) ? "" : fmt::format("{:.8g}", value); }

double number(const nlohmann::json& json, const char* name) {
    const nlohmann::json& value = json.at(name);
    return value.is_null() ? std::nan("") : value.get<double>();
}

}  // namespace

nlohmann::ordered_json to_json(const EpochRecord& record) {
    return {{"epoch", record.epoch},
            {"step", record.step},
            {"lr", record.lr},
            {"train_loss", record.train_loss},
            {"val_mae", record.validation_mae},
            {"val_mse", record.validation_mse},
            {"seconds", record.seconds},
            {"sequences_per_s", record.sequences_per_s},
            {"val_mae_per_lead", record.mae_per_lead}};
}

nlohmann::ordered_json to_json(const StepRecord& record) {
    return {{"epoch", record.epoch},
            {"step", record.step},
            {"loss", record.loss},
            {"lr", record.lr},
            {"gradient_norm", record.gradient_norm},
            {"sequences_per_s", record.sequences_per_s},
            {"waiting", record.waiting},
            {"skipped", record.skipped}};
}

EpochRecord epoch_record_from(const nlohmann::json& json) {
    EpochRecord record;
    json.at("epoch").get_to(record.epoch);
    json.at("step").get_to(record.step);
    record.lr = number(json, "lr");
    record.train_loss = number(json, "train_loss");
    record.validation_mae = number(json, "val_mae");
    record.validation_mse = number(json, "val_mse");
    record.seconds = number(json, "seconds");
    record.sequences_per_s = number(json, "sequences_per_s");
    for (const nlohmann::json& value : json.at("val_mae_per_lead")) {
        record.mae_per_lead.push_back(value.is_null() ? std::nan("") : value.get<double>());
    }
    return record;
}

nlohmann::json to_json(const std::vector<EpochRecord>& records) {
    nlohmann::json out = nlohmann::json::array();
    for (const EpochRecord& record : records) out.push_back(nlohmann::json(to_json(record)));
    return out;
}

std::vector<EpochRecord> epoch_records_from(const nlohmann::json& json) {
    std::vector<EpochRecord> records;
    for (const nlohmann::json& record : json) records.push_back(epoch_record_from(record));
    return records;
}

std::string metrics_csv(const std::vector<EpochRecord>& records) {
    std::string out = "epoch,step,lr,train_loss,val_mae,val_mse,seconds,sequences_per_s\n";
    for (const EpochRecord& record : records) {
        out += fmt::format("{},{},{},{},{},{},{:.1f},{:.2f}\n", record.epoch, record.step, cell(record.lr),
                           cell(record.train_loss), cell(record.validation_mae), cell(record.validation_mse),
                           record.seconds, record.sequences_per_s);
    }
    return out;
}

}  // namespace nowcell
