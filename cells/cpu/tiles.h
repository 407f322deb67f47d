// A step in Winograd's domain: tiles of N x N pixels become N^2 points, each with a product of its own.
#pragma once

#include "cells/cpu/gates.h"
#include "cells/cpu/micro.h"
#include "cells/cpu/pack.h"
#include "cells/cpu/winograd.h"

#include <string.h>

namespace nowcell::cpu {

/// `V`: vectors; `W`: Winograd<taps, points>.
template <class V, class W>
struct Tiles {
    using Value = typename V::Value;
    using Mask = typename V::Mask;
    static constexpr int kN = W::kPoints;
    static constexpr int kN2 = kN * kN;
    static constexpr int kM = W::kOutputs;
    static constexpr int kTaps2 = W::kTaps * W::kTaps;
    static constexpr int kPad = W::kTaps / 2;
    static constexpr int kPanel = 4 * V::kWidth;

    // Sizes.
    static int tile_rows(const Layer& layer) { return (layer.height + kM - 1) / kM; }
    static int tile_columns(const Layer& layer) { return (layer.width + kM - 1) / kM; }
    static int gate_columns(const Layer& layer) { return round_up(4 * layer.filters, V::kWidth); }
    static Panels<V> data_panels(const Layer& layer) { return {4 * layer.filters, round_up(layer.depth(), V::kWidth)}; }
    static std::ptrdiff_t inputs_point(const Layer& layer) {
        return odd_lines(static_cast<std::ptrdiff_t>(layer.block) * layer.depth());
    }
    // In the backward pass sums run over rows, which must not share cache sets either.
    static std::ptrdiff_t inputs_row(const Layer& layer) { return odd_lines(layer.depth()); }
    static std::ptrdiff_t gates_row(const Layer& layer) { return odd_lines(gate_columns(layer)); }
    static std::ptrdiff_t gradient_inputs_point(const Layer& layer) {
        return odd_lines(layer.gradient_block * inputs_row(layer));
    }
    static std::ptrdiff_t gates_point(const Layer& layer) { return odd_lines(layer.gradient_block * gates_row(layer)); }
    static std::ptrdiff_t panel_point(int rows) { return odd_lines(static_cast<std::ptrdiff_t>(rows) * kPanel); }

    static std::size_t forward_weights(const Layer& layer) {
        return static_cast<std::size_t>(kN2) * layer.depth() * Groups<V>{layer.filters}.all_columns();
    }
    static std::size_t backward_weights(const Layer& layer) {
        const Panels<V> panels = data_panels(layer);
        return static_cast<std::size_t>(kN2 * panels.at(panels.columns));
    }
    static std::size_t gradient_sums(const Layer& layer) {
        return static_cast<std::size_t>(kN2) * layer.depth() * gate_columns(layer);
    }
    static ScratchSize scratch(const Layer& layer) {
        const auto size = [](std::ptrdiff_t point) { return static_cast<std::size_t>(kN2 * point + V::kWidth); };
        ScratchSize s;
        s.forward = size(inputs_point(layer)) + size(panel_point(layer.block));
        s.backward =
            size(gradient_inputs_point(layer)) + size(gates_point(layer)) + size(panel_point(layer.gradient_block));
        s.weight_sums = gradient_sums(layer);
        return s;
    }

    // Weights.
    static void transform_weight(const Value* w, Value* u) {
        Value t[kN][W::kTaps];
        for (int i = 0; i < kN; ++i) {
            for (int x = 0; x < W::kTaps; ++x) {
                Value s = V::zero();
                for (int y = 0; y < W::kTaps; ++y) s = V::fma(coefficient(i, y), w[y * W::kTaps + x], s);
                t[i][x] = s;
            }
        }
        for (int i = 0; i < kN; ++i) {
            for (int j = 0; j < kN; ++j) {
                Value s = V::zero();
                for (int x = 0; x < W::kTaps; ++x) s = V::fma(coefficient(j, x), t[i][x], s);
                u[i * kN + j] = s;
            }
        }
    }
    static inline __attribute__((always_inline)) Value coefficient(int point, int tap) {
        return V::set(static_cast<float>(W::kMatrices.weight.at[point][tap]));
    }

