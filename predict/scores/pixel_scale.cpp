#include "predict/scores/pixel_scale.h"

#include "src/error.h"

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

constexpr double kZrFactor = 58.53;
constexpr double kZrExponent = 1.56;

double reflectivity(double mm_per_h) { return 10.0 * (std::log10(kZrFactor) + kZrExponent * std::log10(mm_per_h)); }

double pixel(double dbz) { return (dbz + 10.0) / 70.0; }

}  // namespace

PixelScale PixelScale::between(double min, double max) { return {Kind::linear, min, max > min ? max - min : 1.0}; }

PixelScale PixelScale::hko7(const std::string& units, double min, double max) {
    if (units == "1") return between(min, max);
    for (const char* rate : {"mm/h", "mm h-1", "mm h^-1", "mm/hr", "mm hr-1"}) {
        if (units == rate) return {.kind = Kind::rain_rate};
    }
    if (units == "dBZ") return {.kind = Kind::reflectivity};
    throw Error(ExitCode::usage,
                "the scores of hko7 are those of rain: got data in " + units + ", expected mm/h, dBZ, or 1 for pixels",
                "", "--dialect standard");
}

double PixelScale::operator()(double physical) const {
    switch (kind) {
        case Kind::linear: break;
        case Kind::rain_rate: return physical > 0.0 ? std::clamp(pixel(reflectivity(physical)), 0.0, 1.0) : 0.0;
        case Kind::reflectivity: return std::clamp(pixel(physical), 0.0, 1.0);
    }
    return (physical - min) / range;
}

double PixelScale::from_rain_rate(double mm_per_h) const {
    switch (kind) {
        case Kind::linear: break;
        case Kind::rain_rate: return mm_per_h;
        case Kind::reflectivity: return reflectivity(mm_per_h);
    }
    return min + range * pixel(reflectivity(mm_per_h));
}

}  // namespace nowcell
