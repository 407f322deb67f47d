// AVX-512 as the kernels see it: 16 floats and what is done to them.
#pragma once

#include <immintrin.h>

namespace nowcell::cpu {

struct Avx512 {
    using Value = __m512;
    using Mask = __mmask16;
    static constexpr int kWidth = 16;
    static constexpr int kRows = 6;  // of a register tile: 6 x 4 sums, 6 factors, 1 weight of 32 registers

#define NOWCELL_VECTOR static inline __attribute__((always_inline))
    NOWCELL_VECTOR Value zero() { return _mm512_setzero_ps(); }
    NOWCELL_VECTOR Value set(float x) { return _mm512_set1_ps(x); }
    NOWCELL_VECTOR Value load(const float* p) { return _mm512_loadu_ps(p); }
    NOWCELL_VECTOR void store(float* p, Value x) { _mm512_storeu_ps(p, x); }
    /// The first n lanes; the others are zero. n: 0 to 16.
    NOWCELL_VECTOR Mask first(int n) { return static_cast<Mask>((1U << n) - 1U); }
    NOWCELL_VECTOR Value load(const float* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
    NOWCELL_VECTOR void store(float* p, Mask mask, Value x) { _mm512_mask_storeu_ps(p, mask, x); }
    /// To an address of whole vectors, past the caches: what is not read again soon. Seen by others after fence().
    NOWCELL_VECTOR void stream(float* p, Value x) { _mm512_stream_ps(p, x); }
    NOWCELL_VECTOR void fence() { _mm_sfence(); }
    NOWCELL_VECTOR Value fma(Value a, Value b, Value c) { return _mm512_fmadd_ps(a, b, c); }
    NOWCELL_VECTOR Value min(Value a, Value b) { return _mm512_min_ps(a, b); }  // b where either is NaN
    NOWCELL_VECTOR Value max(Value a, Value b) { return _mm512_max_ps(a, b); }
    NOWCELL_VECTOR Value round(Value x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT); }
    /// x * 2^n, n whole.
    NOWCELL_VECTOR Value scale(Value x, Value n) { return _mm512_scalef_ps(x, n); }
    /// 1/x for normal x, to an ulp or two.
    NOWCELL_VECTOR Value reciprocal(Value x) {
        const Value y = _mm512_rcp14_ps(x);
        return y * _mm512_fnmadd_ps(x, y, set(2.0F));
    }
    /// x where 0 < y and y < top, else 0.
    NOWCELL_VECTOR Value between(Value x, Value y, Value top) {
        const Mask above = _mm512_cmp_ps_mask(y, zero(), _CMP_GT_OQ);
        return _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above, y, top, _CMP_LT_OQ), x);
    }
    NOWCELL_VECTOR void transpose(Value (&x)[kWidth]) {
        Value y[kWidth];
        for (int i = 0; i < 16; i += 2) {
            y[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
            y[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
        }
        for (int i = 0; i < 16; i += 4) {
            x[i] = _mm512_shuffle_ps(y[i], y[i + 2], 0x44);
            x[i + 1] = _mm512_shuffle_ps(y[i], y[i + 2], 0xee);
            x[i + 2] = _mm512_shuffle_ps(y[i + 1], y[i + 3], 0x44);
            x[i + 3] = _mm512_shuffle_ps(y[i + 1], y[i + 3], 0xee);
        }
        for (int i = 0; i < 4; ++i) {
            y[i] = _mm512_shuffle_f32x4(x[i], x[i + 4], 0x88);
            y[i + 4] = _mm512_shuffle_f32x4(x[i], x[i + 4], 0xdd);
            y[i + 8] = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0x88);
            y[i + 12] = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0xdd);
        }
        for (int i = 0; i < 4; ++i) {
            x[i] = _mm512_shuffle_f32x4(y[i], y[i + 8], 0x88);
            x[i + 4] = _mm512_shuffle_f32x4(y[i + 4], y[i + 12], 0x88);
            x[i + 8] = _mm512_shuffle_f32x4(y[i], y[i + 8], 0xdd);
            x[i + 12] = _mm512_shuffle_f32x4(y[i + 4], y[i + 12], 0xdd);
        }
    }
#undef NOWCELL_VECTOR
};

}  // namespace nowcell::cpu
