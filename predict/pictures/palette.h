// The few colours of an animation, and pictures in terms of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "predict/pictures/canvas.h"

namespace nowcell {

/// Index for "as in the frame before".
inline constexpr int kTransparent = 255;

/// At most 255 colours and kTransparent, or 256 colours.
class Palette {
 public:
    /// Colours beyond the 255th are left out, repeated ones kept once.
    explicit Palette(const std::vector<Rgb>& colours) : Palette(colours, kTransparent) {}

    /// All 256 greys: pictures of 8-bit frames without loss.
    static Palette greys();

    const std::vector<Rgb>& colours() const { return colours_; }

    /// False for 256 colours: every index is one of them.
    bool has_transparent() const { return colours_.size() <= kTransparent; }

    /// Index of the same colour, or of the nearest.
    std::uint8_t index(Rgb colour);

 private:
    Palette(const std::vector<Rgb>& colours, std::size_t most);

    std::vector<Rgb> colours_;
    std::vector<std::int16_t> known_;  // by 24-bit colour; -1: not asked for yet
};

/// At most `count` colours that stand for the given ones: the most spread group is split at its median until there are
/// enough. Source: Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982.
std::vector<Rgb> median_cut(std::vector<Rgb> colours, int count);

}  // namespace nowcell