    // Group by group [point][k][columns].
    static void pack_forward(const Layer& layer, const Weights& weights, float* packed) {
        const int depth = layer.depth();
        const Groups<V> groups{layer.filters};
        each_gate<V>(layer, [&](int group, int gate, int n, int lanes) {
            const int columns = groups.columns(group);
            const int width = groups.gate_width(group);
            float* const to =
                packed + static_cast<std::ptrdiff_t>(kN2) * depth * groups.first_column(group) + gate * width;
            for (int k = 0; k < depth; ++k) {
                const auto filter = filter_of<V>(layer, weights.hidden, weights.input, n, k);
                Value taps[kTaps2], points[kN2];
                gather_taps<V>(filter.at, filter.next_row, lanes, kTaps2, taps);
                transform_weight(taps, points);
                for (int xi = 0; xi < kN2; ++xi) {
                    V::store(to + (static_cast<std::ptrdiff_t>(xi) * depth + k) * columns, V::first(width), points[xi]);
                }
            }
        });
    }

    // [point][panel][4F][columns]: the columns are the K channels, and zeros behind them.
    static void pack_backward(const Layer& layer, const Weights& weights, float* packed) {
        const Panels<V> panels = data_panels(layer);
        const std::ptrdiff_t point = panels.at(panels.columns);
        const auto store = [&](int n, int column, int lanes, const Value* points) {
            for (int xi = 0; xi < kN2; ++xi) panels.store(packed + xi * point, n, column, lanes, points[xi]);
        };
        each_depth<V>(layer, [&](int k, int lanes) {
            for (int n = 0; n < panels.rows; ++n) {
                Value taps[kTaps2], points[kN2];
                gather_taps<V>(filter_of<V>(layer, weights.hidden, weights.input, n, k).at, kTaps2, lanes, kTaps2,
                               taps);
                transform_weight(taps, points);
                store(n, k, lanes, points);
            }
        });
        const int empty = panels.columns - layer.depth();
        const Value zeros[kN2] = {};
        for (int n = 0; n < panels.rows && empty > 0; ++n) store(n, layer.depth(), empty, zeros);
    }

    struct Place {
        int b, y, x;  // top left pixel of the tile's outputs
    };
    static Place place_of(const Layer& layer, int tile) {
        const int columns = tile_columns(layer);
        const int rows = tile_rows(layer);
        return {tile / columns / rows, tile / columns % rows * kM, tile % columns * kM};
    }

    // The N x N pixels around a tile, zeros outside of the frame, in one vector of channels; to the points.
    template <bool kInside>
    static void transform_patch(const Layer& layer, const ConstFrame& frame, const Place& at, int channel, Mask mask,
                                float* to, std::ptrdiff_t point) {
        const int y0 = at.y - kPad;
        const int x0 = at.x - kPad;
        const float* from =
            frame.data + at.b * frame.batch + y0 * frame.row + static_cast<std::ptrdiff_t>(x0) * frame.depth + channel;
        Value t[kN][kN];
        for (int j = 0; j < kN; ++j) {
            Value column[kN], points[kN];
            const bool in = kInside || (x0 + j >= 0 && x0 + j < layer.width);
            for (int i = 0; i < kN; ++i) {
                column[i] = kInside || (in && y0 + i >= 0 && y0 + i < layer.height)
                                ? V::load(from + i * frame.row + j * static_cast<std::ptrdiff_t>(frame.depth), mask)
                                : V::zero();
            }
            to_points<V, W::kMatrices.input, kN, kN>(column, points);
            for (int i = 0; i < kN; ++i) t[i][j] = points[i];
        }
        for (int i = 0; i < kN; ++i) {
            Value points[kN];
            to_points<V, W::kMatrices.input, kN, kN>(t[i], points);
            for (int j = 0; j < kN; ++j) V::store(to + (i * kN + j) * point, mask, points[j]);
        }
    }

    static void transform_input(const Layer& layer, const ConstFrame& frame, int first, int count, float* to,
                                std::ptrdiff_t point, std::ptrdiff_t row) {
        for (int tile = 0; tile < count; ++tile) {
            const Place at = place_of(layer, first + tile);
            const bool inside =
                at.y >= kPad && at.x >= kPad && at.y - kPad + kN <= layer.height && at.x - kPad + kN <= layer.width;
            for (int c = 0; c < frame.depth; c += V::kWidth) {
                const Mask mask = V::first(frame.depth - c < V::kWidth ? frame.depth - c : V::kWidth);
                float* const p = to + tile * row + c;
                if (inside) {
                    transform_patch<true>(layer, frame, at, c, mask, p, point);
                } else {
                    transform_patch<false>(layer, frame, at, c, mask, p, point);
                }
            }
        }
    }

