// What reading a window of frames costs, from how they are stored.
#pragma once

#include "data/formats/source_info.h"

#include <cstdint>
#include <optional>

namespace nowcell {

/// Values that must be read and inflated for a window of `window` frames of one recording over values used: the mean
/// over all places where a window can start. 1 is ideal. A chunk and a picture are read whole; storage without chunks
/// is read where it is needed. nullopt: the format is read in order from its beginning (animations, videos).
std::optional<double> read_amplification(const SourceInfo& info, std::int64_t window);

/// Frames of a chunk for windows that slide over recordings longer than they are: at most a quarter is read in vain.
inline std::int64_t short_chunk(std::int64_t window) { return window / 4 + 1; }

/// Above this repacking is worth while.
inline constexpr double kHighAmplification = 2.0;

}  // namespace nowcell
