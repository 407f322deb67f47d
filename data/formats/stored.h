// Stored numbers to physical values, whatever format they come from.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace nowcell {

/// How a number lies in a file.
enum class StoredType { u8, i8, u16, i16, u32, i32, u64, i64, f16, f32, f64 };

std::size_t size_of(StoredType type);
std::string to_string(StoredType type);  ///< "uint16", "float32", ...

/// How numbers are packed: value = stored * scale + offset, unless stored is one of the fills or outside the range.
struct Packing {
    double scale = 1.0;
    double offset = 0.0;
    std::vector<double> fills = {};
    double least = -std::numeric_limits<double>::infinity();  ///< of stored numbers that are valid
    double most = std::numeric_limits<double>::infinity();

    bool operator==(const Packing&) const = default;
};

/// A block of stored numbers seen as frames.
struct StoredFrames {
    const void* data = nullptr;
    StoredType type = StoredType::u8;
    bool swapped = false;                      ///< the bytes of each number are in the other order than this machine's
    std::array<std::int64_t, 4> shape = {};    ///< T, C, H, W
    std::array<std::int64_t, 4> strides = {};  ///< bytes from one to the next along T, C, H, W; may be negative
};

/// Writes (T,C,H,W) float32, NaN for what is missing or not finite; returns how many are. Computes in double.
/// `out` may be stored.data itself for float32 in the order of `out`.
std::int64_t decode(const StoredFrames& stored, const Packing& packing, float* out);

/// Values that are NaN or Inf.
std::int64_t count_non_finite(const float* values, std::int64_t count);

/// Makes values that are not finite NaN and counts them, in place.
std::int64_t blank_non_finite(float* values, std::int64_t count);

}  // namespace nowcell
