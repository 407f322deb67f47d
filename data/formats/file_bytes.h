// Bytes to read at a position: of a file that is open, or of memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {

class Bytes {
 public:
    virtual ~Bytes() = default;

    virtual std::int64_t size() const = 0;

    /// Copies bytes [position, position + count) to `out`. Throws Error(data) when the file has become shorter.
    virtual void read(std::int64_t position, std::int64_t count, void* out) = 0;
};

/// A file, read with pread. Throws Error(data) when it cannot be opened.
std::unique_ptr<Bytes> open_bytes(const std::string& path);

/// A block of memory.
std::unique_ptr<Bytes> hold_bytes(std::vector<char> block);

/// The whole of a file. Throws Error(data) when it has more than `limit` bytes or cannot be read.
std::vector<char> read_bytes(const std::string& path, std::int64_t limit);

/// The `count` bytes that a file holds or, gzipped, unpacks to; length and checksum are verified. The file itself may
/// have `limit` bytes. Throws Error(data) when it is truncated, corrupt, or of another length.
std::vector<char> unpack_bytes(const std::string& path, std::int64_t count, std::int64_t limit);

}  // namespace nowcell
