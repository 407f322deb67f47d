// Moves weights between torch's (n,c,k,k) and vectors of lanes, and frames between their two layouts.
#pragma once

#include "cells/cpu/groups.h"
#include "cells/cpu/kernels.h"

#include <stdint.h>

namespace nowcell::cpu {

/// taps[t] = the t-th float behind each of `lanes` addresses that are `stride` apart.
template <class V>
inline void gather_taps(const float* from, std::ptrdiff_t stride, int lanes, int tap_count, typename V::Value* taps) {
    for (int t = 0; t < tap_count; t += V::kWidth) {
        const int count = tap_count - t < V::kWidth ? tap_count - t : V::kWidth;
        typename V::Value rows[V::kWidth];
        for (int l = 0; l < V::kWidth; ++l) {
            rows[l] = l < lanes ? V::load(from + l * stride + t, V::first(count)) : V::zero();
        }
        V::transpose(rows);
        for (int i = 0; i < count; ++i) taps[t + i] = rows[i];
    }
}

/// The inverse: lanes beyond `lanes` are not written.
template <class V>
inline void scatter_taps(const typename V::Value* taps, int tap_count, float* to, std::ptrdiff_t stride, int lanes) {
    for (int t = 0; t < tap_count; t += V::kWidth) {
        const int count = tap_count - t < V::kWidth ? tap_count - t : V::kWidth;
        typename V::Value rows[V::kWidth];
        for (int i = 0; i < V::kWidth; ++i) rows[i] = i < count ? taps[t + i] : V::zero();
        V::transpose(rows);
        for (int l = 0; l < lanes; ++l) V::store(to + l * stride + t, V::first(count), rows[l]);
    }
}

/// The filter from channel k (0 to K, hidden state first) to row n of the 4F, and how far that to the next row is.
template <class Float>
struct Filter {
    Float* at;
    std::ptrdiff_t next_row;
};
template <class V, class Float>
Filter<Float> filter_of(const Layer& layer, Float* hidden, Float* input, int n, int k) {
    const std::ptrdiff_t taps = layer.kernel * layer.kernel;
    const bool of_hidden = k < layer.filters;
    const std::ptrdiff_t channels = of_hidden ? layer.filters : layer.channels;
    const std::ptrdiff_t row = n * channels + (of_hidden ? k : k - layer.filters);
    return {(of_hidden ? hidden : input) + row * taps, channels * taps};
}

/// Calls use(group, gate, n, lanes) for each gate of each group; n: its first row among the 4F.
template <class V, class Use>
void each_gate(const Layer& layer, const Use& use) {
    const Groups<V> groups{layer.filters};
    for (int group = 0; group < groups.count(); ++group) {
        for (int gate = 0; gate < 4; ++gate) {
            use(group, gate, gate * layer.filters + group * V::kWidth, groups.channels(group));
        }
    }
}

/// Calls use(k, lanes) for vectors of the K channels that do not hold both hidden state and x.
template <class V, class Use>
void each_depth(const Layer& layer, const Use& use) {
    for (int k = 0; k < layer.depth();) {
        const int end = k < layer.filters ? layer.filters : layer.depth();
        const int lanes = end - k < V::kWidth ? end - k : V::kWidth;
        use(k, lanes);
        k += lanes;
    }
}

/// Columns of the backward products in panels of four vectors: panel by panel [rows][up to 4 vectors].
template <class V>
struct Panels {
    int rows, columns;  // columns: a multiple of the vector's width

    static constexpr int kPanel = 4 * V::kWidth;
    int width(int first) const { return columns - first < kPanel ? columns - first : kPanel; }
    std::ptrdiff_t at(int first) const { return static_cast<std::ptrdiff_t>(first) * rows; }

    /// Lanes may straddle two panels.
    void store(float* packed, int row, int column, int lanes, typename V::Value x) const {
        const int first = column / kPanel * kPanel;
        if (column + lanes <= first + width(first)) {
            V::store(packed + at(first) + static_cast<std::ptrdiff_t>(row) * width(first) + (column - first),
                     V::first(lanes), x);
            return;
        }
        float lane[V::kWidth];
        V::store(lane, x);
        for (int l = 0; l < lanes; ++l) {
            const int c = column + l;
            const int p = c / kPanel * kPanel;
            packed[at(p) + static_cast<std::ptrdiff_t>(row) * width(p) + (c - p)] = lane[l];
        }
    }
};

template <class V>
void pack_bias(const Layer& layer, const float* bias, float* to) {
    const Groups<V> groups{layer.filters};
    each_gate<V>(layer, [&](int group, int gate, int n, int lanes) {
        float* p = to + groups.first_column(group) + gate * groups.gate_width(group);
        for (int l = 0; l < groups.gate_width(group); ++l) p[l] = bias && l < lanes ? bias[n + l] : 0.0F;
    });
}

// Channels outside: a run of pixels fills whole cache lines of few planes.
template <class V>
void to_last(const float* planes, std::ptrdiff_t plane, int channels, float* last, Range pixels) {
    for (int c = 0; c < channels; c += V::kWidth) {
        const int some = channels - c < V::kWidth ? channels - c : V::kWidth;
        for (int p = pixels.begin; p < pixels.end; p += V::kWidth) {
            const int count = pixels.end - p < V::kWidth ? pixels.end - p : V::kWidth;
            typename V::Value x[V::kWidth];
            for (int i = 0; i < V::kWidth; ++i) {
                x[i] = i < some ? V::load(planes + (c + i) * plane + p, V::first(count)) : V::zero();
            }
            V::transpose(x);
            float* const to = last + static_cast<std::ptrdiff_t>(p) * channels + c;
            for (int i = 0; i < count; ++i)
                V::store(to + static_cast<std::ptrdiff_t>(i) * channels, V::first(some), x[i]);
        }
    }
}

template <class V>
void to_first(const float* last, int channels, float* planes, std::ptrdiff_t plane, Range pixels) {
    for (int c = 0; c < channels; c += V::kWidth) {
        const int some = channels - c < V::kWidth ? channels - c : V::kWidth;
        for (int p = pixels.begin; p < pixels.end; p += V::kWidth) {
            const int count = pixels.end - p < V::kWidth ? pixels.end - p : V::kWidth;
            const float* const from = last + static_cast<std::ptrdiff_t>(p) * channels + c;
            typename V::Value x[V::kWidth];
            for (int i = 0; i < V::kWidth; ++i) {
                x[i] =
                    i < count ? V::load(from + static_cast<std::ptrdiff_t>(i) * channels, V::first(some)) : V::zero();
            }
            V::transpose(x);
            float* const to = planes + c * plane + p;
            const bool whole =
                count == V::kWidth && plane % V::kWidth == 0 && reinterpret_cast<uintptr_t>(to) % sizeof(x[0]) == 0;
            for (int i = 0; i < some; ++i) {
                if (whole) {
                    V::stream(to + i * plane, x[i]);
                } else {
                    V::store(to + i * plane, V::first(count), x[i]);
                }
            }
        }
    }
    V::fence();
}

}  // namespace nowcell::cpu
