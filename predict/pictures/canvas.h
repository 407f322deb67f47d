// A sheet of pixels to draw pictures on: text, lines and panels with soft edges. Pixels are 8-bit RGB.
#pragma once

#include "predict/pictures/drawing.h"

#include <cstddef>
#include <string>
#include <vector>

namespace nowcell {

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

/// Width of a line of text, px. Letters outside ASCII: degree, micro, superscripts 1 2 3 and minus; others become '?'.
int text_width(const std::string& text, double cap_px);

/// The text, or its beginning and "..." when it is wider than `width` px.
std::string fitted(const std::string& text, double cap_px, int width);

/// A sheet of pixels.
class Canvas : public Drawing {
 public:
    Canvas(int width, int height, Rgb background = kWhite);

    int width() const { return image_.width; }
    int height() const { return image_.height; }
    const Image& image() const { return image_; }

    void fill(const Box& box, Rgb colour) override;

    /// One pixel wide, just outside `box`.
    void frame(const Box& box, Rgb colour);

    void place(const Image& image, int x, int y);

    void text(double x, double y, const std::string& text, const TextStyle& style = {}) override;
    void stroke(const std::vector<Spot>& spots, Rgb colour, double width_px) override;

    /// The sheet as a PNG file in memory. Throws Error(output).
    std::string png() const;

 private:
    void blend(int x, int y, Rgb colour, int cover);

    Image image_;
};

}  // namespace nowcell
