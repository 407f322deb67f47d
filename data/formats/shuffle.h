// HDF5's byte shuffle and checksum.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nowcell {

/// Puts the bytes of numbers of `width` bytes together again; `in` has all first bytes, then all second ones, ...
/// Bytes beyond the last whole number stay where they are.
void unshuffle(const char* in, std::size_t bytes, std::size_t width, char* out);

/// Fletcher's checksum over 16-bit words, high byte first, as HDF5 computes it.
std::uint32_t fletcher32(const char* data, std::size_t bytes);

}  // namespace nowcell
