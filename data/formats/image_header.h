// What a picture claims to be, from its bytes and before any decoder sees them. Nothing is allocated for it.
#pragma once

#include "data/formats/stored.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nowcell {

struct ImageHeader {
    std::string format;  ///< "PNG", "JPEG", "TIFF", "PNM"
    std::int64_t width = 0;
    std::int64_t height = 0;
    std::int64_t channels = 1;  ///< as decoded: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
    StoredType type = StoredType::u8;
    int bits = 8;          ///< of one stored sample
    bool palette = false;  ///< colours are read from a table
    std::int64_t pages = 1;

    std::int64_t body = 0;  ///< PNM: where the samples begin
    char variant = '\0';    ///< PNM: '1' to '6'
};

/// The whole file as `bytes`. Checks that the file is whole: PNG to its IEND with the checksums of the chunks that
/// matter, JPEG to its end-of-image marker, TIFF strips and tiles and PNM samples within the file. Throws Error(data)
/// that names `path`: malformed, truncated, or a variant that is not read.
ImageHeader parse_image_header(std::span<const unsigned char> bytes, const std::string& path);

/// The parts of a PNG or JPEG that the pixels depend on: comments, profiles and other ballast that decoders complain
/// about are left out. `bytes` has passed parse_image_header. Other formats: all of them.
std::vector<unsigned char> without_ballast(std::span<const unsigned char> bytes);

/// One of each format; parse_image_header chooses.
ImageHeader parse_png(std::span<const unsigned char> bytes, const std::string& path);
ImageHeader parse_jpeg(std::span<const unsigned char> bytes, const std::string& path);
ImageHeader parse_tiff(std::span<const unsigned char> bytes, const std::string& path);
ImageHeader parse_pnm(std::span<const unsigned char> bytes, const std::string& path);

/// A number of 1 to 4 bytes, the highest first or last. The range is valid.
inline std::uint32_t number_at(std::span<const unsigned char> bytes, std::size_t at, std::size_t size, bool big) {
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < size; ++i) out = out << 8 | bytes[big ? at + i : at + size - 1 - i];
    return out;
}

}  // namespace nowcell
