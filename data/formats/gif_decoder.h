// Frames of an animated GIF as they are seen: each drawn over what the ones before it left.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct GifFileType;

namespace nowcell {

/// Reads forward only.
class GifDecoder {
 public:
    /// `limit`: bytes that one frame may take. Throws Error(data).
    GifDecoder(const std::string& path, std::int64_t limit);
    ~GifDecoder();
    GifDecoder(const GifDecoder&) = delete;
    GifDecoder& operator=(const GifDecoder&) = delete;

    std::int64_t width() const { return width_; }
    std::int64_t height() const { return height_; }

    /// Composes the next frame; false behind the last. Throws Error(data) on a file that is truncated or corrupt.
    bool next();

    /// (H,W,3) of the frame that next() composed, 0 to 255. What no frame has drawn is black.
    const std::vector<unsigned char>& pixels() const { return canvas_; }
    bool grey() const { return grey_; }          ///< all colours of all frames up to here are grey
    double delay_s() const { return delay_s_; }  ///< how long the frame is shown

 private:
    struct Control {
        int disposal = 0;
        int transparent = -1;
    };

    void draw();
    void read_extension();
    void dispose();
    [[noreturn]] void fail(const std::string& why) const;

    std::string path_;
    GifFileType* file_ = nullptr;
    std::int64_t width_ = 0;
    std::int64_t height_ = 0;
    std::vector<unsigned char> canvas_;
    std::vector<unsigned char> before_;                         // what disposal 3 goes back to
    std::int64_t left_ = 0, top_ = 0, columns_ = 0, rows_ = 0;  // of the last image
    Control control_;                                           // of the next image
    int disposal_ = 0;                                          // of the last image
    bool grey_ = true;
    double delay_s_ = 0.0;
};

}  // namespace nowcell
