// Winograd's convolution: matrices worked out by the compiler, and their products with vectors.
// Source: Lavin and Gray 2016 (F(m,r): m outputs of a filter of r taps from n = m + r - 1 points); points as Barabasz
// et al. 2018, symmetric around zero, so that rows pair up and half of the multiplications go.
#pragma once

namespace nowcell::cpu {

template <int kRowCount, int kColumnCount>
struct Matrix {
    double at[kRowCount][kColumnCount] = {};
};

template <int kPoints>
struct Points;

/// Six points, error about that of a direct convolution.
template <>
struct Points<6> {
    static constexpr double kAt[5] = {0.0, 0.625, -0.625, 1.5, -1.5};
};

/// Eight points, fewer multiplications, errors about five times as large.
template <>
struct Points<8> {
    static constexpr double kAt[7] = {0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0};
};

/// F(kOutputs, kTaps): y = A^T ((G w) . (B^T x)). The last point is infinity. Rows of G and B^T are scaled by powers of
/// two so that neither is large.
template <int kTapCount, int kPointCount>
struct Winograd {
    static constexpr int kTaps = kTapCount;
    static constexpr int kPoints = kPointCount;
    static constexpr int kOutputs = kPointCount - kTapCount + 1;
    static_assert(kOutputs > 0);

    struct Matrices {
        Matrix<kOutputs, kPoints> output;     // A^T
        Matrix<kPoints, kOutputs> output_of;  // A
        Matrix<kPoints, kTaps> weight;        // G
        Matrix<kPoints, kPoints> input;       // B^T
        Matrix<kPoints, kPoints> input_of;    // B
    };

