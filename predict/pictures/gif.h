// GIF files of a few colours: every picture uses one palette, so that no colour changes from frame to frame.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "predict/pictures/canvas.h"
#include "predict/pictures/palette.h"

namespace nowcell {

/// A looped animation being encoded in memory. Each frame holds only what changed since the one before.
class GifWriter {
 public:
    GifWriter(int width, int height, Palette palette);
    ~GifWriter();
    GifWriter(const GifWriter&) = delete;
    GifWriter& operator=(const GifWriter&) = delete;

    /// Throws Error(output) when the encoder fails.
    void add(const Image& image, double seconds);

    /// The finished file; nothing can be added after it. Throws Error(output).
    std::string bytes();

 private:
    struct File;
    void begin();
    void put_frame(const std::vector<std::uint8_t>& pixels, const Box& box, double seconds);

    Palette palette_;
    int width_, height_;
    std::vector<std::uint8_t> last_;
    File* file_;
};

}  // namespace nowcell