    static void forward(const Layer& layer, const ForwardStep& step, Range rows, Scratch& scratch) {
        const Groups<V> groups{layer.filters};
        const int columns = tile_columns(layer);
        const int depth = layer.depth();
        const int skipped = step.h_old ? 0 : layer.filters;
        const std::ptrdiff_t point = inputs_point(layer);
        const std::ptrdiff_t sum_point = panel_point(layer.block);
        float* const inputs = scratch.memory;
        float* const sums = inputs + kN2 * point + V::kWidth;
        for (int first = rows.begin * columns; first < rows.end * columns; first += layer.block) {
            const int left = rows.end * columns - first;
            const int count = left < layer.block ? left : layer.block;
            if (step.h_old) transform_input(layer, step.h_old, first, count, inputs, point, depth);
            transform_input(layer, step.x, first, count, inputs + layer.filters, point, depth);
            for (int group = 0; group < groups.count(); ++group) {
                const int width = groups.columns(group);
                const float* weights =
                    layer.forward_weights + static_cast<std::ptrdiff_t>(kN2) * depth * groups.first_column(group);
                Terms terms;
                terms.inner = depth - skipped;
                terms.b_inner = width;
                for (int xi = 0; xi < kN2; ++xi) {
                    product<V, false>(count, width, terms, inputs + xi * point + skipped, depth,
                                      weights + (static_cast<std::ptrdiff_t>(xi) * depth + skipped) * width,
                                      sums + xi * sum_point, width);
                }
                if (layer.standard) {
                    gates<StandardFunctions<V>>(layer, step, group, first, count, sums, sum_point);
                } else {
                    gates<AnyFunctions<V>>(layer, step, group, first, count, sums, sum_point);
                }
            }
        }
        V::fence();
    }

    // Back from the points, bias, gates.
    template <class Functions>
    static void gates(const Layer& layer, const ForwardStep& step, int group, int first, int count, const float* sums,
                      std::ptrdiff_t point) {
        const Groups<V> groups{layer.filters};
        const int width = groups.gate_width(group);
        const float* const bias = layer.bias + groups.first_column(group);
        Value out[4][kM][kM];
        for (int tile = 0; tile < count; ++tile) {
            for (int gate = 0; gate < 4; ++gate) {
                const float* from = sums + static_cast<std::ptrdiff_t>(tile) * 4 * width + gate * width;
                Value t[kM][kN];
                for (int j = 0; j < kN; ++j) {
                    Value points[kN], column[kM];
                    for (int i = 0; i < kN; ++i) points[i] = V::load(from + (i * kN + j) * point);
                    from_points<V, W::kMatrices.output, kM, kN>(points, column);
                    for (int i = 0; i < kM; ++i) t[i][j] = column[i];
                }
                const Value b = V::load(bias + gate * width);
                for (int i = 0; i < kM; ++i) {
                    from_points<V, W::kMatrices.output, kM, kN>(t[i], out[gate][i]);
                    for (int j = 0; j < kM; ++j) out[gate][i][j] = out[gate][i][j] + b;
                }
            }
            const Place at = place_of(layer, first + tile);
            const int high = layer.height - at.y < kM ? layer.height - at.y : kM;
            const int wide = layer.width - at.x < kM ? layer.width - at.x : kM;
            for (int i = 0; i < high; ++i) {
                const GateRow<V, Functions> row(layer, step, group, at.b, at.y + i, at.x);
                for (int j = 0; j < wide; ++j) {
                    row.unit(j, {out[0][i][j], out[1][i][j], out[2][i][j], out[3][i][j]});
                }
            }
        }
    }

    // Gate gradients of the tiles' own pixels to the points.
    static void transform_gates(const Layer& layer, const ConstFrame& gates, int first, int count, float* to,
                                std::ptrdiff_t point) {
        const std::ptrdiff_t row = gates_row(layer);
        for (int tile = 0; tile < count; ++tile) {
            const Place at = place_of(layer, first + tile);
            const int high = layer.height - at.y < kM ? layer.height - at.y : kM;
            const int wide = layer.width - at.x < kM ? layer.width - at.x : kM;
            const float* const from = gates.at(at.b, at.y, at.x);
            for (int n = 0; n < 4 * layer.filters; n += V::kWidth) {
                const int left = 4 * layer.filters - n;
                const Mask mask = V::first(left < V::kWidth ? left : V::kWidth);
                Value t[kN][kM];
                for (int j = 0; j < kM; ++j) {
                    Value column[kM], points[kN];
                    for (int i = 0; i < kM; ++i) {
                        column[i] =
                            i < high && j < wide
                                ? V::load(from + i * gates.row + static_cast<std::ptrdiff_t>(j) * gates.depth + n, mask)
                                : V::zero();
                    }
                    to_points<V, W::kMatrices.output_of, kN, kM>(column, points);
                    for (int i = 0; i < kN; ++i) t[i][j] = points[i];
                }
                for (int i = 0; i < kN; ++i) {
                    Value points[kN];
                    to_points<V, W::kMatrices.output_of, kN, kM>(t[i], points);
                    for (int j = 0; j < kN; ++j) {
                        V::store(to + (i * kN + j) * point + tile * row + n, points[j]);
                    }
                }
            }
        }
    }

