#include "data/decode.h"

#include "src/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace nowcell {
namespace {

// The fills that a stored type can hold at all, as it holds them.
template <typename T>
std::vector<T> fills_as(const std::vector<double>& fills) {
    std::vector<T> out;
    for (const double fill : fills) {
        if constexpr (std::is_floating_point_v<T>) {
            out.push_back(static_cast<T>(fill));
        } else {
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
Decoded decode_as(const torch::Tensor& stored, const Packing& packing) {
    Decoded out{torch::empty(stored.sizes(), torch::kFloat32)};
    const std::vector<T> fills = fills_as<T>(packing.fills);
    const T* from = stored.const_data_ptr<T>();
    float* into = out.values.data_ptr<float>();
    for (std::int64_t i = 0; i < stored.numel(); ++i) {
        const auto value = static_cast<float>(static_cast<double>(from[i]) * packing.scale + packing.offset);
        const bool filled = std::find(fills.begin(), fills.end(), from[i]) != fills.end();
        const bool missing = filled || !std::isfinite(value);
        into[i] = missing ? packing.missing_as : value;
        if (missing && out.missing++ == 0) out.first_missing = i;
    }
    return out;
}

}  // namespace

Decoded decode(const torch::Tensor& stored, const Packing& packing) {
    switch (stored.scalar_type()) {
        case torch::kUInt8: return decode_as<std::uint8_t>(stored, packing);
        case torch::kInt8: return decode_as<std::int8_t>(stored, packing);
        case torch::kUInt16: return decode_as<std::uint16_t>(stored, packing);
        case torch::kInt16: return decode_as<std::int16_t>(stored, packing);
        case torch::kUInt32: return decode_as<std::uint32_t>(stored, packing);
        case torch::kInt32: return decode_as<std::int32_t>(stored, packing);
        case torch::kUInt64: return decode_as<std::uint64_t>(stored, packing);
        case torch::kInt64: return decode_as<std::int64_t>(stored, packing);
        case torch::kFloat32: return decode_as<float>(stored, packing);
        case torch::kFloat64: return decode_as<double>(stored, packing);
        default: throw Error(ExitCode::internal, "decode: unfit type");
    }
}

}  // namespace nowcell
