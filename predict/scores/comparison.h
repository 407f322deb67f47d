// Whether forecasters beat the baselines, by how much, and how sure that is.
#pragma once

#include "predict/evaluation.h"
#include "predict/scores/bootstrap.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// One forecaster beside another on the same windows, by one score over all lead times. Intervals are of 95 %.
struct Comparison {
    std::string forecaster;
    std::string baseline;
    Quantity quantity;
    PairedInterval difference;  ///< score of the forecaster minus that of the baseline
    /// 1 - score / score of the baseline; NaN where a smaller score is not a better one.
    double skill = std::numeric_limits<double>::quiet_NaN();
    double skill_low = std::numeric_limits<double>::quiet_NaN();
    double skill_high = std::numeric_limits<double>::quiet_NaN();
};

/// Every forecaster that is no baseline beside every baseline and beside the first forecaster, by MAE, MSE and the CSI
/// of each threshold, as far as the table has them. Blocks of the bootstrap are as long as a window.
std::vector<Comparison> compare(const ScoreTable& table);

/// The one of the first forecaster by MAE with the best of the others; nothing when there is none.
std::optional<Comparison> against_best(const ScoreTable& table, const std::vector<Comparison>& comparisons);

/// "better" | "worse" | "undecided" | "too few for an interval": whether the interval of the difference excludes zero.
std::string verdict(const Comparison& comparison);

}  // namespace nowcell
