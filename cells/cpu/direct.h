// A step as a direct convolution. Channels last, the pixels of a filter's row are one run of floats, so that a
// convolution is `kernel` sums of products over frames with a border of zeros.
#pragma once

#include "cells/cpu/gates.h"
#include "cells/cpu/micro.h"
#include "cells/cpu/pack.h"

namespace nowcell::cpu {

template <class V>
struct Direct {
    using Value = typename V::Value;
    static constexpr int kPanel = 4 * V::kWidth;
    static constexpr int kMaxTaps = 49;

    static int taps(const Layer& layer) { return layer.kernel * layer.kernel; }
    static int gate_columns(const Layer& layer) { return round_up(4 * layer.filters, V::kWidth); }
    static Panels<V> data_panels(const Layer& layer) {
        return {taps(layer) * 4 * layer.filters, round_up(layer.depth(), V::kWidth)};
    }
    static std::size_t forward_weights(const Layer& layer) {
        return static_cast<std::size_t>(taps(layer)) * layer.depth() * Groups<V>{layer.filters}.all_columns();
    }
    static std::size_t backward_weights(const Layer& layer) {
        const Panels<V> panels = data_panels(layer);
        return static_cast<std::size_t>(panels.at(panels.columns));
    }
    static std::size_t gradient_sums(const Layer& layer) {
        return static_cast<std::size_t>(taps(layer)) * layer.depth() * gate_columns(layer);
    }
    static ScratchSize scratch(const Layer& layer) {
        ScratchSize s;
        s.forward = s.backward = static_cast<std::size_t>(layer.width) * kPanel + V::kWidth;
        s.weight_sums = gradient_sums(layer);
        return s;
    }

    // Group by group, hidden state and then x: [ky][kx][channel][columns].
    static void pack_forward(const Layer& layer, const Weights& weights, float* packed) {
        const Groups<V> groups{layer.filters};
        each_gate<V>(layer, [&](int group, int gate, int n, int lanes) {
            const int columns = groups.columns(group);
            const int width = groups.gate_width(group);
            float* const to =
                packed + static_cast<std::ptrdiff_t>(taps(layer)) * layer.depth() * groups.first_column(group);
            for (int k = 0; k < layer.depth(); ++k) {
                const auto filter = filter_of<V>(layer, weights.hidden, weights.input, n, k);
                Value tap[kMaxTaps + V::kWidth];
                gather_taps<V>(filter.at, filter.next_row, lanes, taps(layer), tap);
                for (int t = 0; t < taps(layer); ++t) {
                    const std::ptrdiff_t row =
                        k < layer.filters ? t * layer.filters + k
                                          : taps(layer) * layer.filters + t * layer.channels + (k - layer.filters);
                    V::store(to + row * columns + gate * width, V::first(width), tap[t]);
                }
            }
        });
    }

    // [panel][ky][kx][4F][columns], the filters turned around.
    static void pack_backward(const Layer& layer, const Weights& weights, float* packed) {
        const Panels<V> panels = data_panels(layer);
        const int gates = 4 * layer.filters;
        each_depth<V>(layer, [&](int k, int lanes) {
            for (int n = 0; n < gates; ++n) {
                Value tap[kMaxTaps + V::kWidth];
                gather_taps<V>(filter_of<V>(layer, weights.hidden, weights.input, n, k).at, taps(layer), lanes,
                               taps(layer), tap);
                for (int t = 0; t < taps(layer); ++t) {
                    panels.store(packed, (taps(layer) - 1 - t) * gates + n, k, lanes, tap[t]);
                }
            }
        });
        const int empty = panels.columns - layer.depth();
        for (int row = 0; row < panels.rows && empty > 0; ++row) {
            panels.store(packed, row, layer.depth(), empty, V::zero());
        }
    }

