#include "data/formats/file_kind.h"

#include "src/error.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

const std::string kHdf5Signature("\x89HDF\r\n\x1a\n", 8);

std::string bytes_at(const std::string& path, std::int64_t position, std::size_t count) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes(count, '\0');
    file.seekg(position);
    file.read(bytes.data(), static_cast<std::streamsize>(count));
    bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
    return bytes;
}

bool begins(const std::string& bytes, const std::string& magic, std::size_t at = 0) {
    return bytes.size() >= at + magic.size() && bytes.compare(at, magic.size(), magic) == 0;
}

// The signature may stand behind a user block of 512, 1024, 2048 ... bytes.
bool is_hdf5(const std::string& path) {
    std::error_code ignored;
    const auto size = static_cast<std::int64_t>(fs::file_size(path, ignored));
    for (std::int64_t at = 0; at + 8 <= size; at = at == 0 ? 512 : 2 * at) {
        if (bytes_at(path, at, 8) == kHdf5Signature) return true;
    }
    return false;
}

// Two zeros, a type, 1 to 4 dimensions.
bool is_idx(const std::string& bytes) {
    if (bytes.size() < 8 || bytes[0] != 0 || bytes[1] != 0) return false;
    const auto type = static_cast<unsigned char>(bytes[2]);
    return (type == 0x08 || type == 0x09 || (type >= 0x0b && type <= 0x0e)) && bytes[3] >= 1 && bytes[3] <= 4;
}

bool is_gzipped_idx(const std::string& path) {
    const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path.c_str(), "rb"), gzclose);
    std::string start(8, '\0');
    return file != nullptr && gzread(file.get(), start.data(), 8) == 8 && is_idx(start);
}

bool is_pnm(const std::string& bytes) {
    return bytes.size() > 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
           (std::isspace(static_cast<unsigned char>(bytes[2])) != 0 || bytes[2] == '#');
}

bool is_video(const std::string& bytes) {
    return begins(bytes, "ftyp", 4) || begins(bytes, "moov", 4) || begins(bytes, "\x1a\x45\xdf\xa3") ||
           (begins(bytes, "RIFF") && begins(bytes, "AVI ", 8)) || begins(bytes, std::string("\0\0\1\xba", 4)) ||
           begins(bytes, std::string("\0\0\1\xb3", 4)) || begins(bytes, "FLV\1");
}

struct Known {
    std::string magic;
    std::string name;
    std::string hint;
};

const std::vector<Known>& others() {
    static const std::string picture = "convert it to PNG: magick {0} {0}.png";
    static const std::string unpack = "unpack it first";
    static const std::vector<Known> known = {
        {"CDF", "NetCDF classic file", "nccopy -k nc4 {0} {0}4"},
        {"GRIB", "GRIB file", "cdo -f nc4 copy {0} {0}.nc"},
        {"\x0e\x03\x13\x01", "HDF4 file", "h4toh5 {0} {0}.h5"},
        {"BM", "BMP picture", picture},
        {std::string("II+\0", 4), "BigTIFF", "convert it to TIFF: tiffcp -c lzw {0} {0}.tif"},
        {std::string("MM\0+", 4), "BigTIFF", "convert it to TIFF: tiffcp -c lzw {0} {0}.tif"},
        {"\x01\xda", "SGI picture", picture},
        {"RIFF", "RIFF file (WebP, WAV)", picture},
        {std::string("\0\0\0\x0cjP", 6), "JPEG 2000 picture", picture},
        {"\xff\x4f\xff\x51", "JPEG 2000 code stream", picture},
        {"\x76\x2f\x31\x01", "OpenEXR picture", "convert it to TIFF: magick {0} {0}.tif"},
        {"8BPS", "Photoshop picture", picture},
        {"\x1f\x8b", "gzip file", unpack},
        {"BZh", "bzip2 file", unpack},
        {"\xfd"
         "7zXZ",
         "xz file", unpack},
        {"\x28\xb5\x2f\xfd", "zstd file", unpack},
        {"%PDF", "PDF document", ""},
        {"\x80\x02", "pickle, which can run code", "load it in Python and save it as .npy"},
        {"\x80\x04", "pickle, which can run code", "load it in Python and save it as .npy"},
    };
    return known;
}

const Known* other_kind(const std::string& bytes) {
    for (const Known& known : others()) {
        if (begins(bytes, known.magic)) return &known;
    }
    return nullptr;
}

