// What `nowcell evaluate` wrote, as a report reads it.
#pragma once

#include "predict/scores/quantity.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace nowcell {

/// One number of a score table.
struct ScoreRow {
    std::string forecaster;
    Quantity quantity;
    std::int64_t lead = 0;  ///< 1..T, 0: all lead times
    std::string unit;
    double value = std::numeric_limits<double>::quiet_NaN();
};

/// How a forecaster did beside another one on the same windows. What is not known is NaN.
struct SkillRow {
    std::string forecaster, baseline, metric, verdict;
    std::optional<double> threshold = {};
    double skill = std::numeric_limits<double>::quiet_NaN(), difference = skill, low = skill, high = skill;
    double skill_low = skill, skill_high = skill;
    double level = 0.95;
    std::int64_t blocks = 0;
};

/// A score that is a curve, and whose.
struct CurveRow {
    std::string forecaster;
    ScoreCurve curve;
};

/// A file of scores.
struct EvaluationFile {
    std::string path;  ///< as given, or the file in the folder that was given
    std::string model = {}, data = {}, split = {}, dialect = {}, units = "1";
    std::int64_t windows = 0;
    double step_s = 0.0;
    std::vector<std::string> forecasters = {};  ///< in the order of the rows
    std::vector<std::string> baselines = {};    ///< those of them that need no learning; all but the first if not said
    std::vector<ScoreRow> rows = {};
    std::vector<SkillRow> comparisons = {};
    std::vector<CurveRow> curves = {};

    /// NaN when there is no such row.
    double value(const std::string& forecaster, const Quantity& quantity, std::int64_t lead) const;

    /// Every quantity with a row, in the order of the file.
    std::vector<Quantity> quantities() const;

    std::int64_t leads() const;  ///< the last lead time with a row
};

/// Reads a file of the schema nowcell.evaluate/1 or /2, or the evaluations of a nowcell.evaluate_suite/1. Throws
/// Error(data) when it is damaged or something else.
std::vector<EvaluationFile> read_evaluations(const std::string& path);

}  // namespace nowcell