    // The terms of a convolution of a frame, at any pixel.
    static Terms around(const Layer& layer, const ConstFrame& frame, int columns) {
        Terms terms;
        terms.outer = layer.kernel;
        terms.inner = layer.kernel * frame.depth;
        terms.a_outer = frame.row;
        terms.b_inner = columns;
        terms.b_outer = static_cast<std::ptrdiff_t>(terms.inner) * columns;
        return terms;
    }

    static void forward(const Layer& layer, const ForwardStep& step, Range rows, Scratch& scratch) {
        const Groups<V> groups{layer.filters};
        const int pad = layer.kernel / 2;
        for (int group = 0; group < groups.count(); ++group) {
            const int columns = groups.columns(group);
            const float* const of_hidden = layer.forward_weights + static_cast<std::ptrdiff_t>(taps(layer)) *
                                                                       layer.depth() * groups.first_column(group);
            const float* const of_x = of_hidden + static_cast<std::ptrdiff_t>(taps(layer)) * layer.filters * columns;
            for (int row = rows.begin; row < rows.end; ++row) {
                const int b = row / layer.height;
                const int y = row % layer.height;
                product<V, false>(layer.width, columns, around(layer, step.x, columns), step.x.at(b, y - pad, -pad),
                                  layer.channels, of_x, scratch.memory, columns);
                if (step.h_old) {
                    product<V, true>(layer.width, columns, around(layer, step.h_old, columns),
                                     step.h_old.at(b, y - pad, -pad), layer.filters, of_hidden, scratch.memory,
                                     columns);
                }
                if (layer.standard) {
                    gates<StandardFunctions<V>>(layer, step, group, b, y, scratch.memory);
                } else {
                    gates<AnyFunctions<V>>(layer, step, group, b, y, scratch.memory);
                }
            }
        }
        V::fence();
    }

    template <class Functions>
    static void gates(const Layer& layer, const ForwardStep& step, int group, int b, int y, const float* sums) {
        const Groups<V> groups{layer.filters};
        const int width = groups.gate_width(group);
        const float* const bias = layer.bias + groups.first_column(group);
        const GateRow<V, Functions> row(layer, step, group, b, y, 0);
        for (int x = 0; x < layer.width; ++x) {
            const float* p = sums + static_cast<std::ptrdiff_t>(x) * 4 * width;
            row.unit(x, {V::load(p) + V::load(bias), V::load(p + width) + V::load(bias + width),
                         V::load(p + 2 * width) + V::load(bias + 2 * width),
                         V::load(p + 3 * width) + V::load(bias + 3 * width)});
        }
    }

    static void backward(const Layer& layer, const BackwardStep& step, Range rows, Scratch& scratch) {
        const int pad = layer.kernel / 2;
        const Panels<V> panels = data_panels(layer);
        const int wanted = step.d_x ? layer.depth() : layer.filters;
        for (int panel = 0; panel < wanted; panel += kPanel) {
            const int width = panels.width(panel);
            for (int row = rows.begin; row < rows.end; ++row) {
                const int b = row / layer.height;
                const int y = row % layer.height;
                product<V, false>(layer.width, width, around(layer, step.d_gates, width),
                                  step.d_gates.at(b, y - pad, -pad), 4 * layer.filters,
                                  layer.backward_weights + panels.at(panel), scratch.memory, width);
                add_row(step.d_h.at(b, y, 0), layer.filters, -panel, width, layer.width, scratch.memory);
                if (step.d_x) {
                    add_row(step.d_x.at(b, y, 0), layer.channels, layer.filters - panel, width, layer.width,
                            scratch.memory);
                }
            }
        }
        if (step.weights) weight_gradients(layer, step, rows, scratch.gradients);
    }

