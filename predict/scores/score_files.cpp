#include "predict/scores/score_files.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace nowcell {
namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json lead_json(std::int64_t lead) { return lead == 0 ? Json("all") : Json(lead); }

Json threshold_json(const std::optional<double>& threshold) { return threshold ? Json(*threshold) : Json(nullptr); }

Json scale_json(std::int64_t scale) { return scale > 0 ? Json(scale) : Json(nullptr); }

Json rows_of(const ScoreTable& table) {
    Json rows = Json::array();
    for (const ForecasterScores& row : table.rows) {
        for (const Quantity& one : row.quantities()) {
            for (std::int64_t lead = 0; lead <= table.leads(); ++lead) {
                rows.push_back({{"forecaster", row.name},
                                {"metric", one.metric},
                                {"threshold", threshold_json(one.threshold)},
                                {"scale", scale_json(one.scale)},
                                {"lead", lead_json(lead)},
                                {"unit", table.unit(one)},
                                {"value", number_or_null(row.value(one, lead))}});
            }
        }
    }
    return rows;
}

Json comparison_json(const Comparison& one, const ScoreTable& table) {
    const PairedInterval& interval = one.difference;
    return {{"forecaster", one.forecaster},
            {"baseline", one.baseline},
            {"metric", one.quantity.metric},
            {"threshold", threshold_json(one.quantity.threshold)},
            {"unit", table.unit(one.quantity)},
            {"skill", number_or_null(one.skill)},
            {"skill_low", number_or_null(one.skill_low)},
            {"skill_high", number_or_null(one.skill_high)},
            {"difference", number_or_null(interval.difference)},
            {"low", number_or_null(interval.low)},
            {"high", number_or_null(interval.high)},
            {"level", 0.95},
            {"verdict", verdict(one)},
            {"blocks", interval.blocks},
            {"block_windows", interval.block_windows},
            {"resamples", kResamples}};
}

Json numbers_json(const std::vector<double>& values) {
    Json out = Json::array();
    for (const double value : values) out.push_back(number_or_null(value));
    return out;
}

Json curves_of(const ScoreTable& table) {
    Json out = Json::array();
    for (const ForecasterScores& row : table.rows) {
        for (const ScoreCurve& curve : row.curves()) {
            out.push_back({{"forecaster", row.name},
                           {"kind", curve.kind},
                           {"threshold", threshold_json(curve.threshold)},
                           {"lead", lead_json(curve.lead)},
                           {"x", numbers_json(curve.x)},
                           {"y", numbers_json(curve.y)},
                           {"weight", numbers_json(curve.weight)},
                           {"x_label", curve.x_label},
                           {"y_label", curve.y_label}});
        }
    }
    return out;
}

std::string csv_number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : std::string(); }

std::string csv_text(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
}

constexpr const char* kScoreColumns = "forecaster,metric,threshold,scale,lead,unit,value\n";

std::string score_lines(const ScoreTable& table, const std::string& before) {
    std::string out;
    for (const ForecasterScores& row : table.rows) {
        for (const Quantity& one : row.quantities()) {
            for (std::int64_t lead = 0; lead <= table.leads(); ++lead) {
                out += fmt::format("{}{},{},{},{},{},{},{}\n", before, csv_text(row.name), one.metric,
                                   one.threshold ? csv_number(*one.threshold) : "",
                                   one.scale > 0 ? std::to_string(one.scale) : "",
                                   lead == 0 ? std::string("all") : std::to_string(lead), csv_text(table.unit(one)),
                                   csv_number(row.value(one, lead)));
            }
        }
    }
    return out;
}

}  // namespace

Json score_document(const ScoreReport& report) {
    const ScoreTable& table = report.table;
    Json names = Json::array();
    for (const ForecasterScores& row : table.rows) {
        names.push_back({{"name", row.name}, {"baseline", row.baseline}, {"ensemble", row.ensemble.has_value()}});
    }
    Json comparisons = Json::array();
    for (const Comparison& one : report.comparisons) comparisons.push_back(comparison_json(one, table));
    return {{"schema", "nowcell.evaluate/2"}, {"model", report.context.model}, {"data", report.context.data},
            {"split", report.context.split},  {"dialect", table.dialect},      {"windows", table.windows()},
            {"leads", table.leads()},         {"step_s", table.step_s},        {"units", table.units},
            {"forecasters", names},           {"rows", rows_of(table)},        {"comparisons", comparisons},
            {"curves", curves_of(table)}};
}

std::string score_csv(const ScoreTable& table) { return std::string(kScoreColumns) + score_lines(table, ""); }

std::string score_csv(const std::vector<ScoreReport>& reports) {
    std::string out = fmt::format("data,{}", kScoreColumns);
    for (const ScoreReport& report : reports) out += score_lines(report.table, csv_text(report.context.data) + ",");
    return out;
}

