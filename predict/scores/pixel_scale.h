// From physical values to the 0..1 on which some scores are defined.
#pragma once

#include <cstdint>
#include <string>

namespace nowcell {

struct PixelScale {
    enum class Kind { linear, rain_rate, reflectivity };

    Kind kind = Kind::linear;
    double min = 0.0;  ///< of linear: what becomes 0
    double range = 1.0;

    /// (x - min) / (max - min), unclipped; a range that is not positive counts as 1.
    static PixelScale between(double min, double max);

    /// Of HKO-7's pixels, dBZ = 70 p - 10: from mm/h by Z = 58.53 R^1.56 and from dBZ, both clipped to 0..1; from
    /// units "1" linear. Throws Error(usage) on other units. Source: Shi et al. 2017 and their evaluation program.
    static PixelScale hko7(const std::string& units, double min, double max);

    double operator()(double physical) const;
    /// What a rain rate in mm/h is in the units of the data.
    double from_rain_rate(double mm_per_h) const;
};

}  // namespace nowcell
