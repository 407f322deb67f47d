// What `nowcell bench training` trains.
#pragma once

#include <cstdint>
#include <string>

namespace nowcell {

/// A configuration of configs/ and the shape of frames that it is made for.
struct BenchPreset {
    const char* name;
    std::int64_t recordings;
    std::int64_t frames;  ///< of a recording
    std::int64_t channels;
    std::int64_t height;
    std::int64_t width;
    double step_s;
};

constexpr BenchPreset kBenchPresets[] = {
    {"bouncing_digits", 400, 12, 1, 32, 32, 0.0},
    {"era5_t2m", 1, 744, 1, 33, 49, 3600.0},
};

/// The text of configs/NAME.toml, compiled in; empty for a name that is no preset.
std::string preset_text(const std::string& name);

}  // namespace nowcell
