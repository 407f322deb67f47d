// The fractions skill score.
#include "predict/scores/families.h"
#include "predict/scores/wide.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace nowcell {

// f, o: at i the counts left of a window, `side` further those up to its right end. Adds the sums of (F - O)^2 and of
// F^2 + O^2: whole numbers below 2^53, so that no order of adding rounds.
NOWCELL_WIDE static void square_sums(const std::int32_t* f, const std::int32_t* o, std::int64_t side,
                                     std::int64_t count, double* sums) {
    std::array<double, 4> differences = {}, squares = {};
    std::int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        for (std::size_t k = 0; k < 4; ++k) {
            const std::int64_t at = i + static_cast<std::int64_t>(k);
            const auto x = static_cast<double>(f[at + side] - f[at]), y = static_cast<double>(o[at + side] - o[at]);
            differences[k] += (x - y) * (x - y);
            squares[k] += x * x + y * y;
        }
    }
    for (; i < count; ++i) {
        const auto x = static_cast<double>(f[i + side] - f[i]), y = static_cast<double>(o[i + side] - o[i]);
        differences[0] += (x - y) * (x - y);
        squares[0] += x * x + y * y;
    }
    for (std::size_t k = 0; k < 4; ++k) sums[0] += differences[k], sums[1] += squares[k];
}

NOWCELL_WIDE static void mark_events(const float* field, std::int64_t count, float limit, std::int32_t* events) {
    for (std::int64_t i = 0; i < count; ++i) events[i] = field[i] >= limit ? 1 : 0;
}

// out = a + sign b
NOWCELL_WIDE static void combine(const std::int32_t* a, const std::int32_t* b, std::int32_t sign, std::int64_t count,
                                 std::int32_t* out) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = a[i] + sign * b[i];
}

namespace {

// How many known values of a plane reach a limit, above and left of each corner: (H+1, W+1).
class Corners {
 public:
    Corners(const FramePair& plane, const float* field, float limit)
        : width_(plane.width), counts_(static_cast<std::size_t>((plane.height + 1) * (plane.width + 1)), 0) {
        for (std::int64_t r = 0; r < plane.height; ++r) {
            std::int32_t* out = counts_.data() + (r + 1) * (width_ + 1);
            mark_events(field + r * width_, width_, limit, out + 1);
            for (std::int64_t c = 0; plane.known != nullptr && c < width_; ++c) {
                if (plane.known[r * width_ + c] == 0) out[c + 1] = 0;
            }
            for (std::int64_t c = 0; c < width_; ++c) out[c + 1] += out[c];
            combine(out, row(r), 1, width_ + 1, out);
        }
    }

    // Of rows [top, bottom), the counts left of each column from `before` left of the first on: width + side + 1 of
    // them, as many as the windows of a row reach.
    void strip(std::int64_t top, std::int64_t bottom, std::int64_t before, std::vector<std::int32_t>& out) const {
        combine(row(bottom), row(top), -1, width_ + 1, out.data() + before);
        std::fill(out.begin() + before + width_ + 1, out.end(), out[static_cast<std::size_t>(before + width_)]);
    }

 private:
    const std::int32_t* row(std::int64_t r) const { return counts_.data() + r * (width_ + 1); }

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
        for (std::size_t s = 0; s < scales_.size(); ++s) {
            const std::int64_t side = scales_[s], before = side / 2;
            std::vector<std::int32_t> f(static_cast<std::size_t>(plane.width + side + 1), 0), o = f;
            for (std::int64_t r = 0; r < plane.height; ++r) {
                const std::int64_t top = std::max<std::int64_t>(r - before, 0);
                const std::int64_t bottom = std::min(r - before + side, plane.height);
                forecast.strip(top, bottom, before, f);
                truth.strip(top, bottom, before, o);
                add_row(plane, r, side, f, o, sums + 2 * s);
            }
        }
    }

    // Windows round missing values take no part.
    static void add_row(const FramePair& plane, std::int64_t row, std::int64_t side, const std::vector<std::int32_t>& f,
                        const std::vector<std::int32_t>& o, double* sums) {
        if (plane.known == nullptr) return square_sums(f.data(), o.data(), side, plane.width, sums);
        for (std::int64_t c = 0; c < plane.width; ++c) {
            if (plane.counts(row * plane.width + c)) square_sums(f.data() + c, o.data() + c, side, 1, sums);
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
