#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "predict/pictures/colour_maps.h"
#include "predict/pictures/fields.h"
#include "predict/pictures/pictures.h"
#include "predict/pictures/ticks.h"

namespace nowcell {
namespace {

// A range that ends on round numbers a little outside of low..high.
void round_outward(double& low, double& high) {
    const double step = round_up((high - low) / 20);
    low = std::floor(low / step + 1e-9) * step;
    high = std::ceil(high / step - 1e-9) * step;
}

}  // namespace

ColourScale colour_scale(const Forecast& forecast, const std::string& units) {
    auto values = sampled({forecast.input, forecast.truth});
    ColourScale scale;
    scale.units = units;
    if (values.empty()) return scale;
    const double lowest = static_cast<double>(*std::min_element(values.begin(), values.end()));
    const double highest = static_cast<double>(*std::max_element(values.begin(), values.end()));
    // Pictures and shares have a natural range that should not change from one picture to the next.
    for (double full : {1.0, 255.0}) {
        if (units == "1" && lowest >= 0 && highest <= full && highest > full / 2) {
            scale.max = full;
            return scale;
        }
    }
    // One stray pixel must not turn the rest of the picture into one colour.
    scale.min = quantile(values, 0.001);
    scale.max = quantile(values, 0.999);
    if (map_name(scale) == "radar" && lowest >= 0) scale.min = 0.0;
    if (!(scale.max > scale.min)) {
        scale.min = std::min(lowest, scale.min);
        scale.max = highest > scale.min ? highest : scale.min + std::max(1.0, std::abs(scale.min) * 0.01);
    }
    round_outward(scale.min, scale.max);
    return scale;
}

}  // namespace nowcell
