// The cycle of the data, read from its time axis.
#pragma once

#include "data/data_options.h"

namespace nowcell {

/// A cycle and how it was found.
struct Period {
    std::int64_t steps = 0;  ///< of a window; 0: none
    std::string why;         ///< "a day of the time axis"
};

/// The day of data with at least two steps in one, or the year of monthly data, when the training part holds two of
/// them in a row. None where the time step is unknown, where it would leave a part without windows, or where its
/// history would be large beside the window itself. options.period and window.history are not looked at.
/// Throws Error(usage) on a bad split.
Period find_period(const SourceInfo& info, const DataOptions& options);

/// Past steps that the baselines of the score table look back: two for motion, a cycle and one for the anomaly.
std::int64_t history_for(std::int64_t period);

}  // namespace nowcell
