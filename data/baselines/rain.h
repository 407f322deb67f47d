// Which fields are rain.
#pragma once

#include <string>

namespace nowcell {

/// What one unit of rain is in mm/h: 1 for "mm/h" and "mm h-1", 3600 for "kg m-2 s-1", 1/24 for "mm/day", 12 for "mm"
/// over steps of 300 s (1 when `step_s` is 0: unknown). 0 for units that are not of rain.
double rain_mm_per_h(const std::string& units, double step_s);

}  // namespace nowcell
