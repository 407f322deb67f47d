// What the name of one file says of the time of its frame, and the order of files.
#pragma once

#include "predict/stream/stream_clock.h"

#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// A date as the names of a folder of frames may hold (data/formats/name_times.h), else the last number of the name;
/// nothing when it has neither.
std::optional<FrameTime> time_of_name(const std::string& path);

/// Earlier dates first; what has none comes behind, and the rest is natural order.
void sort_names(std::vector<std::string>& names);

}  // namespace nowcell
