// The gates of a step: behind the convolution in the forward pass, before it in the backward pass.
#pragma once

#include "cells/cpu/groups.h"
#include "cells/cpu/kernels.h"
#include "cells/gate_functions.h"
#include "cells/gate_math.h"

#include <stdint.h>

namespace nowcell::cpu {

template <class V>
StandardFunctions<V> functions_of(const Layer&, StandardFunctions<V>*) {
    return {};
}
template <class V>
AnyFunctions<V> functions_of(const Layer& layer, AnyFunctions<V>*) {
    return {layer.recurrent_activation, layer.activation};
}

/// A run of pixels in a row of a frame, for one group of channels.
template <class V, class Functions>
class GateRow {
 public:
    using Value = typename V::Value;

    GateRow(const Layer& layer, const ForwardStep& step, int group, int b, int y, int x)
        : functions_(functions_of<V>(layer, static_cast<Functions*>(nullptr))),
          mask_(V::first(Groups<V>{layer.filters}.channels(group))),
          depth_(layer.filters) {
        const int channel = group * V::kWidth;
        h_ = step.h.at(b, y, x) + channel;
        c_ = step.c.at(b, y, x) + channel;
        if (step.c_old) c_old_ = step.c_old.at(b, y, x) + channel;
        if (step.gates) {
            gates_ = step.gates.at(b, y, x) + channel;
            constexpr auto kBytes = sizeof(Value);
            stream_ = step.stream_gates && layer.filters % V::kWidth == 0 &&
                      reinterpret_cast<uintptr_t>(gates_) % kBytes == 0;
        }
        if (step.h_copy) h_copy_ = step.h_copy.at(b, y, x) + channel;
        if constexpr (Functions::kPeephole) {
            if (step.h_old) h_old_ = step.h_old.at(b, y, x) + channel;
            if (step.keep_h) keep_h_ = step.keep_h[b];
            if (step.keep_c) keep_c_ = step.keep_c[b];
            peephole_pixel_ = layer.peephole_pixel;
            peephole_gate_ = layer.peephole_pixel == 0 ? layer.filters : layer.pixels() * layer.peephole_pixel;
            if (layer.peephole) {
                peephole_ = layer.peephole + (y * layer.width + x) * layer.peephole_pixel + channel;
            }
        }
    }

    /// The j-th pixel of the run. gates: before their activations.
    inline __attribute__((always_inline)) void unit(int j, const LstmGates<Value>& gates) const {
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(j) * depth_;
        const Value c_old = c_old_ ? V::load(c_old_ + at, mask_) : V::zero();
        LstmUnit<Value> now = lstm_forward(functions_, gates, c_old, peephole(j));
        if constexpr (Functions::kPeephole) {
            const Value h_old = h_old_ ? V::load(h_old_ + at, mask_) : V::zero();
            now.h = keep(keep_h_, h_old, now.h);
            now.c = keep(keep_c_, c_old, now.c);
        }
        V::store(c_ + at, mask_, now.c);
        V::store(h_ + at, mask_, now.h);
        if (h_copy_) V::store(h_copy_ + at, mask_, now.h);
        if (gates_ && stream_) {
            float* g = gates_ + 4 * at;
            V::stream(g, now.gates.i);
            V::stream(g + depth_, now.gates.f);
            V::stream(g + 2 * depth_, now.gates.g);
            V::stream(g + 3 * depth_, now.gates.o);
        } else if (gates_) {
            float* g = gates_ + 4 * at;
            V::store(g, mask_, now.gates.i);
            V::store(g + depth_, mask_, now.gates.f);
            V::store(g + 2 * depth_, mask_, now.gates.g);
            V::store(g + 3 * depth_, mask_, now.gates.o);
        }
    }

 private:
    LstmPeephole<Value> peephole(int j) const {
        if constexpr (Functions::kPeephole) {
            if (peephole_) {
                const float* p = peephole_ + j * peephole_pixel_;
                return {V::load(p, mask_), V::load(p + peephole_gate_, mask_), V::load(p + 2 * peephole_gate_, mask_)};
            }
        }
        return {V::zero(), V::zero(), V::zero()};
    }
    // A step that is skipped (1) or not held at all (0) is exact, whatever the other value is.
    static Value keep(float share, Value old, Value next) {
        if (share == 0.0F) return next;
        if (share == 1.0F) return old;
        return V::fma(V::set(share), old, V::set(1.0F - share) * next);
    }

