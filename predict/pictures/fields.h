// Single frames as plain numbers, ready to be scaled and coloured.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "predict/pictures/colour_maps.h"

namespace nowcell {

/// (height, width, channels); NaN where there is no value.
struct Field {
    int width = 0, height = 0, channels = 1;
    std::vector<float> values;
};

/// Width and height on the picture, px.
struct PanelSize {
    int width = 0, height = 0;
};

/// Frame t of (T,C,H,W).
Field field_at(const torch::Tensor& frames, std::int64_t t);

/// Forecast minus truth, mean over channels.
Field difference(const Field& forecast, const Field& truth);

/// Mean of |forecast - truth| over pixels and channels with a value; NaN when there is none.
double mean_absolute_error(const Field& forecast, const Field& truth);

/// What a frame becomes within a limit: the largest whole multiple that fits, or reduced until it fits.
PanelSize panel_size(std::int64_t width, std::int64_t height, int max_width, int max_height);

/// Enlarged by repeating pixels, reduced by averaging those that have a value.
Field resized(const Field& field, const PanelSize& size);

/// One channel through the colours, three channels as red, green and blue between the ends of the scale.
Image painted(const Field& field, const Colours& colours);

/// The value below which a part `q` (0..1) of the finite ones lie; NaN when there is none. Sorts `values` in part.
double quantile(std::vector<float>& values, double q);

/// Finite values of all tensors, evenly thinned to about a million.
std::vector<float> sampled(const std::vector<torch::Tensor>& tensors);

}  // namespace nowcell
