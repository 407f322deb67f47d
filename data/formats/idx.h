// MNIST's file format: a big-endian header and an array, often gzipped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Pictures of an idx file, one after the other.
struct IdxImages {
    std::int64_t count = 0;
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::vector<std::uint8_t> pixels;  ///< (count,rows,columns), 0 to 255
};

/// Reads a whole file of pictures, such as train-images-idx3-ubyte.gz; up to 1 GiB.
/// Throws Error(data) on another type or rank (labels), a truncated or corrupt file.
IdxImages read_idx(const std::string& path);

}  // namespace nowcell