    Functions functions_;
    typename V::Mask mask_;
    int depth_;
    bool stream_ = false;
    float *h_ = nullptr, *h_copy_ = nullptr, *c_ = nullptr, *gates_ = nullptr;
    const float *h_old_ = nullptr, *c_old_ = nullptr, *peephole_ = nullptr;
    float keep_h_ = 0.0F, keep_c_ = 0.0F;
    std::ptrdiff_t peephole_pixel_ = 0, peephole_gate_ = 0;
};

/// Gradients of the gates of `count` pixels from (b,y,x) on in a row; adds to the sums of bias and peephole.
template <class V, class Functions>
void gate_gradient_run(const Layer& layer, const BackwardStep& step, int b, int y, int x, int count, float* bias_sum) {
    using Value = typename V::Value;
    const Functions functions = functions_of<V>(layer, static_cast<Functions*>(nullptr));
    const int filters = layer.filters;
    const Groups<V> groups{filters};
    const float keep_h = step.keep_h ? step.keep_h[b] : 0.0F;
    const float keep_c = step.keep_c ? step.keep_c[b] : 0.0F;
    float* const peephole_sum = bias_sum + 4 * filters;
    const std::ptrdiff_t peephole_gate = layer.peephole_pixel == 0 ? filters : layer.pixels() * layer.peephole_pixel;
    for (int group = 0; group < groups.count(); ++group) {
        const int channel = group * V::kWidth;
        const auto mask = V::first(groups.channels(group));
        const float* gates = step.gates.at(b, y, x) + channel;
        float* d_gates = step.d_gates.at(b, y, x) + channel;
        const float* c = step.c.at(b, y, x) + channel;
        const float* c_old = step.c_old ? step.c_old.at(b, y, x) + channel : nullptr;
        const float* d_out = step.d_out ? step.d_out.at(b, y, x) + channel : nullptr;
        float* d_h = step.d_h.at(b, y, x) + channel;
        float* d_c = step.d_c.at(b, y, x) + channel;
        Value sum[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
        for (int j = 0; j < count; ++j) {
            const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(j) * filters;
            const float* g = gates + 4 * at;
            const LstmGates<Value> now = {V::load(g, mask), V::load(g + filters, mask), V::load(g + 2 * filters, mask),
                                          V::load(g + 3 * filters, mask)};
            const Value old = c_old ? V::load(c_old + at, mask) : V::zero();
            Value new_c = V::load(c + at, mask);
            Value dh = V::load(d_h + at, mask);
            Value dc = V::load(d_c + at, mask);
            if (d_out) dh = dh + V::load(d_out + at, mask);
            Value kept_h = V::zero();
            Value kept_c = V::zero();
            LstmPeephole<Value> peephole = {V::zero(), V::zero(), V::zero()};
            const std::ptrdiff_t pixel = (y * layer.width + x + j) * layer.peephole_pixel + channel;
            if constexpr (Functions::kPeephole) {
                kept_h = V::set(keep_h) * dh;
                kept_c = V::set(keep_c) * dc;
                dh = dh - kept_h;
                dc = dc - kept_c;
                if (step.keep_c) new_c = V::fma(now.f, old, now.i * now.g);  // the saved one holds a share of the old
                if (layer.peephole) {
                    const float* p = layer.peephole + pixel;
                    peephole = {V::load(p, mask), V::load(p + peephole_gate, mask),
                                V::load(p + 2 * peephole_gate, mask)};
                }
            }
            const LstmGradients<Value> d = lstm_backward(functions, now, old, new_c, dh, dc, peephole);
            V::store(d_h + at, mask, kept_h);
            V::store(d_c + at, mask, d.c_old + kept_c);
            float* dg = d_gates + 4 * at;
            V::store(dg, mask, d.gates.i);
            V::store(dg + filters, mask, d.gates.f);
            V::store(dg + 2 * filters, mask, d.gates.g);
            V::store(dg + 3 * filters, mask, d.gates.o);
            sum[0] = sum[0] + d.gates.i;
            sum[1] = sum[1] + d.gates.f;
            sum[2] = sum[2] + d.gates.g;
            sum[3] = sum[3] + d.gates.o;
            if constexpr (Functions::kPeephole) {
                if (!layer.peephole) continue;
                float* p = peephole_sum + pixel;
                V::store(p, mask, V::load(p, mask) + d.gates.i * old);
                p += peephole_gate;
                V::store(p, mask, V::load(p, mask) + d.gates.f * old);
                p += peephole_gate;
                V::store(p, mask, V::load(p, mask) + d.gates.o * new_c);
            }
        }
        for (int gate = 0; gate < 4; ++gate) {
            float* p = bias_sum + gate * filters + channel;
            V::store(p, mask, V::load(p, mask) + sum[gate]);
        }
    }
    if (!step.d_x) return;
    float* d_x = step.d_x.at(b, y, x);
    const int floats = count * layer.channels;
    for (int i = 0; i < floats; i += V::kWidth) {
        V::store(d_x + i, V::first(floats - i < V::kWidth ? floats - i : V::kWidth), V::zero());
    }
}

/// `sums`: of bias and peephole.
template <class V>
void gate_gradients(const Layer& layer, const BackwardStep& step, Range pixels, float* sums) {
    constexpr int kRun = 32;  // what is touched once for each group stays in the cache
    for (int p = pixels.begin; p < pixels.end;) {
        const int x = p % layer.width;
        const int y = p / layer.width % layer.height;
        const int b = p / layer.pixels();
        int count = layer.width - x < kRun ? layer.width - x : kRun;
        if (count > pixels.end - p) count = pixels.end - p;
        if (layer.standard) {
            gate_gradient_run<V, StandardFunctions<V>>(layer, step, b, y, x, count, sums);
        } else {
            gate_gradient_run<V, AnyFunctions<V>>(layer, step, b, y, x, count, sums);
        }
        p += count;
    }
}

}  // namespace nowcell::cpu