    // Adds columns [first, first + depth) of [pixel][width], as far as there are such, to a row of a frame.
    static void add_row(float* to, int depth, int first, int width, int pixels, const float* sums) {
        const int begin = first < 0 ? 0 : first;
        const int end = first + depth < width ? first + depth : width;
        for (int k = begin; k < end; k += V::kWidth) {
            const auto mask = V::first(end - k < V::kWidth ? end - k : V::kWidth);
            for (int x = 0; x < pixels; ++x) {
                float* const p = to + static_cast<std::ptrdiff_t>(x) * depth + (k - first);
                V::store(p, mask, V::load(p, mask) + V::load(sums + static_cast<std::ptrdiff_t>(x) * width + k, mask));
            }
        }
    }

    // Sums [tap][k][4F].
    static void weight_gradients(const Layer& layer, const BackwardStep& step, Range rows, float* sums) {
        const int block = layer.width < 128 ? 128 / layer.width : 1;  // rows whose gate gradients stay in the cache
        for (int row = rows.begin; row < rows.end;) {
            const int y = row % layer.height;
            int count = layer.height - y < block ? layer.height - y : block;
            if (count > rows.end - row) count = rows.end - row;
            if (step.h_old) add_taps(layer, step, step.h_old, row / layer.height, y, count, 0, sums);
            add_taps(layer, step, step.x, row / layer.height, y, count, layer.filters, sums);
            row += count;
        }
    }
    static void add_taps(const Layer& layer, const BackwardStep& step, const ConstFrame& frame, int b, int y, int count,
                         int first, float* sums) {
        const int all = gate_columns(layer);
        const int pad = layer.kernel / 2;
        Terms terms;
        terms.outer = count;
        terms.inner = layer.width;
        terms.a_inner = frame.depth;
        terms.a_outer = frame.row;
        terms.b_inner = 4 * layer.filters;
        terms.b_outer = step.d_gates.row;
        for (int t = 0; t < taps(layer); ++t) {
            product<V, true>(frame.depth, all, terms, frame.at(b, y + t / layer.kernel - pad, t % layer.kernel - pad),
                             1, step.d_gates.at(b, y, 0),
                             sums + (static_cast<std::ptrdiff_t>(t) * layer.depth() + first) * all, all);
        }
    }

    static void flush(const Layer&, Scratch&) {}

    static void gate_gradients_of(const Layer& layer, const BackwardStep& step, Range pixels, Scratch& scratch) {
        gate_gradients<V>(layer, step, pixels, scratch.gradients + gradient_sums(layer));
    }

    static void finish(const Layer& layer, const Scratch* workers, int count, const WeightGradients& to, Range depths) {
        const int all = gate_columns(layer);
        for (int k = depths.begin; k < depths.end; ++k) {
            for (int n = 0; n < 4 * layer.filters; n += V::kWidth) {
                Value tap[kMaxTaps + V::kWidth];
                for (int t = 0; t < taps(layer); ++t) {
                    const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(t) * layer.depth() + k) * all + n;
                    tap[t] = V::load(workers[0].gradients + at);
                    for (int w = 1; w < count; ++w) tap[t] = tap[t] + V::load(workers[w].gradients + at);
                }
                const int left = 4 * layer.filters - n;
                const auto filter = filter_of<V>(layer, to.hidden, to.input, n, k);
                scatter_taps<V>(tap, taps(layer), filter.at, filter.next_row, left < V::kWidth ? left : V::kWidth);
            }
        }
    }

    static constexpr Kernels table(const char* isa, int kernel) {
        Kernels kernels;
        kernels.isa = isa;
        kernels.vector_width = V::kWidth;
        kernels.border = kernel / 2;
        kernels.forward_weights = forward_weights;
        kernels.backward_weights = backward_weights;
        kernels.scratch = scratch;
        kernels.pack_bias = pack_bias<V>;
        kernels.pack_forward = pack_forward;
        kernels.pack_backward = pack_backward;
        kernels.forward = forward;
        kernels.gate_gradients = gate_gradients_of;
        kernels.backward = backward;
        kernels.flush = flush;
        kernels.finish = finish;
        kernels.to_last = to_last<V>;
        kernels.to_first = to_first<V>;
        return kernels;
    }
};

}  // namespace nowcell::cpu
