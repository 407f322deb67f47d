#include "data/synthetic/numpy_random.h"

#include <bit>

namespace nowcell {

std::int64_t NumpyRandom::randint(std::int64_t low, std::int64_t high) {
    const auto most = static_cast<std::uint32_t>(high - low - 1);
    if (most == 0) return low;
    const std::uint32_t mask = ~std::uint32_t{0} >> std::countl_zero(most);
    std::uint32_t drawn = 0;
    do {
        drawn = bits() & mask;
    } while (drawn > most);
    return low + drawn;
}

double NumpyRandom::random_sample() {
    const std::uint32_t high = bits() >> 5;
    const std::uint32_t low = bits() >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
}

}  // namespace nowcell
