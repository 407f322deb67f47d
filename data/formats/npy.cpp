#include "data/formats/array_reader.h"
#include "data/formats/formats.h"
#include "data/formats/npy_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace nowcell {

std::unique_ptr<FrameReader> open_npy(const SourceOptions& options) {
    std::unique_ptr<Bytes> bytes = open_bytes(options.path);
    std::vector<char> start(static_cast<std::size_t>(std::min(bytes->size(), kMostNpyHeader)));
    bytes->read(0, static_cast<std::int64_t>(start.size()), start.data());
    const NpyHeader header = parse_npy_header(start, bytes->size(), options.path);
    SourceInfo info;
    info.path = options.path;
    info.format = "NumPy";
    info.stored_type = header.type;
    if (header.beyond > 0) info.notes.push_back(fmt::format("{} bytes behind the array are not read", header.beyond));
    if (header.array.fortran) {
        info.notes.push_back(
            "the array is in Fortran order, where a frame lies scattered over the file and reads slowly; save it with "
            "numpy.ascontiguousarray, or nowcell data convert");
    }
    return std::make_unique<ArrayReader>(std::move(bytes), header.array, options, std::move(info));
}

}  // namespace nowcell
