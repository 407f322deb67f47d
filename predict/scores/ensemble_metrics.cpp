#include "predict/scores/ensemble_metrics.h"

#include <algorithm>
#include <limits>

namespace nowcell {

const std::vector<EnsembleMetric>& ensemble_metrics() {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    // name, family, in data units, larger is better, best value, of thresholds, members, dialects
    static const std::vector<EnsembleMetric> all = {
        {"crps", "crps", true, false, kNone, false, 1, "all"},
        {"crps-fair", "crps", true, false, kNone, false, 2, "others"},
        {"crps-reliability", "crps", true, false, kNone, false, 1, "others"},
        {"crps-potential", "crps", true, false, kNone, false, 1, "others"},
        {"rmse-of-mean", "spread", true, false, kNone, false, 1, "all"},
        {"spread", "spread", true, false, kNone, false, 2, "all"},
        {"spread-skill", "spread", false, false, 1.0, false, 2, "all"},
        {"ensemble-skill", "spread", true, false, kNone, false, 1, "pysteps"},
        {"ensemble-spread", "spread", true, false, kNone, false, 2, "pysteps"},
        {"brier", "brier", false, false, kNone, true, 1, "all"},
        {"brier-reliability", "brier", false, false, kNone, true, 1, "all"},
        {"brier-resolution", "brier", false, true, kNone, true, 1, "all"},
        {"brier-uncertainty", "brier", false, false, kNone, true, 1, "all"},
        {"roc-area", "roc", false, true, kNone, true, 1, "all"},
    };
    return all;
}

const EnsembleMetric* find_ensemble_metric(const std::string& name) {
    const auto& all = ensemble_metrics();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& metric) { return metric.name == name; });
    return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> ensemble_families() {
    return {"crps", "spread", "brier", "reliability", "roc", "rank-histogram"};
}

}  // namespace nowcell
