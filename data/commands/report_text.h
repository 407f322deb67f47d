// Phrases about sources that several reports use.
#pragma once

#include "data/formats/source_info.h"

#include <cstdint>
#include <string>

namespace nowcell {

/// "  name       value\n": a line of a report.
std::string report_line(const std::string& name, const std::string& value);

/// "3 recordings of 20 frames, 1 channel, 64 x 64 px"
std::string frames_text(const SourceInfo& info);

/// "300 s, from 2010-08-26 00:00 on, calendar 360_day", or that the step is unknown.
std::string time_text(const SourceInfo& info);

/// "none", or how many jumps of time there are and where the first ones lie.
std::string gaps_text(const SourceInfo& info);

/// "1.7 MB"
std::string size_text(double bytes);

/// "s" unless there is one.
inline std::string plural(std::int64_t count) { return count == 1 ? "" : "s"; }

/// Bytes of the regular file, or of all files below the folder.
double stored_bytes(const std::string& path);

}  // namespace nowcell
