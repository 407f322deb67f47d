// Random numbers as a pure function of (seed, stream, counter): no state to share, the same on every machine.
#pragma once

#include <cstdint>

namespace nowcell {

/// SplitMix64 with a counter. Two streams of one seed, or one stream of two seeds, share nothing.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
class CounterRandom {
 public:
    CounterRandom(std::uint64_t seed, std::uint64_t stream) : key_(mix(mix(seed + kStep) + stream * kStep)) {}

    /// The next 64 bits.
    std::uint64_t bits() { return mix(key_ + ++counter_ * kStep); }

    /// A whole number in low..high, both included; the range holds fewer than 2^31 values.
    std::int64_t between(std::int64_t low, std::int64_t high) {
        const auto count = static_cast<std::uint64_t>(high - low + 1);
        return low + static_cast<std::int64_t>(((bits() >> 32) * count) >> 32);
    }

    /// The finaliser: every bit of the result depends on every bit of z.
    static std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

 private:
    static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15u;

    std::uint64_t key_;
    std::uint64_t counter_ = 0;
};

}  // namespace nowcell
