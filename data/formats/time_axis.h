// The time step, and where it jumps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// What a series of times tells.
struct TimeAxis {
    double step_s = 0.0;                    ///< the usual (median) step; 0: there is none
    std::vector<std::int64_t> breaks = {};  ///< frames in front of which the step is another one
    bool backwards = false;                 ///< a time is not later than the one before
};

/// times: seconds, one per frame. A step may differ by a thousandth and by `tolerance_s`.
TimeAxis find_steps(const std::vector<double>& times, double tolerance_s = 0.0);

/// Seconds since 1970 of the last date and time in a file's name: "RAD_201008260005.h5", "20100826_0005",
/// "20100826T000500Z"; NaN: there is none.
double time_in_name(const std::string& path);

}  // namespace nowcell
