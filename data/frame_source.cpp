#include "data/frame_source.h"

#include "data/hdf5_source.h"
#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

const std::string kHdf5Signature("\x89HDF\r\n\x1a\n", 8);

std::string bytes_at(const std::string& path, std::int64_t position, std::size_t count) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes(count, '\0');
    file.seekg(position);
    file.read(bytes.data(), static_cast<std::streamsize>(count));
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    return bytes;
}

// The signature may stand behind a user block of 512, 1024, 2048 ... bytes.
bool is_hdf5(const std::string& path, std::int64_t size) {
    for (std::int64_t at = 0; at + 8 <= size; at = at == 0 ? 512 : 2 * at) {
        if (bytes_at(path, at, 8) == kHdf5Signature) return true;
    }
    return false;
}

struct Format {
    std::string magic;
    std::string name;
    std::string hint;
};

const std::vector<Format>& formats() {
    static const std::string images = "pictures are not read yet: pack them as an HDF5 dataset (time, rows, columns)";
    static const std::string unpack = "unpack it first";
    static const std::vector<Format> known = {
        {"CDF", "NetCDF classic", "nccopy -k nc4 {0} {0}4"},
        {"\x89PNG", "PNG picture", images},
        {"GIF8", "GIF picture", images},
        {"\xff\xd8\xff", "JPEG picture", images},
        {"\x93NUMPY", "NumPy array", "write it as HDF5: h5py.File('x.h5', 'w')['frames'] = numpy.load('{0}')"},
        {"PK\x03\x04", "zip archive", unpack},
        {"\x1f\x8b", "gzip file", unpack},
        {"BZh", "bzip2 file", unpack},
        {"GRIB", "GRIB file", "cdo -f nc4 copy {0} {0}.nc"},
        {"\x0e\x03\x13\x01", "HDF4 file", "h4toh5 {0} {0}.h5"},
    };
    return known;
}

[[noreturn]] void fail(const std::string& path, const std::string& why, const std::string& hint = "") {
    throw Error(ExitCode::data, fmt::format("cannot open {}: {}", path, why), "", hint);
}

[[noreturn]] void fail_as_other(const std::string& path) {
    const std::string start = bytes_at(path, 0, 8);
    for (const Format& format : formats()) {
        if (start.compare(0, format.magic.size(), format.magic) != 0) continue;
        fail(path, fmt::format("not HDF5, it looks like a {}", format.name),
             fmt::format(fmt::runtime(format.hint), path));
    }
    fail(path, "not HDF5, and no format that is known here", "expected HDF5 or NetCDF-4");
}

std::int64_t check_file(const std::string& path) {
    std::error_code ignored;
    if (path.empty()) throw Error(ExitCode::usage, "no data file is named", "", "--set data.path=FILE");
    if (!fs::exists(path, ignored)) fail(path, "no such file", similar_file(path));
    if (fs::is_directory(path, ignored)) fail(path, "it is a folder, expected an HDF5 file");
    if (!fs::is_regular_file(path, ignored)) fail(path, "not a regular file");
    if (!std::ifstream(path)) fail(path, std::strerror(errno));
    const auto size = static_cast<std::int64_t>(fs::file_size(path, ignored));
    if (size == 0) fail(path, "the file is empty");
    return size;
}

}  // namespace

torch::Tensor FrameSource::read_batch(const std::vector<FrameRange>& ranges) const {
    std::vector<torch::Tensor> out;
    for (const FrameRange& range : ranges) out.push_back(read(range.recording, range.first, range.count));
    return torch::stack(out);
}

std::string position_text(const SourceInfo& info, std::int64_t recording, std::int64_t t, std::int64_t c,
                          std::int64_t y, std::int64_t x) {
    std::string out;
    for (const char letter : info.layout) {
        const std::int64_t at = letter == 'n'   ? recording
                                : letter == 't' ? t
                                : letter == 'c' ? c
                                : letter == 'h' ? y + info.first_row
                                                : x + info.first_column;
        out += fmt::format("{}{}", out.empty() ? "" : ",", at);
    }
    const bool many = info.layout.find('t') == std::string::npos;
    return fmt::format("{}[{}]{}", info.dataset, out, many ? fmt::format(" of frame {}", t) : "");
}

std::unique_ptr<FrameSource> open_source(const SourceOptions& options) {
    const std::int64_t size = check_file(options.path);
    if (!is_hdf5(options.path, size)) fail_as_other(options.path);
    return open_hdf5_source(options);
}

}  // namespace nowcell
