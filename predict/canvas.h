// A white sheet to draw pictures on: text, lines and panels with soft edges. Pixels are 8-bit RGB.
#pragma once

#include <cstddef>
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

/// Colours of a rectangle, row by row.
struct Image {
    int width = 0, height = 0;
    std::vector<Rgb> pixels;

    const Rgb& at(int x, int y) const {
        return pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)];
    }
    Rgb& at(int x, int y) {
        return pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)];
    }
};

enum class Align { left, centre, right };

struct TextStyle {
    double cap_px = kLabelCap;
    Rgb colour = kInk;
    Align align = Align::left;
    bool upward = false;  ///< reads from bottom to top; `align` then holds along the vertical
};

/// Width of a line of text, px. Letters outside ASCII: degree, micro, superscripts 1 2 3 and minus; others become '?'.
int text_width(const std::string& text, double cap_px);

/// The text, or its beginning and "..." when it is wider than `width` px.
std::string fitted(const std::string& text, double cap_px, int width);

/// What is drawn outside the sheet is cut off.
class Canvas {
 public:
    Canvas(int width, int height, Rgb background = kWhite);

    int width() const { return image_.width; }
    int height() const { return image_.height; }
    const Image& image() const { return image_; }

    void fill(const Box& box, Rgb colour);

    /// One pixel wide, just outside `box`.
    void frame(const Box& box, Rgb colour);

    void place(const Image& image, int x, int y);

    /// x, y: where the base line of the letters begins, has its middle or ends.
    void text(double x, double y, const std::string& text, const TextStyle& style = {});

    /// A line with round joins. One spot makes a dot of that width.
    void stroke(const std::vector<Spot>& spots, Rgb colour, double width_px);

    /// The sheet as a PNG file in memory. Throws Error(output).
    std::string png() const;

 private:
    void blend(int x, int y, Rgb colour, int cover);

    Image image_;
};

}  // namespace nowcell
