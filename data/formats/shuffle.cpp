#include "data/formats/shuffle.h"

#include <algorithm>
#include <cstring>

namespace nowcell {
namespace {

// The width known to the compiler, and blocks that stay in the nearest cache.
template <std::size_t Width>
void unshuffle_as(const char* in, std::size_t count, char* out) {
    constexpr std::size_t kBlock = 512;
    for (std::size_t first = 0; first < count; first += kBlock) {
        const std::size_t end = std::min(count, first + kBlock);
        for (std::size_t byte = 0; byte < Width; ++byte) {
            const char* from = in + byte * count;
            for (std::size_t i = first; i < end; ++i) out[i * Width + byte] = from[i];
        }
    }
}

std::uint64_t fold(std::uint64_t sum) {
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

}  // namespace

void unshuffle(const char* in, std::size_t bytes, std::size_t width, char* out) {
    const std::size_t count = bytes / width;
    switch (width) {
        case 1: std::memcpy(out, in, count); break;
        case 2: unshuffle_as<2>(in, count, out); break;
        case 4: unshuffle_as<4>(in, count, out); break;
        case 8: unshuffle_as<8>(in, count, out); break;
        default:
            for (std::size_t i = 0; i < count * width; ++i) out[i % count * width + i / count] = in[i];
    }
    std::memcpy(out + count * width, in + count * width, bytes - count * width);
}

std::uint32_t fletcher32(const char* data, std::size_t bytes) {
    constexpr std::size_t kBlock = 1 << 20;  // words whose sums fit 64 bits
    const auto* at = reinterpret_cast<const unsigned char*>(data);
    std::uint64_t first = 0, second = 0;
    for (std::size_t words = bytes / 2; words > 0;) {
        const std::size_t here = std::min(words, kBlock);
        for (std::size_t i = 0; i < here; ++i, at += 2) {
            first += static_cast<std::uint64_t>(at[0]) << 8 | at[1];
            second += first;
        }
        first = fold(first);
        second = fold(second);
        words -= here;
    }
    if (bytes % 2 != 0) {
        first = fold(first + (static_cast<std::uint64_t>(*at) << 8));
        second = fold(second + first);
    }
    return static_cast<std::uint32_t>(second << 16 | first);
}

}  // namespace nowcell
