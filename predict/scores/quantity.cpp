#include "predict/scores/quantity.h"

#include "predict/scores/ensemble_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace nowcell {
namespace {

template <std::size_t n>
bool one_of(const std::string& metric, const std::array<std::string_view, n>& names) {
    return std::find(names.begin(), names.end(), metric) != names.end();
}

}  // namespace

std::string unit_of(const std::string& metric, const std::string& data_units) {
    if (const EnsembleMetric* of_ensembles = find_ensemble_metric(metric))
        return of_ensembles->in_data_units ? data_units : "1";
    if (metric == "psnr") return "dB";
    if (one_of(metric, std::array<std::string_view, 3>{"mae", "rmse", "bias"})) return data_units;
    if (metric != "mse" || data_units == "1") return "1";
    const bool compound = data_units.find_first_of(" /") != std::string::npos;
    return compound ? "(" + data_units + ")^2" : data_units + "^2";
}

bool larger_is_better(const std::string& metric) {
    if (const EnsembleMetric* of_ensembles = find_ensemble_metric(metric)) return of_ensembles->larger_is_better;
    return one_of(metric, std::array<std::string_view, 2>{"ssim", "psnr"});
}

double best_value(const std::string& metric) {
    if (const EnsembleMetric* of_ensembles = find_ensemble_metric(metric)) return of_ensembles->best_value;
    return metric == "bias" ? 0.0 : std::nan("");
}

}  // namespace nowcell
