#include "predict/scores/structure.h"

#include "predict/scores/wide.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace nowcell {
namespace {

constexpr std::int64_t kFields = 4;  // what is averaged over windows: x, y, x^2 + y^2, x y
constexpr double kSigma = 1.5;

std::vector<double> window_weights(const SsimOptions& options) {
    const std::int64_t side = options.side();
    std::vector<double> weights(static_cast<std::size_t>(side), 1.0);
    double sum = 0.0;
    for (std::int64_t i = 0; i < side; ++i) {
        const double x = static_cast<double>(i - (side - 1) / 2);
        double& weight = weights[static_cast<std::size_t>(i)];
        if (options.gaussian) weight = std::exp(-x * x / (2.0 * kSigma * kSigma));
        sum += weight;
    }
    for (double& weight : weights) weight /= sum;
    return weights;
}

// The window is symmetric: one multiplication for two rows or columns.
template <std::int64_t side, typename At>
inline __attribute__((always_inline)) double symmetric_sum(const double* weights, const At& at) {
    double sum = weights[side / 2] * at(side / 2);
    for (std::int64_t k = 0; k < side / 2; ++k) sum += weights[k] * (at(k) + at(side - 1 - k));
    return sum;
}

template <std::int64_t side>
inline __attribute__((always_inline)) void along_row(const double* in, std::int64_t count, const double* weights,
                                                     double* out) {
    for (std::int64_t i = 0; i < count; ++i) {
        out[i] = symmetric_sum<side>(weights, [&](std::int64_t k) { return in[i + k]; });
    }
}

template <std::int64_t side>
inline __attribute__((always_inline)) void across_rows(const double* const* rows, std::int64_t count,
                                                       const double* weights, double* out) {
    std::array<const double*, side> row;
    for (std::int64_t k = 0; k < side; ++k) row[static_cast<std::size_t>(k)] = rows[k];
    for (std::int64_t i = 0; i < count; ++i) {
        out[i] = symmetric_sum<side>(weights, [&](std::int64_t k) { return row[static_cast<std::size_t>(k)][i]; });
    }
}

}  // namespace

NOWCELL_WIDE static void filter_row(std::int64_t side, const double* in, std::int64_t count, const double* weights,
                                    double* out) {
    side == 11 ? along_row<11>(in, count, weights, out) : along_row<7>(in, count, weights, out);
}

NOWCELL_WIDE static void filter_rows(std::int64_t side, const double* const* rows, std::int64_t count,
                                     const double* weights, double* out) {
    side == 11 ? across_rows<11>(rows, count, weights, out) : across_rows<7>(rows, count, weights, out);
}

NOWCELL_WIDE static void products(const double* x, const double* y, std::int64_t count, double* squares, double* xy) {
    for (std::int64_t i = 0; i < count; ++i) {
        squares[i] = x[i] * x[i] + y[i] * y[i];
        xy[i] = x[i] * y[i];
    }
}

// means: kFields rows of `count`. contrast and structure: the factor without the means, and SSIM.
NOWCELL_WIDE static void compare(const double* means, std::int64_t count, double c1, double c2, double unbias,
                                 double* contrast, double* structure) {
    const double* x = means;
    const double* y = means + count;
    const double* squares = means + 2 * count;
    const double* xy = means + 3 * count;
    for (std::int64_t i = 0; i < count; ++i) {
        const double mean_squares = x[i] * x[i] + y[i] * y[i];
        const double mean_product = x[i] * y[i];
        const double variances = unbias * (squares[i] - mean_squares);
        const double covariance = unbias * (xy[i] - mean_product);
        contrast[i] = (2.0 * covariance + c2) / (variances + c2);
        structure[i] = contrast[i] * ((2.0 * mean_product + c1) / (mean_squares + c1));
    }
}

namespace {

// The means of the windows of one row of centres after another, from rows that are read once.
class SlidingWindow {
 public:
    SlidingWindow(const SsimOptions& options, std::int64_t width)
        : weights_(window_weights(options)), side_(options.side()), width_(width), count_(width - side_ + 1) {
        rows_.resize(static_cast<std::size_t>(kFields * side_ * count_));
        products_.resize(static_cast<std::size_t>(2 * width));
        means_.resize(static_cast<std::size_t>(kFields * count_));
    }

    void read(std::int64_t row, const double* x, const double* y) {
        products(x, y, width_, products_.data(), products_.data() + width_);
        const std::array<const double*, kFields> fields = {x, y, products_.data(), products_.data() + width_};
        for (std::int64_t f = 0; f < kFields; ++f) {
            filter_row(side_, fields[static_cast<std::size_t>(f)], count_, weights_.data(), slot(f, row));
        }
    }

