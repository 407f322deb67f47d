// NumPy's legacy random numbers, so that scripts of others can be replayed.
#pragma once

#include <cstdint>
#include <random>

namespace nowcell {

/// The stream of numpy.random.RandomState(seed), bit for bit.
/// Source: NumPy 1.17 and later, numpy/random/mtrand.pyx and _bounded_integers.pyx; the stream is frozen (NEP 19).
class NumpyRandom {
 public:
    explicit NumpyRandom(std::uint32_t seed) : engine_(seed) {}

    /// randint(low, high): a whole number in low..high-1; the range holds 1 to 2^32 values. A range of one draws
    /// nothing; others mask 32 bits to the next power of two and draw again while too large.
    std::int64_t randint(std::int64_t low, std::int64_t high);

    /// random_sample(): a real number in [0,1) of 53 bits.
    double random_sample();

 private:
    std::uint32_t bits() { return static_cast<std::uint32_t>(engine_()); }

    std::mt19937 engine_;
};

}  // namespace nowcell