std::string sample_csv(const ScoreTable& table) {
    std::vector<Quantity> columns;
    for (const Quantity& one : table.rows.front().fields.quantities()) {
        if (table.windows() > 0 && !table.rows.front().fields.window_parts(one, 0).empty()) columns.push_back(one);
    }
    std::string out = "recording,frame,forecaster";
    for (const Quantity& one : columns) out += "," + short_name(one);
    out += "\n";
    for (std::size_t i = 0; i < table.times.size(); ++i) {
        for (const ForecasterScores& row : table.rows) {
            out += fmt::format("{},{},{}", table.times[i].recording, table.times[i].frame, csv_text(row.name));
            for (const Quantity& one : columns) {
                const auto parts = row.fields.window_parts(one, static_cast<std::int64_t>(i));
                out += "," + csv_number(row.fields.from_parts(one, parts));
            }
            out += "\n";
        }
    }
    return out;
}

std::string evaluate_schema() {
    return R"schema({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "nowcell.evaluate/2",
  "description": "Scores of forecasters on the same windows. lead \"all\" is over all lead times; null is unknown.",
  "type": "object",
  "required": ["schema", "model", "data", "split", "dialect", "windows", "leads", "step_s", "units", "forecasters",
               "rows", "comparisons", "curves"],
  "additionalProperties": false,
  "properties": {
    "schema": {"const": "nowcell.evaluate/2"},
    "model": {"type": "string"},
    "data": {"type": "string"},
    "split": {"enum": ["train", "validation", "test", "all"]},
    "dialect": {"enum": ["standard", "openstl", "hko7", "sevir", "pysteps"]},
    "windows": {"type": "integer", "minimum": 0},
    "leads": {"type": "integer", "minimum": 1},
    "step_s": {"type": "number", "minimum": 0, "description": "seconds between lead times; 0: not known"},
    "units": {"type": "string"},
    "forecasters": {
      "type": "array",
      "items": {
        "type": "object",
        "required": ["name", "baseline", "ensemble"],
        "additionalProperties": false,
        "properties": {
          "name": {"type": "string"},
          "baseline": {"type": "boolean", "description": "needs no learning"},
          "ensemble": {"type": "boolean", "description": "scores of fields are those of the mean"}
        }
      }
    },
    "rows": {
      "type": "array",
      "items": {
        "type": "object",
        "required": ["forecaster", "metric", "threshold", "scale", "lead", "unit", "value"],
        "additionalProperties": false,
        "properties": {
          "forecaster": {"type": "string"},
          "metric": {"type": "string"},
          "threshold": {"type": ["number", "null"], "description": "physical units"},
          "scale": {"type": ["integer", "null"], "description": "px"},
          "lead": {"type": ["integer", "string"]},
          "unit": {"type": "string"},
          "value": {"type": ["number", "null"]}
        }
      }
    },
    "comparisons": {
      "type": "array",
      "items": {
        "type": "object",
        "required": ["forecaster", "baseline", "metric", "threshold", "unit", "skill", "skill_low", "skill_high",
                     "difference", "low", "high", "level", "verdict", "blocks", "block_windows", "resamples"],
        "additionalProperties": false,
        "properties": {
          "forecaster": {"type": "string"},
          "baseline": {"type": "string"},
          "metric": {"type": "string"},
          "threshold": {"type": ["number", "null"]},
          "unit": {"type": "string"},
          "skill": {"type": ["number", "null"], "description": "1 - score / score of the baseline"},
          "skill_low": {"type": ["number", "null"]},
          "skill_high": {"type": ["number", "null"]},
          "difference": {"type": ["number", "null"], "description": "score - score of the baseline"},
          "low": {"type": ["number", "null"]},
          "high": {"type": ["number", "null"]},
          "level": {"type": "number"},
          "verdict": {"enum": ["better", "worse", "undecided", "too few for an interval"]},
          "blocks": {"type": "integer"},
          "block_windows": {"type": "integer"},
          "resamples": {"type": "integer"}
        }
      }
    },
    "curves": {
      "type": "array",
      "items": {
        "type": "object",
        "required": ["forecaster", "kind", "threshold", "lead", "x", "y", "weight", "x_label", "y_label"],
        "additionalProperties": false,
        "properties": {
          "forecaster": {"type": "string"},
          "kind": {"type": "string"},
          "threshold": {"type": ["number", "null"]},
          "lead": {"type": ["integer", "string"]},
          "x": {"type": "array", "items": {"type": ["number", "null"]}},
          "y": {"type": "array", "items": {"type": ["number", "null"]}},
          "weight": {"type": "array", "items": {"type": ["number", "null"]}},
          "x_label": {"type": "string"},
          "y_label": {"type": "string"}
        }
      }
    }
  }
})schema";
}

}  // namespace nowcell
