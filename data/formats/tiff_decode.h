// Samples of a TIFF through libtiff: OpenCV 4.6 gives planes, tiles and alpha of some kinds wrong without an error.
#pragma once

#include "data/formats/image_header.h"

#include <cstdint>
#include <span>
#include <string>

namespace nowcell {

/// Values of the first page, whose header parse_tiff has checked: (C,H,W) float32; white where "minimum is white" is
/// the largest value. Returns how many are not finite. Throws Error(data).
std::int64_t decode_tiff(std::span<const unsigned char> bytes, const ImageHeader& header, const std::string& path,
                         float* out);

}  // namespace nowcell
