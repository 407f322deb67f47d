#include "data/commands/value_counts.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace nowcell {
namespace {

constexpr std::size_t kSlots = 1 << 18;
constexpr std::size_t kMostValues = kSlots / 2;
constexpr unsigned kCoarseShift = 12;  // 20 bits stay

// Keys are in the order of the values; both zeros are one.
std::uint32_t key_of(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value == 0.0F ? 0.0F : value);
    return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}

float value_of(std::uint32_t key) { return std::bit_cast<float>((key >> 31) != 0 ? key & 0x7fffffffU : ~key); }

std::size_t slot_of(std::uint32_t key) { return static_cast<std::size_t>((key * 0x9e3779b9U) >> 14); }

}  // namespace

ValueCounts::ValueCounts() : slots_(kSlots, {0, 0}) {}

void ValueCounts::put(std::uint32_t key, std::uint64_t count) {
    if (slots_.empty()) {
        bins_[key >> kCoarseShift] += count;
        return;
    }
    std::size_t at = slot_of(key);
    while (slots_[at].count != 0 && slots_[at].key != key) at = (at + 1) % kSlots;
    if (slots_[at].count == 0) ++used_;
    slots_[at].key = key;
    slots_[at].count += count;
    if (used_ > kMostValues) coarsen();
}

void ValueCounts::coarsen() {
    std::vector<Slot> exact;
    exact.swap(slots_);
    bins_.assign(std::size_t{1} << (32 - kCoarseShift), 0);
    for (const Slot& slot : exact) {
        if (slot.count != 0) put(slot.key, slot.count);
    }
}

void ValueCounts::add(const float* values, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        if (std::isfinite(values[i])) put(key_of(values[i]), 1);
    }
}

std::vector<ValueCounts::Entry> ValueCounts::sorted() const {
    std::vector<Entry> out;
    for (const Slot& slot : slots_) {
        if (slot.count != 0) out.push_back({value_of(slot.key), value_of(slot.key), static_cast<double>(slot.count)});
    }
    std::sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) { return a.low < b.low; });
    for (std::size_t i = 0; i < bins_.size(); ++i) {
        if (bins_[i] == 0) continue;
        const auto first = static_cast<std::uint32_t>(i << kCoarseShift);
        const float last = value_of(first | ((1U << kCoarseShift) - 1));
        out.push_back({value_of(first), std::isfinite(last) ? last : std::numeric_limits<float>::max(),
                       static_cast<double>(bins_[i])});
    }
    return out;
}

double percentile(const std::vector<ValueCounts::Entry>& sorted, double q) {
    double total = 0.0;
    for (const auto& entry : sorted) total += entry.count;
    double left = std::floor(q * (total - 1.0));
    for (const auto& entry : sorted) {
        if (left < entry.count) {
            const double part = (left + 0.5) / entry.count;
            const auto low = static_cast<double>(entry.low);
            return low + (static_cast<double>(entry.high) - low) * part;
        }
        left -= entry.count;
    }
    return std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> histogram(const std::vector<ValueCounts::Entry>& sorted, int bins) {
    std::vector<double> out(static_cast<std::size_t>(bins), 0.0);
    if (sorted.empty()) return out;
    const auto low = static_cast<double>(sorted.front().low);
    const double range = static_cast<double>(sorted.back().high) - low;
    for (const auto& entry : sorted) {
        const double middle = 0.5 * (static_cast<double>(entry.low) + static_cast<double>(entry.high));
        const double at = range > 0.0 ? (middle - low) / range * bins : 0.0;
        out[static_cast<std::size_t>(std::clamp(at, 0.0, bins - 1.0))] += entry.count;
    }
    return out;
}

}  // namespace nowcell
