// The register tile every product of the engine runs on, and products made of it.
#pragma once

#include <cstddef>

namespace nowcell::cpu {

/// The terms of a sum: `outer` runs of `inner` terms; by how far the factors move from term to term and from run to
/// run.
struct Terms {
    int outer = 1, inner = 0;
    std::ptrdiff_t a_inner = 1, a_outer = 0;
    std::ptrdiff_t b_inner = 0, b_outer = 0;
};

/// c[i][j] (+)= Σ a[i * a_row] b[j] over the terms, for kR rows and kC vectors of columns.
template <class V, int kR, int kC, bool kAdd>
inline __attribute__((always_inline)) void register_tile(const Terms& terms, const float* a, std::ptrdiff_t a_row,
                                                         const float* b, float* c, std::ptrdiff_t c_row) {
    typename V::Value sum[kR][kC];
    for (int i = 0; i < kR; ++i) {
        for (int j = 0; j < kC; ++j) sum[i][j] = kAdd ? V::load(c + i * c_row + j * V::kWidth) : V::zero();
    }
    const std::ptrdiff_t a_inner = terms.a_inner, b_inner = terms.b_inner;
    for (int outer = 0; outer < terms.outer; ++outer) {
        const float* p = a + outer * terms.a_outer;
        const float* q = b + outer * terms.b_outer;
        for (int k = terms.inner; k > 0; --k) {
            typename V::Value weight[kC];
            for (int j = 0; j < kC; ++j) weight[j] = V::load(q + j * V::kWidth);
            for (int i = 0; i < kR; ++i) {
                const auto factor = V::set(p[i * a_row]);
                for (int j = 0; j < kC; ++j) sum[i][j] = V::fma(factor, weight[j], sum[i][j]);
            }
            p += a_inner;
            q += b_inner;
        }
    }
    for (int i = 0; i < kR; ++i) {
        for (int j = 0; j < kC; ++j) V::store(c + i * c_row + j * V::kWidth, sum[i][j]);
    }
}

/// The same for any number of rows and up to four vectors of columns.
template <class V, int kC, bool kAdd>
void column_panel(int rows, const Terms& terms, const float* a, std::ptrdiff_t a_row, const float* b, float* c,
                  std::ptrdiff_t c_row) {
    int i = 0;
    for (; i + V::kRows <= rows; i += V::kRows) {
        if constexpr (kAdd) {  // the sums of the next tile, which come from far away
            const int next = rows - i - V::kRows < V::kRows ? rows - i - V::kRows : V::kRows;
            for (int r = 0; r < next; ++r) {
                for (int j = 0; j < kC; ++j) __builtin_prefetch(c + (i + V::kRows + r) * c_row + j * V::kWidth, 1);
            }
        }
        register_tile<V, V::kRows, kC, kAdd>(terms, a + i * a_row, a_row, b, c + i * c_row, c_row);
    }
    a += i * a_row;
    c += i * c_row;
    switch (rows - i) {
        case 1: register_tile<V, 1, kC, kAdd>(terms, a, a_row, b, c, c_row); break;
        case 2: register_tile<V, 2, kC, kAdd>(terms, a, a_row, b, c, c_row); break;
        case 3: register_tile<V, 3, kC, kAdd>(terms, a, a_row, b, c, c_row); break;
        case 4: register_tile<V, 4, kC, kAdd>(terms, a, a_row, b, c, c_row); break;
        case 5: register_tile<V, 5, kC, kAdd>(terms, a, a_row, b, c, c_row); break;
        default: break;
    }
}

/// The same for any number of columns, a multiple of the vector's width.
template <class V, bool kAdd>
void product(int rows, int columns, const Terms& terms, const float* a, std::ptrdiff_t a_row, const float* b, float* c,
             std::ptrdiff_t c_row) {
    int j = 0;
    for (; j + 4 * V::kWidth <= columns; j += 4 * V::kWidth) {
        column_panel<V, 4, kAdd>(rows, terms, a, a_row, b + j, c + j, c_row);
    }
    switch ((columns - j) / V::kWidth) {
        case 1: column_panel<V, 1, kAdd>(rows, terms, a, a_row, b + j, c + j, c_row); break;
        case 2: column_panel<V, 2, kAdd>(rows, terms, a, a_row, b + j, c + j, c_row); break;
        case 3: column_panel<V, 3, kAdd>(rows, terms, a, a_row, b + j, c + j, c_row); break;
        default: break;
    }
}

}  // namespace nowcell::cpu
