#include "predict/pictures/plot_axis.h"

#include <algorithm>
#include <cmath>

#include "predict/pictures/ticks.h"

namespace nowcell {
namespace {

constexpr int kXTicks = 11;
constexpr int kYTicks = 7;

std::vector<double> finite(std::vector<double> values) {
    std::erase_if(values, [](double value) { return !std::isfinite(value); });
    return values;
}

bool whole(double value) { return value == std::floor(value); }

}  // namespace

double Axis::part(double value) const {
    if (logarithmic) return std::log(value / low) / std::log(high / low);
    return (value - low) / (high - low);
}

bool Axis::holds(double value) const { return std::isfinite(value) && (!logarithmic || value > 0); }

static Axis spanning(const std::vector<double>& good) {
    Axis axis;
    if (good.empty()) return axis;
    const auto [low, high] = std::minmax_element(good.begin(), good.end());
    axis.low = *low;
    axis.high = *high;
    return axis;
}

Axis x_axis(const std::vector<double>& values) {
    const auto good = finite(values);
    Axis axis = spanning(good);
    const bool alone = !(axis.high > axis.low);
    const std::vector<double> only = {axis.low};
    if (alone) {
        axis.low -= 1;
        axis.high += 1;
    }
    axis.ticks = alone ? only : linear_ticks(axis.low, axis.high, kXTicks);
    if (std::all_of(good.begin(), good.end(), whole))
        std::erase_if(axis.ticks, [](double tick) { return !whole(tick); });
    return axis;
}

Axis y_axis(const std::vector<double>& values) {
    const auto good = finite(values);
    Axis axis = spanning(good);
    axis.logarithmic = axis.low > 0 && axis.high / axis.low > 100;
    if (axis.logarithmic) {
        axis.low /= 1.15;
        axis.high *= 1.15;
        axis.ticks = log_ticks(axis.low, axis.high, kYTicks);
        return axis;
    }
    if (axis.low > 0 && axis.low < 0.5 * axis.high) axis.low = 0;
    if (!(axis.high > axis.low)) {
        const double pad = std::max(0.05 * std::abs(axis.low), 1e-9);
        axis.low -= pad;
        axis.high += pad;
    }
    const auto ticks = linear_ticks(axis.low, axis.high, kYTicks);
    const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : axis.high - axis.low;
    axis.low = std::floor(axis.low / step + 1e-9) * step;
    axis.high = std::ceil(axis.high / step - 1e-9) * step;
    axis.ticks = linear_ticks(axis.low, axis.high, kYTicks + 2);
    return axis;
}

Axis log_axis(const std::vector<double>& values) {
    auto good = finite(values);
    std::erase_if(good, [](double value) { return !(value > 0); });
    Axis axis = spanning(good.empty() ? std::vector<double>{1.0} : good);
    axis.logarithmic = true;
    const bool narrow = axis.high < 2 * axis.low;
    axis.low /= narrow ? 2 : 1.1;
    axis.high *= narrow ? 2 : 1.1;
    axis.ticks = log_ticks(axis.low, axis.high, kYTicks);
    return axis;
}

Axis unit_axis() { return {0, 1, false, {0, 0.2, 0.4, 0.6, 0.8, 1}}; }

}  // namespace nowcell
