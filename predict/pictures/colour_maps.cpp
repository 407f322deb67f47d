#include "predict/pictures/colour_maps.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "predict/pictures/ticks.h"
#include "predict/pictures/uniform_map.h"
#include "src/error.h"

namespace nowcell {
namespace {

struct Stop {
    double position;
    Rgb colour;
};

// The order every rain map on television has: nothing, blues, green, yellow, red, purple.
const std::vector<Stop> kRadar = {{0.00, {250, 250, 250}}, {0.03, {232, 243, 250}}, {0.14, {190, 224, 247}},
                                  {0.28, {112, 176, 232}}, {0.40, {38, 110, 196}},  {0.48, {20, 145, 120}},
                                  {0.56, {70, 182, 70}},   {0.66, {250, 226, 70}},  {0.77, {247, 146, 30}},
                                  {0.87, {216, 36, 34}},   {0.95, {160, 10, 110}},  {1.00, {104, 0, 140}}};

const std::vector<Stop> kGrey = {{0.0, {0, 0, 0}}, {1.0, {255, 255, 255}}};

std::vector<Stop> opencv_stops(int map) {
    cv::Mat ramp(1, 256, CV_8U), bgr;
    for (int i = 0; i < 256; ++i) ramp.at<std::uint8_t>(0, i) = static_cast<std::uint8_t>(i);
    cv::applyColorMap(ramp, bgr, map);
    std::vector<Stop> stops;
    for (int i = 0; i < 256; ++i) {
        const auto& p = bgr.at<cv::Vec3b>(0, i);
        stops.push_back({i / 255.0, {p[2], p[1], p[0]}});
    }
    return stops;
}

std::vector<Stop> difference_stops() {
    const auto colours = diverging_map(257);
    std::vector<Stop> stops;
    for (std::size_t i = 0; i < colours.size(); ++i) stops.push_back({static_cast<double>(i) / 256.0, colours[i]});
    return stops;
}

const std::vector<Stop>& stops_of(const std::string& map) {
    static const std::vector<Stop> viridis = opencv_stops(cv::COLORMAP_VIRIDIS);
    static const std::vector<Stop> magma = opencv_stops(cv::COLORMAP_MAGMA);
    static const std::vector<Stop> cividis = opencv_stops(cv::COLORMAP_CIVIDIS);
    static const std::vector<Stop> differences = difference_stops();
    if (map == "viridis") return viridis;
    if (map == "cividis") return cividis;
    if (map == "magma") return magma;
    if (map == "grey") return kGrey;
    if (map == "radar") return kRadar;
    if (map == "difference") return differences;
    const std::vector<std::string> known = {"auto", "viridis", "cividis", "magma", "grey", "radar"};
    throw Error(ExitCode::usage,
                "unknown colour map: got \"" + map + "\", expected auto, viridis, cividis, magma, grey or radar", "",
                did_you_mean(map, known));
}

bool is_rain(const std::string& units) { return units.rfind("mm", 0) == 0 || units.rfind("kg m-2", 0) == 0; }

// The smallest value that is told from none is about 1/200 of the largest.
constexpr double kLogStretch = 100.0;

}  // namespace

std::string map_name(const ColourScale& scale) {
    if (scale.map != "auto") return scale.map;
    if (scale.units == "1" || scale.units.empty()) return "grey";
    return is_rain(scale.units) || scale.units == "dBZ" ? "radar" : "viridis";
}

Rgb map_colour(const std::string& map, double position) {
    const auto& stops = stops_of(map);
    const double p = std::clamp(position, 0.0, 1.0);
    const auto above = std::find_if(stops.begin() + 1, stops.end() - 1, [p](const Stop& s) { return s.position >= p; });
    const Stop &low = *(above - 1), &high = *above;
    const double part = (p - low.position) / (high.position - low.position);
    const auto mix = [part](int a, int b) { return static_cast<std::uint8_t>(std::lround(a + part * (b - a))); };
    return {mix(low.colour.r, high.colour.r), mix(low.colour.g, high.colour.g), mix(low.colour.b, high.colour.b)};
}

Colours::Colours(const ColourScale& scale, int levels) : scale_(scale) {
    scale_.map = map_name(scale);
    logarithmic_ = scale_.map == "radar" && scale_.min == 0.0 && is_rain(scale_.units);
    for (int i = 0; i < levels; ++i) levels_.push_back(map_colour(scale_.map, static_cast<double>(i) / (levels - 1)));
}

double Colours::position(double value) const {
    const double range = scale_.max - scale_.min;
    const double part = range > 0 ? std::clamp((value - scale_.min) / range, 0.0, 1.0) : 0.5;
    return logarithmic_ ? std::log1p(kLogStretch * part) / std::log1p(kLogStretch) : part;
}

Rgb Colours::colour(double value) const {
    if (!std::isfinite(value)) return kMissing;
    return levels_[static_cast<std::size_t>(std::lround(position(value) * static_cast<double>(levels_.size() - 1)))];
}

std::vector<double> Colours::ticks(int at_most) const {
    if (!logarithmic_) return linear_ticks(scale_.min, scale_.max, at_most);
    std::vector<double> ticks = {0.0};
    for (double tick : log_ticks(scale_.max / 100, scale_.max, at_most)) ticks.push_back(tick);
    return ticks;
}

}  // namespace nowcell
