// How the benches time.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace nowcell {

/// Wall-clock seconds that a call of `work` takes.
template <class Work>
double seconds_of(const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Of an even number the upper one of the two in the middle. values: at least one.
inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace nowcell
