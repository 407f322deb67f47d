#include "predict/pictures/uniform_map.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace nowcell {
namespace {

constexpr int kFine = 4000;                     // pieces of an arm whose lengths are added up
constexpr double kMiddle = 0.995, kEnd = 0.34;  // lightness
constexpr double kChroma = 0.147;               // the most that both arms have inside sRGB
constexpr double kChromaEnd = 0.76;             // how far along its half wave of chroma an arm goes

struct Arm {
    double middle_hue, end_hue;  // degrees
};
constexpr Arm kBlue{240, 262}, kRed{45, 20};

double linear(std::uint8_t byte) {
    const double c = byte / 255.0;
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

std::uint8_t encoded(double c) {
    const double s = c <= 0.0031308 ? 12.92 * c : 1.055 * std::pow(c, 1 / 2.4) - 0.055;
    return static_cast<std::uint8_t>(std::lround(255 * std::clamp(s, 0.0, 1.0)));
}

// part: 0 in the middle of the map, 1 at its end.
OkLab on_arm(const Arm& arm, double part) {
    const double chroma = kChroma * std::sin(std::numbers::pi * kChromaEnd * part);
    const double hue = (arm.middle_hue + (arm.end_hue - arm.middle_hue) * part) * std::numbers::pi / 180;
    return {kMiddle + (kEnd - kMiddle) * part, chroma * std::cos(hue), chroma * std::sin(hue)};
}

// `steps` colours after the middle, equally far from each other.
std::vector<Rgb> colours_along(const Arm& arm, int steps) {
    std::vector<double> walked = {0.0};
    for (int i = 1; i <= kFine; ++i) {
        walked.push_back(walked.back() + distance(on_arm(arm, (i - 1.0) / kFine), on_arm(arm, 1.0 * i / kFine)));
    }
    std::vector<Rgb> colours;
    for (int i = 1; i <= steps; ++i) {
        const auto at = std::lower_bound(walked.begin(), walked.end(), walked.back() * i / steps);
        colours.push_back(rgb_of(on_arm(arm, static_cast<double>(at - walked.begin()) / kFine)));
    }
    return colours;
}

}  // namespace

OkLab oklab_of(Rgb colour) {
    const double r = linear(colour.r), g = linear(colour.g), b = linear(colour.b);
    const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

Rgb rgb_of(const OkLab& colour) {
    const auto cube = [](double x) { return x * x * x; };
    const double l = cube(colour[0] + 0.3963377774 * colour[1] + 0.2158037573 * colour[2]);
    const double m = cube(colour[0] - 0.1055613458 * colour[1] - 0.0638541728 * colour[2]);
    const double s = cube(colour[0] - 0.0894841775 * colour[1] - 1.2914855480 * colour[2]);
    return {encoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            encoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            encoded(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

double distance(const OkLab& a, const OkLab& b) { return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]); }

std::vector<Rgb> diverging_map(int count) {
    const int steps = count / 2;
    std::vector<Rgb> colours = colours_along(kBlue, steps);
    std::reverse(colours.begin(), colours.end());
    colours.push_back(rgb_of({kMiddle, 0, 0}));
    for (const Rgb colour : colours_along(kRed, steps)) colours.push_back(colour);
    return colours;
}

}  // namespace nowcell
