#include "data/formats/idx.h"

#include "data/formats/array_reader.h"
#include "data/formats/checked.h"
#include "data/formats/file_bytes.h"
#include "data/formats/formats.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

namespace nowcell {
namespace {

struct IdxHeader {
    StoredType type = StoredType::u8;
    std::vector<std::int64_t> shape;
    std::int64_t bytes = 0;  // of the header
    std::int64_t total = 0;  // header and array
};

StoredType type_of(int code, const std::string& path) {
    switch (code) {
        case 0x08: return StoredType::u8;
        case 0x09: return StoredType::i8;
        case 0x0b: return StoredType::i16;
        case 0x0c: return StoredType::i32;
        case 0x0d: return StoredType::f32;
        case 0x0e: return StoredType::f64;
        default: refuse(path, fmt::format("idx type {:#04x}, expected 0x08, 0x09 or 0x0b to 0x0e", code));
    }
}

// gzread passes a file that is not gzipped through as it is.
IdxHeader read_header(const std::string& path) {
    std::array<unsigned char, 20> start = {};
    const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path.c_str(), "rb"), gzclose);
    const int got = file == nullptr ? -1 : gzread(file.get(), start.data(), static_cast<unsigned>(start.size()));
    if (got < 4 || start[0] != 0 || start[1] != 0) refuse(path, "it does not begin as an idx file does");
    IdxHeader header;
    header.type = type_of(start[2], path);
    const int rank = start[3];
    header.bytes = 4 + 4 * rank;
    if (rank < 1 || rank > 4) refuse(path, fmt::format("{} dimensions, expected 1 to 4", rank));
    if (got < header.bytes) refuse(path, fmt::format("{} bytes, expected a header of {}", got, header.bytes));
    for (int i = 0; i < rank; ++i) {
        const unsigned char* at = start.data() + 4 + 4 * i;
        header.shape.push_back((std::int64_t{at[0]} << 24) | (at[1] << 16) | (at[2] << 8) | at[3]);
    }
    const std::int64_t array = checked_product(header.shape, static_cast<std::int64_t>(size_of(header.type)));
    if (array <= 0 || __builtin_add_overflow(array, header.bytes, &header.total)) {
        refuse(path, "impossible shape " + shape_text(header.shape));
    }
    return header;
}

// deflate shrinks by 1032 at most: a header that tells more is wrong, and nothing is allocated for it.
std::vector<char> unpack(const std::string& path, const IdxHeader& header, std::int64_t limit) {
    constexpr std::int64_t kMostRatio = 1032;
    const auto packed = static_cast<std::int64_t>(std::filesystem::file_size(path));
    if (header.total / kMostRatio > packed) {
        refuse(path, fmt::format("it is truncated: {} bytes cannot hold the {} of its header, shape {}", packed,
                                 header.total, shape_text(header.shape)));
    }
    if (header.total > limit) {
        refuse(path, fmt::format("{} bytes when unpacked, the limit is {}", header.total, limit),
               "unpack it first, which needs no memory: gunzip -k " + path);
    }
    return unpack_bytes(path, header.total, limit);
}

}  // namespace

IdxImages read_idx(const std::string& path) {
    const IdxHeader header = read_header(path);
    if (header.type != StoredType::u8 || header.shape.size() != 3) {
        refuse(path, fmt::format("it holds {} of shape {}, expected uint8 pictures (count,rows,columns)",
                                 to_string(header.type), shape_text(header.shape)));
    }
    const std::vector<char> bytes = unpack(path, header, std::int64_t{1} << 30);
    IdxImages images = {header.shape[0], header.shape[1], header.shape[2], {}};
    images.pixels.resize(bytes.size() - static_cast<std::size_t>(header.bytes));
    std::memcpy(images.pixels.data(), bytes.data() + header.bytes, images.pixels.size());
    return images;
}

std::unique_ptr<FrameReader> open_idx(const SourceOptions& options) {
    const IdxHeader header = read_header(options.path);
    if (header.shape.size() < 3) {
        refuse(options.path, fmt::format("it holds {} of shape {}, which are labels rather than frames",
                                         to_string(header.type), shape_text(header.shape)));
    }
    std::unique_ptr<Bytes> bytes = open_bytes(options.path);
    SourceInfo info;
    if (bytes->size() != header.total) {
        bytes = hold_bytes(unpack(options.path, header, options.limits.memory / 2));
        info.filters = "gzip";
    }
    info.path = options.path;
    info.format = "idx";
    info.stored_type = to_string(header.type);
    if (header.shape.size() == 3) {
        info.notes.push_back(fmt::format(
            "the {} pictures of an idx file are read as one recording though they are no sequence; sequences of moving "
            "digits come from: nowcell data make moving-mnist --digits {}",
            header.shape[0], options.path));
    }
    constexpr bool kSwapped = std::endian::native == std::endian::little;
    const ArrayInFile array{header.type, kSwapped && size_of(header.type) > 1, false, header.shape, header.bytes};
    return std::make_unique<ArrayReader>(std::move(bytes), array, options, std::move(info));
}

}  // namespace nowcell
