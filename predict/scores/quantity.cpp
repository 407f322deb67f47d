#include "predict/scores/quantity.h"

#include "predict/scores/ensemble_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace nowcell {
namespace {

template <std::size_t n>
bool one_of(std::string_view metric, const std::array<std::string_view, n>& names) {
    return std::find(names.begin(), names.end(), metric) != names.end();
}

// "csi" of "pooled-csi-m".
std::string_view base_of(std::string_view metric) {
    for (const std::string_view prefix : {"pooled-", "earthformer-"}) {
        if (metric.starts_with(prefix)) metric.remove_prefix(prefix.size());
    }
    for (const std::string_view suffix : {"-m", "-single", "-double", "-frame"}) {
        if (metric.ends_with(suffix)) metric.remove_suffix(suffix.size());
    }
    return metric;
}

}  // namespace

std::string unit_of(const std::string& metric, const std::string& data_units, const std::string& dialect) {
    if (const EnsembleMetric* of_ensembles = find_ensemble_metric(metric)) {
        return of_ensembles->in_data_units ? data_units : "1";
    }
    const std::string_view base = base_of(metric);
    if (one_of(base, std::array<std::string_view, 3>{"psnr", "ralsd", "scatter"})) return "dB";
    if (dialect == "openstl" || dialect == "hko7" || data_units == "1") return "1";
    if (one_of(base, std::array<std::string_view, 4>{"mae", "rmse", "bias", "drmse"})) return data_units;
    if (base != "mse") return "1";
    const bool compound = data_units.find_first_of(" /") != std::string::npos;
    return compound ? "(" + data_units + ")^2" : data_units + "^2";
}

bool larger_is_better(const std::string& metric) {
    if (const EnsembleMetric* of_ensembles = find_ensemble_metric(metric)) return of_ensembles->larger_is_better;
    return one_of(base_of(metric), std::array<std::string_view, 17>{"ssim", "ms-ssim", "psnr", "pod", "success-ratio",
                                                                    "csi", "ets", "hss", "hk", "acc", "sedi", "mcc",
                                                                    "f1", "fss", "corr-p", "corr-s", "rv"});
}

double best_value(const std::string& metric) {
    if (const EnsembleMetric* of_ensembles = find_ensemble_metric(metric)) return of_ensembles->best_value;
    const std::string_view base = base_of(metric);
    if (base == "bias") return 0.0;
    return one_of(base, std::array<std::string_view, 4>{"frequency-bias", "sharpness", "beta1", "beta2"})
               ? 1.0
               : std::nan("");
}

bool has_best(const std::string& metric) {
    return !one_of(metric, std::array<std::string_view, 3>{"spread", "ensemble-spread", "brier-uncertainty"});
}

double badness(const std::string& metric, double value) {
    if (!has_best(metric)) return std::nan("");
    const double best = best_value(metric);
    if (!std::isnan(best)) return std::abs(value - best);
    return larger_is_better(metric) ? -value : value;
}

}  // namespace nowcell
