// When the frames of an HDF5 file were taken.
#pragma once

#include "data/formats/hdf5_file.h"
#include "data/formats/source_info.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Fills step_s, start, calendar, breaks and notes of `info` from an axis of time as NetCDF writes it, and from
/// attributes such as step_s; `axis`: path of the vector of times, "": none. info.frames is filled.
void read_time(const Hdf5File& file, const std::string& axis, SourceInfo& info);

/// Seconds since 1970 of each frame by such an axis, in its calendar; empty: the file does not say.
std::vector<double> frame_times(const Hdf5File& file, const std::string& axis, std::int64_t frames);

/// The time that a file of one frame is for: of KNMI and ODIM the end of what was measured.
struct FileTime {
    double end_s;   ///< since 1970; NaN: the file does not say
    double span_s;  ///< NaN: the file does not say
};
FileTime time_of_file(const Hdf5File& file, const std::string& dataset);

/// "mm" becomes "mm per 5 min" for what was summed up over a span of time; other units stay.
std::string units_over(const std::string& units, double span_s);

}  // namespace nowcell
