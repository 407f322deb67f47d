// Movies: frames encoded by FFmpeg through OpenCV.
#pragma once

#include "predict/pictures/canvas.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// A way to encode a movie.
struct Codec {
    std::string name;    ///< as people call it
    std::string fourcc;  ///< as FFmpeg calls it
};

/// The codecs to try for a file of this name, best first: FFV1 (lossless) for ".mkv", else H.264 and MPEG-4.
std::vector<Codec> codecs_for(const std::string& path);

/// A movie being written. Sides are padded with white to even numbers, as most codecs want.
class VideoFile {
 public:
    /// The name tells the container: ".mp4" or ".mkv". Throws Error(output) when no codec works.
    VideoFile(const std::string& path, int width, int height, double frames_per_s, const std::vector<Codec>& codecs);
    ~VideoFile();
    VideoFile(const VideoFile&) = delete;
    VideoFile& operator=(const VideoFile&) = delete;

    const std::string& codec() const { return codec_; }

    void add(const Image& image);

    /// Ends the file and reads it back. Throws Error(output) when frames are missing: encoders do not say so.
    void close();

 private:
    struct Writer;

    std::string path_, codec_;
    int width_, height_;
    std::int64_t frames_ = 0;
    std::unique_ptr<Writer> writer_;
};

}  // namespace nowcell
