// The fractions skill score.
#include "predict/scores/families.h"
#include "predict/scores/wide.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace nowcell {

// out = a - b - c + d
NOWCELL_WIDE static void box(const std::int32_t* a, const std::int32_t* b, const std::int32_t* c, const std::int32_t* d,
                             std::int64_t count, double* out) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<double>(a[i] - b[i] - c[i] + d[i]);
}

// Whole numbers below 2^53, so that no order of adding rounds.
NOWCELL_WIDE static void square_sums(const double* f, const double* o, std::int64_t count, double* sums) {
    std::array<double, 4> differences = {}, squares = {};
    std::int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        for (std::int64_t k = 0; k < 4; ++k) {
            const double difference = f[i + k] - o[i + k];
            differences[static_cast<std::size_t>(k)] += difference * difference;
            squares[static_cast<std::size_t>(k)] += f[i + k] * f[i + k] + o[i + k] * o[i + k];
        }
    }
    for (; i < count; ++i) {
        differences[0] += (f[i] - o[i]) * (f[i] - o[i]);
        squares[0] += f[i] * f[i] + o[i] * o[i];
    }
    for (std::size_t k = 0; k < 4; ++k) sums[0] += differences[k], sums[1] += squares[k];
}

namespace {

// How many known values of a plane reach a limit, above and left of each corner: (H+1, W+1).
class Corners {
 public:
    Corners(const FramePair& plane, const float* field, float limit)
        : width_(plane.width), counts_(static_cast<std::size_t>((plane.height + 1) * (plane.width + 1)), 0) {
        for (std::int64_t r = 0; r < plane.height; ++r) {
            std::int32_t in_row = 0;
            for (std::int64_t c = 0; c < width_; ++c) {
                const std::int64_t i = r * width_ + c;
                in_row += field[i] >= limit && plane.counts(i) ? 1 : 0;
                counts_[static_cast<std::size_t>((r + 1) * (width_ + 1) + c + 1)] = row(r)[c + 1] + in_row;
            }
        }
    }

    const std::int32_t* row(std::int64_t r) const { return counts_.data() + r * (width_ + 1); }

    // The counts in rows [top, bottom) of the windows of that side round each column.
    void windows(std::int64_t top, std::int64_t bottom, std::int64_t side, double* out) const {
        const std::int32_t* high = row(top);
        const std::int32_t* low = row(bottom);
        const std::int64_t before = side / 2, after = side - before;  // of c: from c - before to c + after - 1
        const auto single = [&](std::int64_t c) {
            const std::int64_t left = std::max<std::int64_t>(c - before, 0), right = std::min(c + after, width_);
            out[c] = static_cast<double>(low[right] - high[right] - low[left] + high[left]);
        };
        const std::int64_t first = std::min(before, width_);
        const std::int64_t last = std::max(width_ - after + 1, first);
        for (std::int64_t c = 0; c < first; ++c) single(c);
        box(low + first + after, high + first + after, low + first - before, high + first - before, last - first,
            out + first);
        for (std::int64_t c = last; c < width_; ++c) single(c);
    }

 private:
    std::int64_t width_;
    std::vector<std::int32_t> counts_;
};

class Fractions : public ScoreFamily {
 public:
    Fractions(const std::vector<double>& thresholds, const std::vector<std::int64_t>& scales) : scales_(scales) {
        for (const double threshold : thresholds) {
            limits_.push_back(static_cast<float>(threshold));
            for (const std::int64_t scale : scales) quantities_.push_back({"fss", threshold, scale});
        }
    }

    std::size_t slots(const FramePair&) const override { return 2 * quantities_.size(); }

    void measure(const FramePair& frame, double* sums) const override {
        for (std::int64_t c = 0; c < frame.channels; ++c) {
            for (std::size_t k = 0; k < limits_.size(); ++k) {
                add(frame.channel(c), limits_[k], sums + 2 * k * scales_.size());
            }
        }
    }

    std::vector<std::size_t> parts(std::size_t index, std::size_t) const override { return {2 * index, 2 * index + 1}; }

    double score(std::size_t, const std::vector<double>& parts) const override {
        return 1.0 - mean_of(parts[0], parts[1]);
    }

 private:
    // Counts instead of fractions: the area of the window is in both sums.
    void add(const FramePair& plane, float limit, double* sums) const {
        const Corners forecast(plane, plane.forecast, limit), truth(plane, plane.truth, limit);
        std::vector<double> f(static_cast<std::size_t>(plane.width)), o = f;
        for (std::size_t s = 0; s < scales_.size(); ++s) {
            const std::int64_t before = scales_[s] / 2;
            for (std::int64_t r = 0; r < plane.height; ++r) {
                const std::int64_t top = std::max<std::int64_t>(r - before, 0);
                const std::int64_t bottom = std::min(r - before + scales_[s], plane.height);
                forecast.windows(top, bottom, scales_[s], f.data());
                truth.windows(top, bottom, scales_[s], o.data());
                if (plane.known != nullptr) forget(plane.known + r * plane.width, f, o);
                square_sums(f.data(), o.data(), plane.width, sums + 2 * s);
            }
        }
    }

    // Windows round missing values take no part.
    static void forget(const std::uint8_t* known, std::vector<double>& f, std::vector<double>& o) {
        for (std::size_t c = 0; c < f.size(); ++c) {
            if (known[c] == 0) f[c] = o[c] = 0.0;
        }
    }

    std::vector<float> limits_;
    std::vector<std::int64_t> scales_;
};

}  // namespace

std::shared_ptr<const ScoreFamily> fraction_family(const std::vector<double>& thresholds,
                                                   const std::vector<std::int64_t>& scales) {
    return std::make_shared<Fractions>(thresholds, scales);
}

}  // namespace nowcell
