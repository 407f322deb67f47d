// What the names of frames tell about time: dates, or numbers that leave some out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

struct NameTimes {
    double step_s = 0.0;               ///< 0: the names hold no times, or irregular ones
    std::string start;                 ///< "2010-08-26 00:00:00"; empty: unknown
    std::vector<std::int64_t> breaks;  ///< frames in front of which frames are missing
    std::string note;                  ///< what was found, or empty
};

/// `paths` are in order. Dates: 201008260005[00], 20100826_0005[00], 2010-08-26T00:05[:00] and the like, 20100826, and
/// HKO-7's RADyymmddHHMM00. Otherwise the last number of each name counts.
NameTimes times_of(const std::vector<std::string>& paths);

}  // namespace nowcell
