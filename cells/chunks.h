// Cuts a sequence into a few steps at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace nowcell {

/// Steps [first, first + count) of a sequence.
struct Chunk {
    std::int64_t first;
    std::int64_t count;
};

/// Convolutions of small frames are cheaper several steps at once, but what they leave must not grow with the sequence:
/// a chunk has at most 4 steps, and fewer when `step_bytes`, the gates of one step, are large.
inline std::vector<Chunk> chunks(std::int64_t steps, std::int64_t step_bytes) {
    constexpr std::int64_t kMostSteps = 4;
    constexpr std::int64_t kBytes = std::int64_t{16} << 20;
    const std::int64_t length = std::clamp<std::int64_t>(kBytes / std::max<std::int64_t>(step_bytes, 1), 1, kMostSteps);
    std::vector<Chunk> result;
    for (std::int64_t first = 0; first < steps; first += length) {
        result.push_back({first, std::min(length, steps - first)});
    }
    return result;
}

}  // namespace nowcell
