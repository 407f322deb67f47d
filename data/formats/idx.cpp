#include "data/formats/idx.h"

#include "data/formats/checked.h"
#include "data/formats/file_bytes.h"
#include "data/formats/stored.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <memory>

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
        refuse(path, fmt::format("impossible shape [{}]", fmt::join(header.shape, ",")));
    }
    return header;
}

// deflate shrinks by 1032 at most: a header that tells more is wrong, and nothing is allocated for it.
std::vector<char> unpack(const std::string& path, const IdxHeader& header, std::int64_t limit) {
    constexpr std::int64_t kMostRatio = 1032;
    const auto packed = static_cast<std::int64_t>(std::filesystem::file_size(path));
    if (header.total / kMostRatio > packed) {
        refuse(path, fmt::format("it is truncated: {} bytes cannot hold the {} of its header, shape [{}]", packed,
                                 header.total, fmt::join(header.shape, ",")));
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
        refuse(path, fmt::format("it holds {} of shape [{}], expected uint8 pictures (count,rows,columns)",
                                 to_string(header.type), fmt::join(header.shape, ",")));
    }
    const std::vector<char> bytes = unpack(path, header, std::int64_t{1} << 30);
    IdxImages images = {header.shape[0], header.shape[1], header.shape[2], {}};
    images.pixels.resize(bytes.size() - static_cast<std::size_t>(header.bytes));
    std::memcpy(images.pixels.data(), bytes.data() + header.bytes, images.pixels.size());
    return images;
}

}  // namespace nowcell
