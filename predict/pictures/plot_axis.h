// Axes of plots: range, ticks and scale chosen from the data.
#pragma once

#include <vector>

namespace nowcell {

/// Values to positions 0..1; runs backward where low > high.
struct Axis {
    double low = 0, high = 1;
    bool logarithmic = false;
    std::vector<double> ticks;

    double part(double value) const;

    /// Whether a value has a place: finite, and positive on a logarithmic axis.
    bool holds(double value) const;
};

/// Ends at the data; whole ticks where all values are whole.
Axis x_axis(const std::vector<double>& values);

/// Ends at round numbers around the data; from 0 where that costs little; logarithmic when the values are positive and
/// span more than two decades.
Axis y_axis(const std::vector<double>& values);

/// Logarithmic, of the positive values; a decade around 1 without any.
Axis log_axis(const std::vector<double>& values);

/// 0 to 1, as probabilities have it.
Axis unit_axis();

}  // namespace nowcell
