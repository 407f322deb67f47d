#include "cells/trial/cell_bars.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace nowcell {
namespace {

// Measured on cores with a narrow and with a wide vector unit; GFLOP/s of one core.
constexpr double kNarrowPeak = 130.0;
constexpr double kWidePeak = 180.0;

struct Bar {
    double inference, training;
};
struct Bars {
    Bar narrow, wide;
};

const std::map<std::string, Bars>& all_bars() {
    static const std::map<std::string, Bars> bars = {
        {"a", {{3.2, 2.8}, {2.9, 2.6}}}, {"b3", {{4.2, 3.8}, {3.5, 3.4}}}, {"b5", {{5.3, 5.0}, {4.8, 4.4}}},
        {"c", {{4.8, 4.0}, {3.6, 3.0}}}, {"k1", {{2.0, 1.8}, {2.0, 1.8}}}, {"tiny", {{3.0, 2.5}, {3.5, 3.5}}},
    };
    return bars;
}

}  // namespace

double speed_bar(const std::string& cell_case, Direction direction, double peak_gflops) {
    const Bars& bars = all_bars().at(cell_case);
    const auto of = [&](const Bar& bar) { return direction == Direction::training ? bar.training : bar.inference; };
    const double share = std::clamp((peak_gflops - kNarrowPeak) / (kWidePeak - kNarrowPeak), 0.0, 1.0);
    return std::lerp(of(bars.narrow), of(bars.wide), share);
}

}  // namespace nowcell
