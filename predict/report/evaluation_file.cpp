#include "predict/report/evaluation_file.h"

#include "predict/report/json_file.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

std::optional<double> threshold_in(const nlohmann::ordered_json& object) {
    const double value = number_in(object, "threshold");
    return std::isnan(value) ? std::nullopt : std::optional(value);
}

std::int64_t lead_in(const nlohmann::ordered_json& object, const std::string& path) {
    if (!object.contains("lead") || text_in(object, "lead") == "all") return 0;
    const std::int64_t lead = integer_in(object, "lead", -1);
    if (lead >= 1) return lead;
    throw Error(ExitCode::data,
                fmt::format("{}: lead: got {}, expected \"all\" or a number from 1", path,
                            object["lead"].dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)));
}

ScoreRow row_of(const nlohmann::ordered_json& object, const std::string& path) {
    ScoreRow row{text_in(object, "forecaster"),
                 {text_in(object, "metric"), threshold_in(object), integer_in(object, "scale", 0)},
                 lead_in(object, path),
                 text_in(object, "unit"),
                 number_in(object, "value")};
    if (row.forecaster.empty() || row.quantity.metric.empty()) {
        throw Error(ExitCode::data, path + ": a row of scores without \"forecaster\" or \"metric\"");
    }
    return row;
}

SkillRow skill_of(const nlohmann::ordered_json& object, const std::string& model) {
    SkillRow row{.forecaster = text_in(object, "forecaster"),
                 .baseline = text_in(object, "baseline"),
                 .metric = text_in(object, "metric"),
                 .verdict = text_in(object, "verdict"),
                 .threshold = threshold_in(object),
                 .skill = number_in(object, "skill"),
                 .difference = number_in(object, "difference"),
                 .low = number_in(object, "low"),
                 .high = number_in(object, "high"),
                 .skill_low = number_in(object, "skill_low"),
                 .skill_high = number_in(object, "skill_high"),
                 .level = number_in(object, "level"),
                 .blocks = integer_in(object, "blocks", 0)};
    if (row.forecaster.empty()) row.forecaster = model;
    if (std::isnan(row.level)) row.level = 0.95;
    return row;
}

CurveRow curve_of(const nlohmann::ordered_json& object, const std::string& path) {
    return {text_in(object, "forecaster"),
            {text_in(object, "kind"), threshold_in(object), lead_in(object, path), numbers_in(object, "x"),
             numbers_in(object, "y"), numbers_in(object, "weight"), text_in(object, "x_label"),
             text_in(object, "y_label")}};
}

// Forecasters are named in the order of the rows; files of the second schema also say which are baselines.
void name_forecasters(EvaluationFile& file, const nlohmann::ordered_json& json) {
    for (const ScoreRow& row : file.rows) {
        auto& names = file.forecasters;
        if (std::find(names.begin(), names.end(), row.forecaster) == names.end()) names.push_back(row.forecaster);
    }
    const auto listed = json.find("forecasters");
    if (listed != json.end() && listed->is_array()) {
        for (const auto& one : *listed) {
            if (one.is_object() && one.value("baseline", nlohmann::ordered_json()) == true) {
                file.baselines.push_back(text_in(one, "name"));
            }
        }
    }
    if (file.baselines.empty() && file.forecasters.size() > 1) {
        file.baselines.assign(file.forecasters.begin() + 1, file.forecasters.end());
    }
}

EvaluationFile evaluation_of(const nlohmann::ordered_json& json, const std::string& path) {
    const std::string schema = text_in(json, "schema");
    if (schema != "nowcell.evaluate/1" && schema != "nowcell.evaluate/2") {
        throw Error(ExitCode::data, fmt::format("{}: schema: got \"{}\", expected nowcell.evaluate/2", path, schema),
                    "", "nowcell evaluate --json scores.json writes one");
    }
    EvaluationFile file{.path = path,
                        .model = text_in(json, "model"),
                        .data = text_in(json, "data"),
                        .split = text_in(json, "split"),
                        .dialect = text_in(json, "dialect")};
    file.windows = integer_in(json, "windows", 0);
    const double step_s = number_in(json, "step_s");
    if (step_s > 0) file.step_s = step_s;
    for (const auto& row : objects_in(json, "rows", path)) {
        file.rows.push_back(row_of(row, path));
        if (file.rows.back().quantity.metric == "mae") file.units = file.rows.back().unit;
    }
    if (const std::string units = text_in(json, "units"); !units.empty()) file.units = units;
    name_forecasters(file, json);
    const std::string model = file.forecasters.empty() ? "" : file.forecasters.front();
    for (const auto& row : objects_in(json, "comparisons", path)) file.comparisons.push_back(skill_of(row, model));
    if (json.contains("comparison") && json["comparison"].is_object()) {
        file.comparisons.push_back(skill_of(json["comparison"], model));
    }
    for (const auto& row : objects_in(json, "curves", path)) file.curves.push_back(curve_of(row, path));
    return file;
}

}  // namespace

double EvaluationFile::value(const std::string& forecaster, const Quantity& quantity, std::int64_t lead) const {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const ScoreRow& row) {
        return row.lead == lead && row.forecaster == forecaster && row.quantity == quantity;
    });
    return found == rows.end() ? std::nan("") : found->value;
}

std::vector<Quantity> EvaluationFile::quantities() const {
    std::vector<Quantity> found;
    for (const ScoreRow& row : rows) {
        if (std::find(found.begin(), found.end(), row.quantity) == found.end()) found.push_back(row.quantity);
    }
    return found;
}

std::int64_t EvaluationFile::leads() const {
    std::int64_t last = 0;
    for (const ScoreRow& row : rows) last = std::max(last, row.lead);
    return last;
}

std::vector<EvaluationFile> read_evaluations(const std::string& path) {
    const nlohmann::ordered_json json = read_json_object(path);
    if (text_in(json, "schema") != "nowcell.evaluate_suite/1") return {evaluation_of(json, path)};
    std::vector<EvaluationFile> files;
    for (const auto& one : objects_in(json, "evaluations", path)) files.push_back(evaluation_of(one, path));
    return files;
}

}  // namespace nowcell
