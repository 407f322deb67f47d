#include "data/formats/stored.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace nowcell {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

struct Half {
    std::uint16_t bits;
};

double number(Half half) {
    const int exponent = (half.bits >> 10) & 31;
    const double fraction = half.bits & 1023;
    double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
    if (exponent == 31) value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
    return half.bits >> 15 != 0 ? -value : value;
}

template <typename T>
double number(T value) {
    return static_cast<double>(value);
}

template <typename T>
T swap_bytes(T value) {
    std::array<unsigned char, sizeof(T)> bytes;
    std::memcpy(bytes.data(), &value, sizeof(T));
    std::reverse(bytes.begin(), bytes.end());
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
}

// The fills that a stored type can hold at all, as it holds them.
template <typename T>
std::vector<T> fills_as(const std::vector<double>& fills) {
    std::vector<T> out;
    for (const double fill : fills) {
        if constexpr (std::is_floating_point_v<T>) {
            out.push_back(static_cast<T>(fill));
        } else if constexpr (std::is_integral_v<T>) {
            const double limit = std::ldexp(1.0, std::numeric_limits<T>::digits);
            const double least = std::is_signed_v<T> ? -limit : 0.0;
            if (fill >= least && fill < limit && fill == std::floor(fill)) out.push_back(static_cast<T>(fill));
            // 2^64 - 1 and its kin are no doubles: the nearest one stands for the largest value.
            if (fill == limit) out.push_back(std::numeric_limits<T>::max());
        }
    }
    return out;
}

template <typename T>
struct Unpack {
    Unpack(const Packing& packing, bool swapped_)
        : scale(packing.scale),
          offset(packing.offset),
          least(packing.least),
          most(packing.most),
          fills(fills_as<T>(packing.fills)),
          swapped(swapped_) {
        if constexpr (std::is_same_v<T, Half>) half_fills = packing.fills;
    }

    float value(T stored) const {
        if (swapped) stored = swap_bytes(stored);
        if constexpr (std::is_same_v<T, Half>) {
            if (std::find(half_fills.begin(), half_fills.end(), number(stored)) != half_fills.end()) return kMissing;
        } else {
            for (const T fill : fills) {
                if (stored == fill) return kMissing;
            }
        }
        const double plain = number(stored);
        if (plain < least || plain > most) return kMissing;
        const auto out = static_cast<float>(plain * scale + offset);
        return std::isfinite(out) ? out : kMissing;
    }

    double scale;
    double offset;
    double least;
    double most;
    std::vector<T> fills;
    std::vector<double> half_fills;
    bool swapped;
};

// Up to 16 bits a table answers everything, fills included.
template <typename T>
std::vector<float> table_of(const Unpack<T>& unpack) {
    using Bits = std::conditional_t<sizeof(T) == 1, std::uint8_t, std::uint16_t>;
    std::vector<float> table(std::size_t{1} << (8 * sizeof(T)));
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = unpack.value(std::bit_cast<T>(static_cast<Bits>(i)));
    return table;
}

// The table of the last packing is kept: a source has one, and 65,536 values take longer than a small frame.
template <typename T>
const std::vector<float>& last_table(const Unpack<T>& unpack, const Packing& packing, bool swapped) {
    struct Kept {
        Packing packing;
        bool swapped = false;
        std::vector<float> table;
    };
    thread_local Kept kept;
    if (kept.table.empty() || kept.swapped != swapped || !(kept.packing == packing)) {
        kept = {packing, swapped, table_of(unpack)};
    }
    return kept.table;
}

template <typename T, typename Value>
std::int64_t decode_rows(const StoredFrames& stored, const Value& value_of, float* out) {
    const auto& [frames, channels, height, width] = stored.shape;
    std::int64_t missing = 0;
    for (std::int64_t t = 0; t < frames; ++t) {
        for (std::int64_t c = 0; c < channels; ++c) {
            for (std::int64_t y = 0; y < height; ++y, out += width) {
                const char* row = static_cast<const char*>(stored.data) + t * stored.strides[0] +
                                  c * stored.strides[1] + y * stored.strides[2];
                for (std::int64_t x = 0; x < width; ++x) {
                    T raw;
                    std::memcpy(&raw, row + x * stored.strides[3], sizeof(T));  // rows need not be aligned
                    const float value = value_of(raw);
                    missing += value != value ? 1 : 0;
                    out[x] = value;
                }
            }
        }
    }
    return missing;
}

