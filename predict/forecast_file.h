// Forecasts as a file that other programs read.
#pragma once

#include "predict/forecaster.h"

#include <string>
#include <vector>

namespace nowcell {

/// What a forecast file records besides the frames.
struct ForecastRecord {
    std::string units;
    double step_s = 0.0;             ///< 0: lead times are in steps
    std::string source;              ///< path of the input
    std::vector<double> last_input;  ///< index of the last input frame of each recording
    std::string model;
    std::string history;  ///< the command line
};

/// Writes an HDF5 file, complete or not at all: `frames` (N,horizon,H,W) or (N,horizon,H,W,C) float32 in physical units
/// with attributes, `lead` (horizon) lead times, `last_input` (N). frames: (N,horizon,C,H,W). Throws Error(output).
void write_forecast(const std::string& path, const torch::Tensor& frames, const ForecastRecord& record);

}  // namespace nowcell