    static void backward(const Layer& layer, const BackwardStep& step, Range rows, Scratch& scratch) {
        const int columns = tile_columns(layer);
        const std::ptrdiff_t row = inputs_row(layer);
        const std::ptrdiff_t point = gradient_inputs_point(layer);
        const std::ptrdiff_t gate_point = gates_point(layer);
        float* const inputs = scratch.memory;
        float* const d_gates = inputs + kN2 * point + V::kWidth;
        float* const d_data = d_gates + kN2 * gate_point + V::kWidth;
        for (int first = rows.begin * columns; first < rows.end * columns;) {
            const int left = rows.end * columns - first;
            const int room = layer.gradient_block - scratch.filled;
            const int count = left < room ? left : room;
            float* const gates = d_gates + scratch.filled * gates_row(layer);
            transform_gates(layer, step.d_gates, first, count, gates, gate_point);
            data_gradients(layer, step, first, count, gates, gate_point, d_data);
            if (step.weights) {
                float* const p = inputs + scratch.filled * row;
                if (step.h_old) {
                    transform_input(layer, step.h_old, first, count, p, point, row);
                } else {
                    clear_hidden(layer, count, p, point);
                }
                transform_input(layer, step.x, first, count, p + layer.filters, point, row);
                scratch.filled += count;
                if (scratch.filled == layer.gradient_block) weight_gradients(layer, scratch);
            }
            first += count;
        }
    }

    static void clear_hidden(const Layer& layer, int count, float* to, std::ptrdiff_t point) {
        for (int xi = 0; xi < kN2; ++xi) {
            for (int tile = 0; tile < count; ++tile) {
                memset(to + xi * point + tile * inputs_row(layer), 0,
                       sizeof(float) * static_cast<std::size_t>(layer.filters));
            }
        }
    }

    // Adds the products of the rows that wait.
    static void weight_gradients(const Layer& layer, Scratch& scratch) {
        const int depth = layer.depth();
        const int all = gate_columns(layer);
        const std::ptrdiff_t point = gradient_inputs_point(layer);
        const std::ptrdiff_t gate_point = gates_point(layer);
        const float* const inputs = scratch.memory;
        const float* const d_gates = inputs + kN2 * point + V::kWidth;
        Terms terms;
        terms.inner = scratch.filled;
        terms.a_inner = inputs_row(layer);
        terms.b_inner = gates_row(layer);
        for (int xi = 0; xi < kN2 && scratch.filled > 0; ++xi) {
            product<V, true>(depth, all, terms, inputs + xi * point, 1, d_gates + xi * gate_point,
                             scratch.gradients + static_cast<std::ptrdiff_t>(xi) * depth * all, all);
        }
        scratch.filled = 0;
    }

    static void data_gradients(const Layer& layer, const BackwardStep& step, int first, int count, const float* gates,
                               std::ptrdiff_t gate_point, float* sums) {
        const Panels<V> panels = data_panels(layer);
        const int wanted = step.d_x ? layer.depth() : layer.filters;
        const std::ptrdiff_t point = panel_point(layer.gradient_block);
        for (int panel = 0; panel < wanted; panel += kPanel) {
            const int width = panels.width(panel);
            Terms terms;
            terms.inner = panels.rows;
            terms.b_inner = width;
            for (int xi = 0; xi < kN2; ++xi) {
                product<V, false>(count, width, terms, gates + xi * gate_point, gates_row(layer),
                                  layer.backward_weights + xi * panels.at(panels.columns) + panels.at(panel),
                                  sums + xi * point, width);
            }
            for (int tile = 0; tile < count; ++tile) {
                for (int k = panel; k < panel + width && k < wanted; k += V::kWidth) {
                    add_patch(layer, step, place_of(layer, first + tile), k,
                              sums + static_cast<std::ptrdiff_t>(tile) * width + (k - panel), point);
                }
            }
        }
    }

