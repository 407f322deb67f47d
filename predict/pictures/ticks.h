// Round numbers: tick positions, number formats, lead times.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Multiples of 1, 2, 2.5 or 5 times a power of ten within [low, high], at most `at_most` (>= 2); both ends of a range
/// without extent.
std::vector<double> linear_ticks(double low, double high, int at_most);

/// 1, 2 and 5 times powers of ten within [low, high], thinned to powers of ten and then to every n-th; 0 < low < high.
std::vector<double> log_ticks(double low, double high, int at_most);

/// The smallest of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten that is >= value; 1 for 0.
double round_up(double value);

/// All with the same number of decimals, as few as are exact; each with its own where they span more than a decade;
/// very large or small ones as 1e-05.
std::vector<std::string> tick_labels(const std::vector<double>& ticks);

/// All with the same number of decimals, three significant digits for the largest; "-" for NaN.
std::vector<std::string> number_labels(const std::vector<double>& values);

/// A length of time and its name.
struct TimeUnit {
    double seconds = 1;
    std::string name = "s";
};

/// The largest of s, min, h and d in which a step is whole.
TimeUnit time_unit(double step_s);

/// "+3 h", "+30 min", "-2 d", "0": one unit per recording, the largest in which a step is whole.
/// step_s 0: in steps, "+3".
std::string lead_label(std::int64_t steps, double step_s);

/// At most `at_most` of 0..count-1, evenly spread, first and last among them (only the last when at_most is 1).
std::vector<std::int64_t> thinned(std::int64_t count, std::int64_t at_most);

}  // namespace nowcell
