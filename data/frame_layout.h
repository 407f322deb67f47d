// Which dimension of a stored array is what.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Positions of the dimensions in the stored order; -1: the array has no such dimension.
struct FrameLayout {
    std::string name;  ///< "nthw", "nthwc", "thw" or "thwc"
    int n = -1;
    int t = -1;
    int h = -1;
    int w = -1;
    int c = -1;
};

/// The layout of that name, or with "auto" the one that the shape suggests: three dimensions are one recording (thw),
/// five are nthwc, four are nthw, or thwc when the last is 1 to 4 and smaller than each of the others. Throws
/// Error(usage) on an unknown name and Error(data) on an unfit rank; `dataset` is named in messages.
FrameLayout find_layout(const std::string& name, const std::vector<std::int64_t>& shape, const std::string& dataset);

}  // namespace nowcell
