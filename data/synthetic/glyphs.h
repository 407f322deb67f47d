// The ten digits as strokes, and exact integer rasters of them: the same bytes on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace nowcell {

/// Lengths inside glyphs are whole numbers of 1/256 px, so that no result depends on how a machine rounds.
inline constexpr std::int64_t kSubpixel = 256;

/// How one digit is drawn.
struct GlyphShape {
    int digit = 0;                 ///< 0..9
    std::int64_t height = 0;       ///< between the centre lines of the topmost and lowest strokes, 1/256 px
    std::int64_t width = 1024;     ///< 1024: as designed
    std::int64_t slant = 0;        ///< sideways shift per height, 1/1024; positive leans right
    std::int64_t thickness = 512;  ///< of the strokes, 1/256 px
};

/// A digit as its distance to the nearest stroke, so that it can be drawn at any sub-pixel position.
class Glyph {
 public:
    explicit Glyph(const GlyphShape& shape);

    /// Extent of the ink, its soft edge included, 1/256 px.
    std::int64_t width() const { return width_; }
    std::int64_t height() const { return height_; }

    /// Adds the ink (255 at full coverage, sums stop at 255) to a frame of `side` x `side` bytes.
    /// x, y: upper left corner of the extent, 1/256 px. Parts outside the frame are cut off.
    void draw(std::uint8_t* frame, std::int64_t side, std::int64_t x, std::int64_t y) const;

 private:
    std::int64_t distance_at(std::int64_t x, std::int64_t y) const;

    std::int64_t half_thickness_;
    std::int64_t width_ = 0;
    std::int64_t height_ = 0;
    std::int64_t columns_ = 0;
    std::int64_t rows_ = 0;
    std::vector<std::int32_t> distance_;  // (rows, columns), every half pixel, 1/256 px
};

}  // namespace nowcell