    // Of the windows whose last row is `row`: kFields rows of count().
    const double* means(std::int64_t row) {
        std::array<const double*, 11> rows;
        for (std::int64_t f = 0; f < kFields; ++f) {
            for (std::int64_t k = 0; k < side_; ++k) rows[static_cast<std::size_t>(k)] = slot(f, row - side_ + 1 + k);
            filter_rows(side_, rows.data(), count_, weights_.data(), means_.data() + f * count_);
        }
        return means_.data();
    }

    std::int64_t count() const { return count_; }

 private:
    double* slot(std::int64_t field, std::int64_t row) { return rows_.data() + (field * side_ + row % side_) * count_; }

    std::vector<double> weights_;
    std::int64_t side_, width_, count_;
    std::vector<double> rows_, products_, means_;
};

}  // namespace

SsimSums structural_similarity(const SsimOptions& options, const double* x, const double* y, const std::uint8_t* known,
                               std::int64_t height, std::int64_t width) {
    SsimSums sums;
    const std::int64_t side = options.side();
    if (height < side || width < side) return sums;
    const double c1 = std::pow(0.01 * options.data_range, 2), c2 = std::pow(0.03 * options.data_range, 2);
    const auto area = static_cast<double>(side * side);
    const double unbias = options.gaussian ? 1.0 : area / (area - 1.0);
    SlidingWindow window(options, width);
    std::vector<double> contrast(static_cast<std::size_t>(window.count())), structure = contrast;
    for (std::int64_t row = 0; row < height; ++row) {
        window.read(row, x + row * width, y + row * width);
        if (row + 1 < side) continue;
        compare(window.means(row), window.count(), c1, c2, unbias, contrast.data(), structure.data());
        const std::int64_t centre = (row - side / 2) * width + side / 2;
        for (std::int64_t i = 0; i < window.count(); ++i) {
            if (known != nullptr && known[centre + i] == 0) continue;
            sums.structure += structure[static_cast<std::size_t>(i)];
            sums.contrast += contrast[static_cast<std::size_t>(i)];
            ++sums.windows;
        }
    }
    return sums;
}

Plane Plane::halved() const {
    Plane out;
    out.height = (height + 1) / 2;
    out.width = (width + 1) / 2;
    const auto size = static_cast<std::size_t>(out.height * out.width);
    out.x.reserve(size), out.y.reserve(size);
    for (std::int64_t r = 0; r < height; r += 2) {
        for (std::int64_t c = 0; c < width; c += 2) {
            const std::int64_t below = std::min(r + 1, height - 1), right = std::min(c + 1, width - 1);
            const std::array<std::size_t, 4> at = {
                static_cast<std::size_t>(r * width + c), static_cast<std::size_t>(r * width + right),
                static_cast<std::size_t>(below * width + c), static_cast<std::size_t>(below * width + right)};
            out.x.push_back(0.25 * (x[at[0]] + x[at[1]] + x[at[2]] + x[at[3]]));
            out.y.push_back(0.25 * (y[at[0]] + y[at[1]] + y[at[2]] + y[at[3]]));
            if (known.empty()) continue;
            out.known.push_back(std::all_of(at.begin(), at.end(), [&](std::size_t i) { return known[i] != 0; }));
        }
    }
    return out;
}

double multi_scale_ssim(const SsimOptions& options, const Plane& plane, const SsimSums& first) {
    constexpr std::array<double, 5> kWeights = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
    std::vector<SsimSums> scales = {first};
    Plane coarse = plane;
    while (scales.size() < kWeights.size() && scales.back().windows > 0) {
        if ((std::min(coarse.height, coarse.width) + 1) / 2 < options.side()) break;
        coarse = coarse.halved();
        const std::uint8_t* known = coarse.known.empty() ? nullptr : coarse.known.data();
        const SsimSums sums =
            structural_similarity(options, coarse.x.data(), coarse.y.data(), known, coarse.height, coarse.width);
        if (sums.windows == 0) break;  // too little is known
        scales.push_back(sums);
    }
    double product = 1.0, weights = 0.0;
    for (std::size_t i = 0; i < scales.size(); ++i) weights += kWeights[i];
    for (std::size_t i = 0; i < scales.size(); ++i) {
        const bool coarsest = i + 1 == scales.size();
        const double sum = coarsest ? scales[i].structure : scales[i].contrast;
        const double mean = sum / static_cast<double>(scales[i].windows);
        if (scales.size() == 1) return mean;
        product *= std::pow(std::max(mean, 0.0), kWeights[i] / weights);
    }
    return product;
}

}  // namespace nowcell
