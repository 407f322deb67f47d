// A score table as people read it.
#pragma once

#include "predict/scores/comparison.h"

#include <string>
#include <vector>

namespace nowcell {

/// What a table is about.
struct ScoreContext {
    std::string model;  ///< as typed
    std::string data;
    std::string split;  ///< "test", ... or "all"
    std::string note;   ///< why this part
};

/// A table with all that is said of it.
struct ScoreReport {
    ScoreContext context;
    ScoreTable table;
    std::vector<Comparison> comparisons;
};

/// "csi@2/4": metric, threshold, scale; as --fail-if writes it.
std::string short_name(const Quantity& quantity);

/// "MAE [K]", "FSS 8 px": a score as a table's head or an axis names it.
std::string axis_label(const Quantity& quantity, const ScoreTable& table);

/// Aligned tables: every score over all lead times with the first forecaster's skill against each other one, the MAE of
/// each lead time, and the scores of each threshold; of many scores only the usual ones, files have all. The best of
/// each column has a "*". Below: against_best.
std::string score_text(const ScoreReport& report);

/// One table of several reports: a row per data set and forecaster.
std::string score_text(const std::vector<ScoreReport>& reports);

}  // namespace nowcell
