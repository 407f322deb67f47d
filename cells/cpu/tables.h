// The tables of one instruction set; included once for each, in a file compiled for it.
#pragma once

#include "cells/cpu/direct.h"
#include "cells/cpu/tiles.h"

#include <time.h>

namespace nowcell::cpu {

template <class V>
const Kernels* kernels_of(const char* isa, int points, int kernel) {
    static const Kernels direct[4] = {Direct<V>::table(isa, 1), Direct<V>::table(isa, 3), Direct<V>::table(isa, 5),
                                      Direct<V>::table(isa, 7)};
    static const Kernels six[2] = {Tiles<V, Winograd<3, 6>>::table(isa), Tiles<V, Winograd<5, 6>>::table(isa)};
    static const Kernels eight[3] = {Tiles<V, Winograd<3, 8>>::table(isa), Tiles<V, Winograd<5, 8>>::table(isa),
                                     Tiles<V, Winograd<7, 8>>::table(isa)};
    if (kernel < 1 || kernel > 7 || kernel % 2 == 0) return nullptr;
    if (points == 0) return &direct[kernel / 2];
    if (points == 6 && (kernel == 3 || kernel == 5)) return &six[kernel / 2 - 1];
    if (points == 8 && kernel >= 3) return &eight[kernel / 2 - 1];
    return nullptr;
}

/// Fused multiply-adds from registers to registers.
template <class V>
double peak(double seconds) {
    const auto now = [] {
        timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
    };
    constexpr int kSums = 12;
    constexpr int kRepeats = 10000;
    typename V::Value sum[kSums];
    for (int i = 0; i < kSums; ++i) sum[i] = V::set(static_cast<float>(i));
    typename V::Value a = V::set(0.999F);
    typename V::Value b = V::set(1e-3F);
    double best = 0.0;
    const double start = now();
    for (double end = start; end - start < seconds;) {
        const double begin = end;
        for (int repeat = 0; repeat < kRepeats; ++repeat) {
            for (int i = 0; i < kSums; ++i) sum[i] = V::fma(sum[i], a, b);
            asm volatile("" : "+v"(a), "+v"(b));
        }
        end = now();
        const double rate = 2.0 * kSums * V::kWidth * kRepeats / (end - begin);
        best = rate > best ? rate : best;
    }
    for (int i = 1; i < kSums; ++i) sum[0] = sum[0] + sum[i];
    float sink[V::kWidth];
    V::store(sink, sum[0]);
    asm volatile("" ::"m"(sink));
    return best;
}

}  // namespace nowcell::cpu
