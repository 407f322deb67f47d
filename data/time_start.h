// The time of a first frame as files write it.
#pragma once

#include "data/formats/source_info.h"

#include <cstdint>
#include <optional>
#include <string>

namespace nowcell {

/// A date and seconds after it.
struct TimeStart {
    std::string date;       ///< "2010-08-26 00:00:00", in the calendar of the source
    double offset_s = 0.0;  ///< of the first frame
};

/// Reads "2019-03-01", "2019-03-01T06:30Z", "26-AUG-2010;00:00:00.000" and "18 hours since 2019-03-01"; nullopt for
/// what else stands there, and for times with a zone.
std::optional<TimeStart> time_start(const std::string& text);

/// "03-01 06:30" of a frame, with the year in front when `with_year`; "" when start or step are not known, the calendar
/// is not the ordinary one, or time jumps in front of the frame.
std::string frame_time(const SourceInfo& info, std::int64_t recording, std::int64_t frame, bool with_year);

}  // namespace nowcell
