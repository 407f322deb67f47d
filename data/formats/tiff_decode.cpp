#include "data/formats/tiff_decode.h"

#include "data/formats/checked.h"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

namespace nowcell {
namespace {

struct Memory {
    std::span<const unsigned char> bytes;
    std::size_t at = 0;
};

tmsize_t read_memory(thandle_t handle, void* out, tmsize_t count) {
    auto& memory = *static_cast<Memory*>(handle);
    const std::size_t left = memory.at < memory.bytes.size() ? memory.bytes.size() - memory.at : 0;
    const std::size_t size = std::min(left, static_cast<std::size_t>(count));
    if (size > 0) std::memcpy(out, memory.bytes.data() + memory.at, size);
    memory.at += size;
    return static_cast<tmsize_t>(size);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) { return 0; }

toff_t seek_memory(thandle_t handle, toff_t offset, int whence) {
    auto& memory = *static_cast<Memory*>(handle);
    const toff_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? memory.at : memory.bytes.size();
    memory.at = static_cast<std::size_t>(from + offset);
    return memory.at;
}

int close_nothing(thandle_t) { return 0; }

toff_t size_of_memory(thandle_t handle) { return static_cast<Memory*>(handle)->bytes.size(); }

using Tiff = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

// "m": memory is not mapped; "c": strips stay as the file has them.
Tiff open_tiff(Memory& memory, const std::string& path) {
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
    Tiff tiff(TIFFClientOpen(path.c_str(), "rmc", &memory, read_memory, write_nothing, seek_memory, close_nothing,
                             size_of_memory, nullptr, nullptr),
              TIFFClose);
    if (tiff == nullptr) refuse(path, "the TIFF is corrupt: it does not decode");
    return tiff;
}

// Strips or tiles of a picture: those of each plane follow each other.
struct Pieces {
    bool tiled = false;
    std::int64_t width = 0;
    std::int64_t height = 0;
    std::int64_t planes = 1;
    std::int64_t pixel = 0;  // bytes in a piece
};

Pieces pieces_of(TIFF* tiff, const ImageHeader& header, std::int64_t samples) {
    Pieces pieces;
    pieces.tiled = TIFFIsTiled(tiff) != 0;
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::uint16_t planar = PLANARCONFIG_CONTIG;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planar);
    if (pieces.tiled) {
        TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width);
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height);
    } else {
        TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &height);
        width = static_cast<std::uint32_t>(header.width);
        height = std::min(height, static_cast<std::uint32_t>(header.height));
    }
    pieces.width = width;
    pieces.height = height;
    pieces.planes = planar == PLANARCONFIG_SEPARATE ? samples : 1;
    pieces.pixel = static_cast<std::int64_t>(size_of(header.type)) * samples / pieces.planes;
    return pieces;
}

// Reads all pieces to (planes,H,W,samples of a plane).
std::vector<char> read_pieces(TIFF* tiff, const Pieces& pieces, const ImageHeader& header, const std::string& path) {
    const std::int64_t row = header.width * pieces.pixel;
    std::vector<char> out(static_cast<std::size_t>(pieces.planes * header.height * row));
    std::vector<char> piece(static_cast<std::size_t>(pieces.width * pieces.height * pieces.pixel));
    std::uint32_t index = 0;
    for (std::int64_t plane = 0; plane < pieces.planes; ++plane) {
        for (std::int64_t y = 0; y < header.height; y += pieces.height) {
            const std::int64_t rows = std::min(pieces.height, header.height - y);
            for (std::int64_t x = 0; x < header.width; x += pieces.width, ++index) {
                const auto size = static_cast<tmsize_t>(piece.size());
                const auto wanted = pieces.tiled ? size : static_cast<tmsize_t>(rows * row);
                const tmsize_t got = pieces.tiled ? TIFFReadEncodedTile(tiff, index, piece.data(), size)
                                                  : TIFFReadEncodedStrip(tiff, index, piece.data(), wanted);
                if (got != wanted)
                    refuse(path, fmt::format("the TIFF is corrupt: strip or tile {} does not decode", index));
                const std::int64_t columns = std::min(pieces.width, header.width - x) * pieces.pixel;
                for (std::int64_t i = 0; i < rows; ++i) {
                    std::memcpy(out.data() + (plane * header.height + y + i) * row + x * pieces.pixel,
                                piece.data() + i * pieces.width * pieces.pixel, static_cast<std::size_t>(columns));
                }
            }
        }
    }
    return out;
}

// Colours of 16 bits to those of 8 that they were made from.
std::vector<char> through_palette(TIFF* tiff, const std::vector<char>& indices, const std::string& path) {
    std::uint16_t* red = nullptr;
    std::uint16_t* green = nullptr;
    std::uint16_t* blue = nullptr;
    if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) != 1) refuse(path, "the TIFF has no colours");
    std::vector<char> out;
    out.reserve(3 * indices.size());
    for (const char index : indices) {
        for (const std::uint16_t* colours : {red, green, blue}) {
            out.push_back(static_cast<char>(colours[static_cast<unsigned char>(index)] >> 8));
        }
    }
    return out;
}

}  // namespace

std::int64_t decode_tiff(std::span<const unsigned char> bytes, const ImageHeader& header, const std::string& path,
                         float* out) {
    Memory memory{bytes};
    const Tiff tiff = open_tiff(memory, path);
    const std::int64_t samples = header.palette ? 1 : header.channels;
    Pieces pieces = pieces_of(tiff.get(), header, samples);
    std::vector<char> pixels = read_pieces(tiff.get(), pieces, header, path);
    if (header.palette) {
        pixels = through_palette(tiff.get(), pixels, path);
        pieces.pixel = 3;
    }
    std::uint16_t photometric = PHOTOMETRIC_MINISBLACK;
    TIFFGetField(tiff.get(), TIFFTAG_PHOTOMETRIC, &photometric);
    Packing packing;
    const bool whole = header.type == StoredType::u8 || header.type == StoredType::u16;
    if (photometric == PHOTOMETRIC_MINISWHITE && whole) packing = {-1.0, header.bits == 8 ? 255.0 : 65535.0, {}};
    const auto item = static_cast<std::int64_t>(size_of(header.type));
    const std::int64_t row = header.width * pieces.pixel;
    const std::int64_t channel = pieces.planes > 1 ? header.height * row : item;
    return decode({.data = pixels.data(),
                   .type = header.type,
                   .shape = {1, header.channels, header.height, header.width},
                   .strides = {0, channel, row, pieces.pixel}},
                  packing, out);
}

}  // namespace nowcell
