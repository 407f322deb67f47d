// The time of frames, from what a source says of its first one.
#pragma once

#include "data/formats/source_info.h"

#include <cstdint>
#include <optional>
#include <string>

namespace nowcell {

/// Seconds from 1970-01-01 to info.start in the calendar of the source: of "2019-03-01", "2019-03-01T06:30Z" or
/// "18 hours since 2019-03-01"; nullopt for what else stands there.
std::optional<double> start_seconds(const SourceInfo& info);

/// "2019-03-01 06:30:00" in the calendar of the source; "" for times far away.
std::string date_text(double seconds, const SourceInfo& info);

/// "2019-03-01 06:30" of a frame; "" when start or step are not known, or time jumps in front of the frame.
std::string frame_time(const SourceInfo& info, std::int64_t recording, std::int64_t frame);

}  // namespace nowcell