template <typename Keep>
std::vector<std::string> entries(const std::string& folder, const Keep& keep) {
    std::vector<std::string> out;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.front() != '.' && keep(entry)) out.push_back(entry.path().string());
    }
    std::sort(out.begin(), out.end(), natural_less);
    return out;
}

}  // namespace

FileKind kind_of(const std::string& path) {
    const std::string bytes = bytes_at(path, 0, 64);
    if (begins(bytes, "\x93NUMPY")) return FileKind::npy;
    if (begins(bytes, "PK\x03\x04") || begins(bytes, "PK\x05\x06")) return FileKind::zip;
    if (begins(bytes, "\x89PNG\r\n\x1a\n")) return FileKind::png;
    if (begins(bytes, "\xff\xd8\xff")) return FileKind::jpeg;
    if (begins(bytes, std::string("II*\0", 4)) || begins(bytes, std::string("MM\0*", 4))) return FileKind::tiff;
    if (begins(bytes, "GIF87a") || begins(bytes, "GIF89a")) return FileKind::gif;
    if (is_pnm(bytes)) return FileKind::pnm;
    if (is_video(bytes)) return FileKind::video;
    if (is_idx(bytes)) return FileKind::idx;
    if (begins(bytes, "\x1f\x8b") && is_gzipped_idx(path)) return FileKind::idx;
    if (is_hdf5(path)) return FileKind::hdf5;
    const std::string line = bytes_at(path, 0, 4096);
    const std::string header = line.substr(0, line.find('\n'));
    const bool catalogue = header.find("file_name") != std::string::npos &&
                           header.find("file_index") != std::string::npos && header.find(',') != std::string::npos;
    return catalogue ? FileKind::catalogue : FileKind::other;
}

bool is_picture(FileKind kind) {
    return kind == FileKind::png || kind == FileKind::jpeg || kind == FileKind::tiff || kind == FileKind::pnm;
}

std::string kind_name(const std::string& path, FileKind kind) {
    switch (kind) {
        case FileKind::hdf5: return "HDF5";
        case FileKind::npy: return "NumPy array";
        case FileKind::zip: return "zip archive";
        case FileKind::idx: return "MNIST idx";
        case FileKind::png: return "PNG";
        case FileKind::jpeg: return "JPEG";
        case FileKind::tiff: return "TIFF";
        case FileKind::pnm: return "PGM/PPM";
        case FileKind::gif: return "GIF";
        case FileKind::video: return "video";
        case FileKind::catalogue: return "SEVIR catalogue";
        case FileKind::other: break;
    }
    const Known* known = other_kind(bytes_at(path, 0, 16));
    return known == nullptr ? "" : known->name;
}

void refuse_kind(const std::string& path) {
    const Known* known = other_kind(bytes_at(path, 0, 16));
    if (known != nullptr) {
        throw Error(ExitCode::data,
                    fmt::format("cannot open {}: it looks like a {}, which is not read", path, known->name), "",
                    fmt::format(fmt::runtime(known->hint), path));
    }
    throw Error(ExitCode::data, fmt::format("cannot open {}: no format that is known here", path), "",
                "expected HDF5, NetCDF-4, NumPy (.npy, .npz), PNG, JPEG, TIFF, PGM, GIF, video, or a folder of them");
}

bool natural_less(const std::string& a, const std::string& b) {
    std::size_t i = 0;
    std::size_t j = 0;
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto number_end = [&](const std::string& text, std::size_t at) {
        while (at < text.size() && is_digit(text[at])) ++at;
        return at;
    };
    while (i < a.size() && j < b.size()) {
        if (!is_digit(a[i]) || !is_digit(b[j])) {
            if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
            ++i, ++j;
            continue;
        }
        const std::size_t a_end = number_end(a, i);
        const std::size_t b_end = number_end(b, j);
        while (i + 1 < a_end && a[i] == '0') ++i;
        while (j + 1 < b_end && b[j] == '0') ++j;
        if (a_end - i != b_end - j) return a_end - i < b_end - j;
        const int order = a.compare(i, a_end - i, b, j, b_end - j);
        if (order != 0) return order < 0;
        i = a_end;
        j = b_end;
    }
    if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
    return a < b;
}

std::vector<std::string> files_in(const std::string& folder) {
    return entries(folder, [](const fs::directory_entry& entry) {
        std::error_code ignored;
        return entry.is_regular_file(ignored);
    });
}

std::vector<std::string> folders_in(const std::string& folder) {
    return entries(folder, [](const fs::directory_entry& entry) {
        std::error_code ignored;
        return entry.is_directory(ignored);
    });
}

}  // namespace nowcell
