// The names of scores of ensembles. Free of LibTorch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nowcell {

/// One name.
struct EnsembleMetric {
    std::string_view name;
    std::string_view family;  ///< what ScoreOptions.metrics calls it: "crps", "spread", "brier", "roc"
    bool in_data_units;
    bool larger_is_better;
    double best_value;       ///< NaN: the smaller or the larger the better
    bool of_thresholds;      ///< one for each
    std::size_t members;     ///< the fewest that have it
    std::string_view where;  ///< the dialects that have it: "all", "pysteps", "others"
};

/// All, in the order of a table.
const std::vector<EnsembleMetric>& ensemble_metrics();

/// Null when no score of ensembles is called so.
const EnsembleMetric* find_ensemble_metric(const std::string& name);

/// Families that ScoreOptions.metrics may name; "reliability" and "rank-histogram" have curves only.
std::vector<std::string> ensemble_families();

}  // namespace nowcell
