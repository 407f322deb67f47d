// Numbers to colours: named colour maps, and one scale applied to values.
#pragma once

#include <string>
#include <vector>

#include "predict/pictures/canvas.h"
#include "predict/pictures/pictures.h"

namespace nowcell {

inline constexpr Rgb kMissing{205, 205, 205};        ///< NaN: neutral grey ...
inline constexpr Rgb kMissingStripe{224, 224, 224};  ///< ... with stripes, so that it is no value of a grey map

/// The map a scale means: resolves "auto" by units (grey for "1", radar for rain, else viridis).
std::string map_name(const ColourScale& scale);

/// Colour of a named map ("viridis", "cividis", "magma", "grey", "radar", "difference") at a position 0..1.
/// Throws Error(usage) for an unknown name.
Rgb map_colour(const std::string& map, double position);

/// One scale, ready to use: values to positions to colours.
class Colours {
 public:
    /// levels: how many different colours values may get; 2 or more.
    explicit Colours(const ColourScale& scale, int levels = 256);

    const ColourScale& scale() const { return scale_; }
    const std::vector<Rgb>& levels() const { return levels_; }

    /// 0..1 along the colour bar; values outside the scale end at its ends. Linear, but logarithmic for rain,
    /// where most of the picture lies far below the heaviest shower.
    double position(double value) const;

    /// NaN and infinities have none: see kMissing.
    Rgb colour(double value) const;

    /// At most `at_most` round values for the colour bar, and 0 before those of a logarithmic one.
    std::vector<double> ticks(int at_most) const;

 private:
    ColourScale scale_;
    bool logarithmic_;
    std::vector<Rgb> levels_;
};

}  // namespace nowcell
