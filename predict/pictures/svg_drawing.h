// A sheet that becomes an SVG file.
#pragma once

#include "predict/pictures/drawing.h"

namespace nowcell {

/// Lines stay lines and text stays text, in whatever sans-serif font the viewer has.
class SvgDrawing : public Drawing {
 public:
    SvgDrawing(int width, int height);

    void fill(const Box& box, Rgb colour) override;
    void text(double x, double y, const std::string& text, const TextStyle& style) override;
    void stroke(const std::vector<Spot>& spots, Rgb colour, double width_px) override;

    /// The file in memory.
    std::string svg() const;

 private:
    int width_, height_;
    std::string elements_;
};

}  // namespace nowcell
