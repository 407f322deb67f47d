#include "data/write/stored_again.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace nowcell {
namespace {

torch::ScalarType type_of(const std::string& stored) {
    static const std::map<std::string, torch::ScalarType> known = {
        {"uint8", torch::kUInt8},   {"int8", torch::kInt8},   {"uint16", torch::kUInt16}, {"int16", torch::kInt16},
        {"uint32", torch::kUInt32}, {"int32", torch::kInt32}, {"uint64", torch::kUInt64}, {"int64", torch::kInt64}};
    const auto found = known.find(stored);
    return found == known.end() ? torch::kFloat32 : found->second;
}

// Integers that a double holds without a gap.
template <typename T>
constexpr double least() {
    return std::max(static_cast<double>(std::numeric_limits<T>::min()), -0x1p53);
}

template <typename T>
constexpr double most() {
    return std::min(static_cast<double>(std::numeric_limits<T>::max()), 0x1p53);
}

template <typename T>
struct Inverse {
    double scale, offset;
    std::optional<double> fill;

    float value(double stored) const { return static_cast<float>(stored * scale + offset); }

    // False when the value is not that of one stored number alone.
    bool invert(float value_, T& out) const {
        if (!std::isfinite(value_)) {
            if (!fill) return false;
            out = static_cast<T>(*fill);
            return true;
        }
        const double stored = std::nearbyint((static_cast<double>(value_) - offset) / scale);
        if (!(stored >= least<T>() && stored <= most<T>()) || value(stored) != value_) return false;
        if (value(stored - 1.0) == value_ || value(stored + 1.0) == value_ || (fill && stored == *fill)) return false;
        out = static_cast<T>(stored);
        return true;
    }
};

template <typename T>
bool invert_all(const torch::Tensor& frames, const Inverse<T>& inverse, torch::Tensor& out) {
    const float* from = frames.const_data_ptr<float>();
    auto* to = static_cast<T*>(out.data_ptr());
    for (std::int64_t i = 0; i < frames.numel(); ++i) {
        if (!inverse.invert(from[i], to[i])) return false;
    }
    return true;
}

template <typename T>
bool holds_fill(const std::optional<double>& fill) {
    return !fill || (*fill >= least<T>() && *fill <= most<T>() && *fill == std::floor(*fill));
}

// Calls `use` with a value of the C++ type that stands for `type`.
template <typename Use>
bool with_type(torch::ScalarType type, const Use& use) {
    switch (type) {
        case torch::kUInt8: return use(std::uint8_t{});
        case torch::kInt8: return use(std::int8_t{});
        case torch::kUInt16: return use(std::uint16_t{});
        case torch::kInt16: return use(std::int16_t{});
        case torch::kUInt32: return use(std::uint32_t{});
        case torch::kInt32: return use(std::int32_t{});
        case torch::kUInt64: return use(std::uint64_t{});
        default: return use(std::int64_t{});
    }
}

}  // namespace

StoredAgain::StoredAgain(const SourceInfo& info)
    : type_(type_of(info.stored_type)), scale_(info.scale), offset_(info.offset) {
    if (type_ == torch::kFloat32) return;
    // A fill that the type cannot hold is never met.
    const std::optional<double> fill = info.has_fill ? std::optional(info.fill) : std::nullopt;
    if (with_type(type_, [&](auto zero) { return holds_fill<decltype(zero)>(fill); })) fill_ = fill;
}

std::optional<torch::Tensor> StoredAgain::of(const torch::Tensor& frames) const {
    if (!exact()) return frames;
    const torch::Tensor values = frames.contiguous();
    torch::Tensor out = torch::empty(values.sizes(), type_);
    const bool good = with_type(type_, [&](auto zero) {
        using T = decltype(zero);
        return invert_all<T>(values, Inverse<T>{scale_, offset_, fill_}, out);
    });
    return good ? std::optional(out) : std::nullopt;
}

}  // namespace nowcell
