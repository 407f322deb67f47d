// Columns of the forward products: groups of up to a vector of channels, each with its gates i, f, g, o side by side.
#pragma once

#include <cstddef>

namespace nowcell::cpu {

// Static: a function that is not of V must not be shared with code for other processors.
static constexpr int round_up(int n, int to) { return (n + to - 1) / to * to; }

/// Floats from one point or row block to the next: an odd number of cache lines, so that strided accesses do not all
/// fall into one cache set.
static constexpr std::ptrdiff_t odd_lines(std::ptrdiff_t floats) { return ((floats + 15) / 16 | 1) * 16; }

template <class V>
struct Groups {
    int filters;

    int count() const { return (filters + V::kWidth - 1) / V::kWidth; }
    int channels(int group) const {
        return (group + 1) * V::kWidth <= filters ? V::kWidth : filters - group * V::kWidth;
    }
    /// Columns of one gate: narrower in the last group, so that the four of them are whole vectors.
    int gate_width(int group) const { return round_up(channels(group), V::kWidth / 4); }
    int columns(int group) const { return 4 * gate_width(group); }
    int first_column(int group) const { return 4 * V::kWidth * group; }
    int all_columns() const { return first_column(count() - 1) + columns(count() - 1); }
};

}  // namespace nowcell::cpu