    // Tiles overlap: their shares of a pixel's gradient are added. A vector may hold the last channels of h and the
    // first of x.
    static void add_patch(const Layer& layer, const BackwardStep& step, const Place& at, int k, const float* sums,
                          std::ptrdiff_t point) {
        Value t[kN][kN];
        for (int j = 0; j < kN; ++j) {
            Value points[kN], column[kN];
            for (int i = 0; i < kN; ++i) points[i] = V::load(sums + (i * kN + j) * point);
            from_points<V, W::kMatrices.input_of, kN, kN>(points, column);
            for (int i = 0; i < kN; ++i) t[i][j] = column[i];
        }
        const int of_hidden = clamp(layer.filters - k);
        const int of_both = clamp(layer.depth() - k);
        for (int i = 0; i < kN; ++i) {
            const int y = at.y - kPad + i;
            if (y < 0 || y >= layer.height) continue;
            Value out[kN];
            from_points<V, W::kMatrices.input_of, kN, kN>(t[i], out);
            const int begin = at.x < kPad ? kPad - at.x : 0;
            const int end = layer.width - at.x + kPad < kN ? layer.width - at.x + kPad : kN;
            if (of_hidden > 0) {
                float* const p = step.d_h.at(at.b, y, at.x - kPad) + k;
                add_row(p, layer.filters, begin, end, V::first(of_hidden), out);
            }
            if (of_hidden == of_both || !step.d_x) continue;
            float* const p = step.d_x.at(at.b, y, at.x - kPad);
            if (of_hidden == 0) {
                add_row(p + (k - layer.filters), layer.channels, begin, end, V::first(of_both), out);
                continue;
            }
            float lane[V::kWidth];
            for (int j = begin; j < end; ++j) {
                V::store(lane, out[j]);
                for (int l = of_hidden; l < of_both; ++l) p[j * layer.channels + l - of_hidden] += lane[l];
            }
        }
    }
    static int clamp(int lanes) { return lanes < 0 ? 0 : lanes > V::kWidth ? V::kWidth : lanes; }
    static void add_row(float* to, int depth, int begin, int end, Mask mask, const Value* x) {
        for (int j = begin; j < end; ++j) {
            float* const p = to + static_cast<std::ptrdiff_t>(j) * depth;
            V::store(p, mask, V::load(p, mask) + x[j]);
        }
    }

    static void gate_gradients_of(const Layer& layer, const BackwardStep& step, Range pixels, Scratch& scratch) {
        gate_gradients<V>(layer, step, pixels, scratch.gradients + gradient_sums(layer));
    }

    // dW = G^T dU G, summed over the workers.
    static void finish(const Layer& layer, const Scratch* workers, int count, const WeightGradients& to, Range depths) {
        const int depth = layer.depth();
        const int all = gate_columns(layer);
        for (int k = depths.begin; k < depths.end; ++k) {
            for (int n = 0; n < 4 * layer.filters; n += V::kWidth) {
                Value u[kN2];
                for (int xi = 0; xi < kN2; ++xi) {
                    const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(xi) * depth + k) * all + n;
                    u[xi] = V::load(workers[0].gradients + at);
                    for (int w = 1; w < count; ++w) u[xi] = u[xi] + V::load(workers[w].gradients + at);
                }
                Value t[W::kTaps][kN], taps[kTaps2];
                for (int y = 0; y < W::kTaps; ++y) {
                    for (int j = 0; j < kN; ++j) {
                        Value s = V::zero();
                        for (int i = 0; i < kN; ++i) s = V::fma(coefficient(i, y), u[i * kN + j], s);
                        t[y][j] = s;
                    }
                    for (int x = 0; x < W::kTaps; ++x) {
                        Value s = V::zero();
                        for (int j = 0; j < kN; ++j) s = V::fma(coefficient(j, x), t[y][j], s);
                        taps[y * W::kTaps + x] = s;
                    }
                }
                const int left = 4 * layer.filters - n;
                const auto filter = filter_of<V>(layer, to.hidden, to.input, n, k);
                scatter_taps<V>(taps, kTaps2, filter.at, filter.next_row, left < V::kWidth ? left : V::kWidth);
            }
        }
    }

    static constexpr Kernels table(const char* isa) {
        Kernels kernels;
        kernels.isa = isa;
        kernels.vector_width = V::kWidth;
        kernels.outputs = kM;
        kernels.seam = (kN - 1) / kM;
        kernels.forward_weights = forward_weights;
        kernels.backward_weights = backward_weights;
        kernels.scratch = scratch;
        kernels.pack_bias = pack_bias<V>;
        kernels.pack_forward = pack_forward;
        kernels.pack_backward = pack_backward;
        kernels.forward = forward;
        kernels.gate_gradients = gate_gradients_of;
        kernels.backward = backward;
        kernels.flush = weight_gradients;
        kernels.finish = finish;
        kernels.to_last = to_last<V>;
        kernels.to_first = to_first<V>;
        return kernels;
    }
};

}  // namespace nowcell::cpu
