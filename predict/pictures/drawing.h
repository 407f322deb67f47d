// What plots are drawn on, whatever file it becomes. Lengths are pixels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

struct Rgb {
    std::uint8_t r = 0, g = 0, b = 0;
    bool operator==(const Rgb&) const = default;
};

inline constexpr Rgb kWhite{255, 255, 255};
inline constexpr Rgb kInk{38, 38, 38};         ///< titles and labels
inline constexpr Rgb kSoftInk{105, 105, 105};  ///< ticks and numbers
inline constexpr Rgb kLine{176, 176, 176};     ///< frames around panels
inline constexpr Rgb kFaint{228, 228, 228};    ///< grids, frames of empty panels

/// Heights of capital letters, px.
inline constexpr double kTitleCap = 12.0;
inline constexpr double kLabelCap = 10.0;
inline constexpr double kTickCap = 9.0;

/// Whole pixels; x, y is the upper left corner.
struct Box {
    int x = 0, y = 0, width = 0, height = 0;
};

/// A place in pixels, fractions included; pixel i covers [i, i + 1).
struct Spot {
    double x = 0, y = 0;
};

enum class Align { left, centre, right };

struct TextStyle {
    double cap_px = kLabelCap;
    Rgb colour = kInk;
    Align align = Align::left;
    bool upward = false;  ///< reads from bottom to top; `align` then holds along the vertical
};

/// A white sheet. What is drawn outside it is cut off.
class Drawing {
 public:
    virtual ~Drawing() = default;

    virtual void fill(const Box& box, Rgb colour) = 0;

    /// x, y: where the base line of the letters begins, has its middle or ends.
    virtual void text(double x, double y, const std::string& text, const TextStyle& style) = 0;

    /// A line with round joins. One spot makes a dot of that width.
    virtual void stroke(const std::vector<Spot>& spots, Rgb colour, double width_px) = 0;
};

}  // namespace nowcell