    static constexpr Matrices make() {
        Matrices m;
        const auto& point = Points<kPoints>::kAt;
        constexpr int kLast = kPoints - 1;
        for (int j = 0; j < kLast; ++j) {
            double power = 1.0;
            for (int i = 0; i < kOutputs; ++i, power *= point[j]) m.output.at[i][j] = power;
            double others = 1.0;
            for (int l = 0; l < kLast; ++l) others *= l == j ? 1.0 : point[j] - point[l];
            power = 1.0;
            for (int i = 0; i < kTaps; ++i, power *= point[j]) m.weight.at[j][i] = power / others;
        }
        m.output.at[kOutputs - 1][kLast] = 1.0;
        m.weight.at[kLast][kTaps - 1] = 1.0;
        for (int j = 0; j < kPoints; ++j) {  // coefficients of the product of (x - p) over the other points
            double c[kPoints] = {1.0};
            int degree = 0;
            for (int l = 0; l < kLast; ++l) {
                if (l == j) continue;
                for (int i = ++degree; i >= 0; --i) c[i] = (i > 0 ? c[i - 1] : 0.0) - point[l] * c[i];
            }
            for (int i = 0; i < kPoints; ++i) m.input.at[j][i] = c[i];
        }
        for (int j = 0; j < kPoints; ++j) {
            double large = 0.0, small = 0.0;
            for (int i = 0; i < kPoints; ++i) large += m.input.at[j][i] < 0 ? -m.input.at[j][i] : m.input.at[j][i];
            for (int i = 0; i < kTaps; ++i) small += m.weight.at[j][i] < 0 ? -m.weight.at[j][i] : m.weight.at[j][i];
            double s = 1.0;
            while (s * s * 2 <= large / small) s *= 2;
            while (s * s > 2 * (large / small)) s /= 2;
            for (int i = 0; i < kPoints; ++i) m.input.at[j][i] /= s;
            for (int i = 0; i < kTaps; ++i) m.weight.at[j][i] *= s;
        }
        for (int i = 0; i < kPoints; ++i) {
            for (int j = 0; j < kPoints; ++j) m.input_of.at[i][j] = m.input.at[j][i];
            for (int j = 0; j < kOutputs; ++j) m.output_of.at[i][j] = m.output.at[j][i];
        }
        return m;
    }
    static constexpr Matrices kMatrices = make();
};

// Which columns of a row a sum takes.
enum class Part { all, even, odd };

constexpr bool takes(Part part, double above, double below) {
    return part == Part::all || (part == Part::even ? above == below : above == -below);
}

/// sum + Σ_j M[row][j] x[j] over the columns of `part`; zeros cost nothing. Even columns have the same coefficient in
/// the next row, odd ones its opposite.
template <class V, const auto& kM, int kRow, int kColumns, Part kPart, int kJ = 0, bool kEmpty = true>
inline __attribute__((always_inline)) typename V::Value row_sum(const typename V::Value* x,
                                                                typename V::Value sum = V::zero()) {
    if constexpr (kJ == kColumns) {
        return sum;
    } else {
        constexpr double kC = kM.at[kRow][kJ];
        constexpr bool kTaken = kC != 0.0 && takes(kPart, kC, kPart == Part::all ? 0.0 : kM.at[kRow + 1][kJ]);
        if constexpr (!kTaken) {
            return row_sum<V, kM, kRow, kColumns, kPart, kJ + 1, kEmpty>(x, sum);
        } else if constexpr (kEmpty) {
            const auto first = kC == 1.0 ? x[kJ] : V::set(static_cast<float>(kC)) * x[kJ];
            return row_sum<V, kM, kRow, kColumns, kPart, kJ + 1, false>(x, first);
        } else if constexpr (kC == 1.0) {
            return row_sum<V, kM, kRow, kColumns, kPart, kJ + 1, false>(x, sum + x[kJ]);
        } else if constexpr (kC == -1.0) {
            return row_sum<V, kM, kRow, kColumns, kPart, kJ + 1, false>(x, sum - x[kJ]);
        } else {
            return row_sum<V, kM, kRow, kColumns, kPart, kJ + 1, false>(
                x, V::fma(V::set(static_cast<float>(kC)), x[kJ], sum));
        }
    }
}

/// y = M x for the points' side of a transform (B^T, A): rows 2p-1 and 2p belong to a pair of points.
template <class V, const auto& kM, int kRows, int kColumns, int kRow = 0>
inline __attribute__((always_inline)) void to_points(const typename V::Value* x, typename V::Value* y) {
    if constexpr (kRow == 0 || kRow == kRows - 1) {
        y[kRow] = row_sum<V, kM, kRow, kColumns, Part::all>(x);
        if constexpr (kRow == 0) to_points<V, kM, kRows, kColumns, 1>(x, y);
    } else {
        const auto even = row_sum<V, kM, kRow, kColumns, Part::even>(x);
        const auto odd = row_sum<V, kM, kRow, kColumns, Part::odd>(x);
        y[kRow] = even + odd;
        y[kRow + 1] = even - odd;
        to_points<V, kM, kRows, kColumns, kRow + 2>(x, y);
    }
}

template <class V, const auto& kM, int kRow, int kPoints, int kPair = 0>
inline __attribute__((always_inline)) typename V::Value pair_sum(const typename V::Value* s, typename V::Value sum) {
    constexpr int kJ = 2 * kPair + 1;
    if constexpr (kJ >= kPoints - 1) {
        return sum;
    } else {
        constexpr double kC = kM.at[kRow][kJ];
        constexpr int kFrom = kC == kM.at[kRow][kJ + 1] ? kJ : kJ + 1;  // the sum or the difference
        if constexpr (kC == 0.0) {
            return pair_sum<V, kM, kRow, kPoints, kPair + 1>(s, sum);
        } else if constexpr (kC == 1.0) {
            return pair_sum<V, kM, kRow, kPoints, kPair + 1>(s, sum + s[kFrom]);
        } else {
            return pair_sum<V, kM, kRow, kPoints, kPair + 1>(s, V::fma(V::set(static_cast<float>(kC)), s[kFrom], sum));
        }
    }
}

template <class V, const auto& kM, int kRows, int kPoints, int kRow>
inline __attribute__((always_inline)) void pair_rows(const typename V::Value* s, typename V::Value* y) {
    if constexpr (kRow < kRows) {
        constexpr double kFirst = kM.at[kRow][0];
        constexpr double kLast = kM.at[kRow][kPoints - 1];
        auto sum = V::zero();
        if constexpr (kFirst != 0.0) sum = kFirst == 1.0 ? s[0] : V::set(static_cast<float>(kFirst)) * s[0];
        if constexpr (kLast != 0.0) {
            sum = V::fma(V::set(static_cast<float>(kLast)), s[kPoints - 1], sum);
        }
        y[kRow] = pair_sum<V, kM, kRow, kPoints>(s, sum);
        pair_rows<V, kM, kRows, kPoints, kRow + 1>(s, y);
    }
}

/// y = M x back from the points (A^T, B): columns 2p-1 and 2p have equal or opposite coefficients.
template <class V, const auto& kM, int kRows, int kPoints>
inline __attribute__((always_inline)) void from_points(const typename V::Value* x, typename V::Value* y) {
    typename V::Value s[kPoints];
    s[0] = x[0];
    s[kPoints - 1] = x[kPoints - 1];
    for (int j = 1; j < kPoints - 1; j += 2) {
        s[j] = x[j] + x[j + 1];
        s[j + 1] = x[j] - x[j + 1];
    }
    pair_rows<V, kM, kRows, kPoints, 0>(s, y);
}

}  // namespace nowcell::cpu
