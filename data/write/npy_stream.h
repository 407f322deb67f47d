// NumPy arrays written block by block.
#pragma once

#include "data/write/disk_space.h"

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nowcell {

/// What stands in front of the values of an array in C order. Throws Error(internal) on a type that NumPy lacks.
std::string npy_header(torch::ScalarType type, const std::vector<std::int64_t>& shape);

/// A .npy file being written from its first value to its last.
class NpyStream {
 public:
    /// Keeps room for the whole array first. Throws Error(output) when there is none.
    NpyStream(const std::string& temporary, const std::string& path, torch::ScalarType type,
              const std::vector<std::int64_t>& shape);
    ~NpyStream();
    NpyStream(const NpyStream&) = delete;
    NpyStream& operator=(const NpyStream&) = delete;

    void append(const torch::Tensor& block);

    /// Puts values where they belong, in any order: the first is the array's value number `first`. In the end each must
    /// have been put once.
    void put(std::int64_t first, const torch::Tensor& block);

 private:
    void write(const char* bytes, std::size_t count);

    int file_;
    DiskSpace space_;
    std::int64_t value_bytes_;
    std::int64_t begin_ = 0;  // of the values in the file
};

/// Writes an array through a stream, complete or not at all. Throws Error(output), leaving nothing behind.
void stream_npy(const std::string& path, torch::ScalarType type, const std::vector<std::int64_t>& shape,
                const std::function<void(NpyStream&)>& fill);

}  // namespace nowcell
