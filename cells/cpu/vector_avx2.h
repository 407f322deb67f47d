// AVX2 with FMA as the kernels see it: 8 floats and what is done to them. The interface is that of Avx512.
#pragma once

#include <immintrin.h>

namespace nowcell::cpu {

struct Avx2 {
    using Value = __m256;
    using Mask = __m256i;
    static constexpr int kWidth = 8;
    static constexpr int kRows = 3;  // of a register tile: 3 x 4 sums, 3 factors, 1 weight of 16 registers

#define NOWCELL_VECTOR static inline __attribute__((always_inline))
    NOWCELL_VECTOR Value zero() { return _mm256_setzero_ps(); }
    NOWCELL_VECTOR Value set(float x) { return _mm256_set1_ps(x); }
    NOWCELL_VECTOR Value load(const float* p) { return _mm256_loadu_ps(p); }
    NOWCELL_VECTOR void store(float* p, Value x) { _mm256_storeu_ps(p, x); }
    NOWCELL_VECTOR Mask first(int n) {
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
    NOWCELL_VECTOR Value load(const float* p, Mask mask) { return _mm256_maskload_ps(p, mask); }
    NOWCELL_VECTOR void store(float* p, Mask mask, Value x) { _mm256_maskstore_ps(p, mask, x); }
    NOWCELL_VECTOR void stream(float* p, Value x) { _mm256_stream_ps(p, x); }
    NOWCELL_VECTOR void fence() { _mm_sfence(); }
    NOWCELL_VECTOR Value fma(Value a, Value b, Value c) { return _mm256_fmadd_ps(a, b, c); }
    NOWCELL_VECTOR Value min(Value a, Value b) { return _mm256_min_ps(a, b); }
    NOWCELL_VECTOR Value max(Value a, Value b) { return _mm256_max_ps(a, b); }
    NOWCELL_VECTOR Value round(Value x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
    NOWCELL_VECTOR Value scale(Value x, Value n) {
        const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
        return x * _mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_set1_epi32(127 << 23)));
    }
    NOWCELL_VECTOR Value reciprocal(Value x) { return set(1.0F) / x; }
    NOWCELL_VECTOR Value between(Value x, Value y, Value top) {
        const Value above = _mm256_cmp_ps(y, zero(), _CMP_GT_OQ);
        return _mm256_and_ps(x, _mm256_and_ps(above, _mm256_cmp_ps(y, top, _CMP_LT_OQ)));
    }
    NOWCELL_VECTOR void transpose(Value (&x)[kWidth]) {
        Value y[kWidth];
        for (int i = 0; i < 8; i += 2) {
            y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
            y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
        }
        for (int i = 0; i < 8; i += 4) {
            x[i] = _mm256_shuffle_ps(y[i], y[i + 2], 0x44);
            x[i + 1] = _mm256_shuffle_ps(y[i], y[i + 2], 0xee);
            x[i + 2] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0x44);
            x[i + 3] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0xee);
        }
        for (int i = 0; i < 4; ++i) {
            y[i] = _mm256_permute2f128_ps(x[i], x[i + 4], 0x20);
            y[i + 4] = _mm256_permute2f128_ps(x[i], x[i + 4], 0x31);
        }
        for (int i = 0; i < 8; ++i) x[i] = y[i];
    }
#undef NOWCELL_VECTOR
};

}  // namespace nowcell::cpu
