// Pixels of one picture file whose header has been checked.
#pragma once

#include "data/formats/image_header.h"
#include "data/formats/source_info.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// A picture file in memory, checked.
struct PictureFile {
    std::vector<unsigned char> bytes;
    ImageHeader header;
};

/// Reads a file whole and checks its header; a picture may take limits.memory / 8 decoded, its file the same.
/// Throws Error(data).
PictureFile load_picture(const std::string& path, const ReaderLimits& limits);

/// Values as stored, (C,H,W) float32: RGB, alpha last; 8 bits as 0 to 255, smaller ones of grey PNG spread over that
/// range. Returns how many are not finite (NaN in `out`). Throws Error(data) on a file that does not decode to what its
/// header tells.
std::int64_t decode_picture(const PictureFile& file, const std::string& path, float* out);

/// "grey", "grey, alpha", "RGB" or "RGBA"
std::string channel_order(const ImageHeader& header);

}  // namespace nowcell