template <typename T>
std::int64_t decode_as(const StoredFrames& stored, const Packing& packing, float* out) {
    const Unpack<T> unpack(packing, stored.swapped);
    if constexpr (sizeof(T) <= 2) {
        const std::int64_t count = stored.shape[0] * stored.shape[1] * stored.shape[2] * stored.shape[3];
        if (count >= std::int64_t{1} << (8 * sizeof(T))) {
            using Bits = std::conditional_t<sizeof(T) == 1, std::uint8_t, std::uint16_t>;
            const std::vector<float>& table = last_table(unpack, packing, stored.swapped);
            return decode_rows<T>(
                stored, [&table](T raw) { return table[std::bit_cast<Bits>(raw)]; }, out);
        }
    }
    return decode_rows<T>(
        stored, [&unpack](T raw) { return unpack.value(raw); }, out);
}

bool is_plain(const StoredFrames& stored, const Packing& packing) {
    const auto& shape = stored.shape;
    const std::array<std::int64_t, 4> dense = {4 * shape[1] * shape[2] * shape[3], 4 * shape[2] * shape[3],
                                               4 * shape[3], 4};
    for (std::size_t i = 0; i < 4; ++i) {
        if (shape[i] > 1 && stored.strides[i] != dense[i]) return false;
    }
    return stored.type == StoredType::f32 && !stored.swapped && packing.scale == 1.0 && packing.offset == 0.0 &&
           packing.fills.empty() && std::isinf(packing.least) && std::isinf(packing.most);
}

}  // namespace

std::size_t size_of(StoredType type) {
    switch (type) {
        case StoredType::u8:
        case StoredType::i8: return 1;
        case StoredType::u16:
        case StoredType::i16:
        case StoredType::f16: return 2;
        case StoredType::u32:
        case StoredType::i32:
        case StoredType::f32: return 4;
        default: return 8;
    }
}

std::string to_string(StoredType type) {
    switch (type) {
        case StoredType::u8: return "uint8";
        case StoredType::i8: return "int8";
        case StoredType::u16: return "uint16";
        case StoredType::i16: return "int16";
        case StoredType::u32: return "uint32";
        case StoredType::i32: return "int32";
        case StoredType::u64: return "uint64";
        case StoredType::i64: return "int64";
        case StoredType::f16: return "float16";
        case StoredType::f32: return "float32";
        case StoredType::f64: return "float64";
    }
    return "";
}

// At the width of the processor: this is all that stands between a file's bytes and plain float32 frames.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
__attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#endif
static std::int64_t
count_in_block(const std::uint32_t* bits, std::int64_t count) {
    std::uint32_t found = 0;  // counts a block of fewer than 2^32 values
    for (std::int64_t i = 0; i < count; ++i) found += (bits[i] & 0x7f800000U) == 0x7f800000U ? 1U : 0U;
    return found;
}

constexpr std::int64_t kBlock = 1 << 16;

std::int64_t count_non_finite(const float* values, std::int64_t count) {
    std::int64_t found = 0;
    for (std::int64_t first = 0; first < count; first += kBlock) {
        found +=
            count_in_block(reinterpret_cast<const std::uint32_t*>(values + first), std::min(kBlock, count - first));
    }
    return found;
}

std::int64_t blank_non_finite(float* values, std::int64_t count) {
    std::int64_t missing = 0;
    for (std::int64_t first = 0; first < count; first += kBlock) {
        const std::int64_t size = std::min(kBlock, count - first);
        float* block = values + first;
        const std::int64_t found = count_non_finite(block, size);
        missing += found;
        if (found == 0) continue;
        std::replace_if(
            block, block + size, [](float value) { return !std::isfinite(value); }, kMissing);
    }
    return missing;
}

std::int64_t decode(const StoredFrames& stored, const Packing& packing, float* out) {
    if (is_plain(stored, packing)) {
        const std::int64_t count = stored.shape[0] * stored.shape[1] * stored.shape[2] * stored.shape[3];
        if (stored.data != out) std::memcpy(out, stored.data, static_cast<std::size_t>(count) * sizeof(float));
        return blank_non_finite(out, count);
    }
    switch (stored.type) {
        case StoredType::u8: return decode_as<std::uint8_t>(stored, packing, out);
        case StoredType::i8: return decode_as<std::int8_t>(stored, packing, out);
        case StoredType::u16: return decode_as<std::uint16_t>(stored, packing, out);
        case StoredType::i16: return decode_as<std::int16_t>(stored, packing, out);
        case StoredType::u32: return decode_as<std::uint32_t>(stored, packing, out);
        case StoredType::i32: return decode_as<std::int32_t>(stored, packing, out);
        case StoredType::u64: return decode_as<std::uint64_t>(stored, packing, out);
        case StoredType::i64: return decode_as<std::int64_t>(stored, packing, out);
        case StoredType::f16: return decode_as<Half>(stored, packing, out);
        case StoredType::f32: return decode_as<float>(stored, packing, out);
        case StoredType::f64: return decode_as<double>(stored, packing, out);
    }
    return 0;
}

}  // namespace nowcell
