// Synthetic sequences: digit glyphs, drawn here, that bounce and overlap.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace nowcell {

/// What to draw.
struct BouncingDigitsOptions {
    std::int64_t size = 64;    ///< side of the square frame, px, >= 16
    std::int64_t frames = 20;  ///< per sequence, >= 2
    std::int64_t count = 100;  ///< sequences, >= 1
    std::int64_t digits = 2;   ///< per sequence, 1..9
    std::uint64_t seed = 0;
};

/// (N,T,H,W) uint8, 0..255. Sequence n depends on (seed, n) alone, so parts of a file never share a stream and a longer
/// file begins with the shorter one. Each glyph is strokes with its own slant, width, weight and size, drawn with
/// sub-pixel position; it moves in a straight line and is reflected at the edges. Where glyphs overlap their ink adds
/// up to 255 at most. Whole-number arithmetic: the same bytes on every machine. Throws Error(usage) naming the flag.
torch::Tensor make_bouncing_digits(const BouncingDigitsOptions& options);

/// One antialiased digit in a square of `side` px, as the sequences hold it: (side,side) uint8.
/// slant: sideways shift per height, positive leans right, about -0.2..0.4. weight: of the strokes, 1 is usual.
/// Throws Error(usage).
torch::Tensor draw_digit(int digit, std::int64_t side, double slant, double weight);

}  // namespace nowcell
