// Frames as PNG files whose pixels are their values.
#pragma once

#include "data/normalizer.h"
#include "src/files.h"

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace nowcell {

/// How values are stored: value = pixel * scale + offset.
struct PixelScale {
    int bits = 16;  ///< 8 or 16
    double scale = 1.0;
    double offset = 0.0;
};

/// That of the source where it is stored as uint8 or uint16; else 16 bits over the range of the training part and a
/// tenth of it on both sides. Throws Error(usage) where pictures cannot hold the frames: with other than 1 or 3
/// channels.
PixelScale pixel_scale(const SourceInfo& info, const Normalizer& normalizer);

/// A folder of pictures, grey or RGB: lead_0001.png, ..., in recording_0000/, ... where there are several recordings,
/// with scale.json, which says what a pixel means. What lies beyond the range of a pixel becomes its nearest end.
class ValuePictures {
 public:
    ValuePictures(std::string folder, std::int64_t recordings, const PixelScale& scale, const std::string& units);

    /// frames (n,C,H,W) of lead times [lead, lead + n), counted from 0. Throws Error(output).
    void add(std::int64_t recording, std::int64_t lead, const torch::Tensor& frames);

    /// Without it, all that was written is removed again.
    void commit();

 private:
    OutputFolder& folder_of(std::int64_t recording);
    std::string path_of(std::int64_t recording) const;
    void remove_later(const std::string& folder) const;  // lead times of a longer forecast that was there before

    std::string folder_;
    bool single_;
    PixelScale scale_;
    std::int64_t leads_ = 0;
    OutputFolder root_;
    std::map<std::int64_t, std::unique_ptr<OutputFolder>> recordings_;
};

}  // namespace nowcell
