// Recordings that are pieces of one long row of frames.
#pragma once

#include "data/formats/array_reader.h"

#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// Frames [first, first + count) of the row.
struct Clip {
    std::int64_t first = 0;
    std::int64_t count = 0;
};

/// Moving MNIST's index (2,N,2) of (start, length): the input and the output of each sample, which follow each other,
/// joined. Throws Error(data) that names `path` when they do not follow each other.
std::vector<Clip> join_clips(Bytes& bytes, const ArrayInFile& index, const std::string& path);

/// `row` is one recording; each clip becomes one. Throws Error(data) on a clip that does not lie within the row.
std::unique_ptr<FrameReader> read_clips(std::unique_ptr<FrameReader> row, const std::vector<Clip>& clips);

}  // namespace nowcell
