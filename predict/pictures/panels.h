// What strips and animations share: checks, the two colour scales, panels and colour bars.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "predict/pictures/canvas.h"
#include "predict/pictures/colour_maps.h"
#include "predict/pictures/fields.h"
#include "predict/pictures/pictures.h"

namespace nowcell {

/// Throws Error(internal) when tensors do not fit together or hold no frame.
void check_forecast(const Forecast& forecast);

/// Lead times for which truth exists.
std::int64_t known_leads(const Forecast& forecast);

/// Symmetric around zero, wide enough for 99 % of the errors.
ColourScale error_scale(const Forecast& forecast, const std::string& units);

/// As people write them: "kg m-2" with a raised exponent; empty for "1".
std::string readable_units(const std::string& units);

/// "error (K)"; the name alone without units.
std::string with_units(const std::string& name, const std::string& units);

/// A vertical colour bar: colours, frame, ticks, and a label that reads upward.
class ColourBar {
 public:
    /// height: of the colours, px.
    ColourBar(const Colours& colours, std::string label, int height);

    /// Of all that is drawn, px.
    int width() const;

    /// x, y: upper left corner of the colours.
    void draw(Canvas& canvas, int x, int y) const;

 private:
    const Colours& colours_;
    std::string label_;
    int height_;
    std::vector<double> ticks_;
    std::vector<std::string> names_;
    int names_width_ = 0;
};

/// A coloured frame of numbers with a thin line around it.
void draw_panel(Canvas& canvas, const Field& field, const Colours& colours, const Box& box);

/// The place of a panel without data.
void draw_empty_panel(Canvas& canvas, const Box& box);

}  // namespace nowcell
