#include "data/formats/npy_header.h"

#include "tests/fuzz/fuzz.h"

#include <algorithm>

// An array that is accepted lies in the file. The first byte says how much longer than its beginning the file is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::span<const char> start(reinterpret_cast<const char*>(data) + 1,
                                      std::min<std::size_t>(size - 1, nowcell::kMostNpyHeader));
    const std::int64_t file_bytes = static_cast<std::int64_t>(size - 1) + (std::int64_t{1} << data[0] % 62) - 1;
    return tried(nowcell::ExitCode::data, [&] {
        const nowcell::NpyHeader header = nowcell::parse_npy_header(start, file_bytes, "fuzz.npy");
        must(header.array.position >= 0 && header.bytes >= 0 && header.beyond >= 0, "a negative size");
        must(header.array.position + header.bytes + header.beyond == file_bytes, "the array lies outside of the file");
        for (const std::int64_t side : header.array.shape) must(side >= 0, "a negative side");
    });
}
