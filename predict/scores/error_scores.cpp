// Means of errors over values.
#include "predict/scores/families.h"
#include "src/error.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace nowcell {

double mean_of(double sum, double weight) { return weight == 0.0 ? std::nan("") : sum / weight; }

namespace {

class Errors : public ScoreFamily {
 public:
    Errors() { quantities_ = {{"mae"}, {"mse"}, {"rmse"}, {"bias"}}; }

    std::size_t slots(const FramePair&) const override { return 4; }

    void measure(const FramePair& frame, double* sums) const override {
        double absolute = 0.0, square = 0.0, error = 0.0;
        std::int64_t count = 0;
        for (std::int64_t i = 0; i < frame.values(); ++i) {
            if (!frame.counts(i)) continue;
            const double e = static_cast<double>(frame.forecast[i]) - static_cast<double>(frame.truth[i]);
            absolute += std::abs(e);
            square += e * e;
            error += e;
            ++count;
        }
        sums[kAbsolute] = absolute;
        sums[kSquare] = square;
        sums[kError] = error;
        sums[kCount] = static_cast<double>(count);
    }

    std::vector<std::size_t> parts(std::size_t index, std::size_t) const override {
        return {index == 0 ? kAbsolute : index == 3 ? kError : kSquare, kCount};
    }

    double score(std::size_t index, const std::vector<double>& parts) const override {
        const double mean = mean_of(parts[0], parts[1]);
        return index == 2 ? std::sqrt(mean) : mean;
    }

 private:
    static constexpr std::size_t kAbsolute = 0, kSquare = 1, kError = 2, kCount = 3;
};

// OpenSTL's: sums over a frame, means over frames.
class FrameSums : public ScoreFamily {
 public:
    explicit FrameSums(const PixelScale& scale) : scale_(scale) { quantities_ = {{"mae"}, {"mse"}, {"rmse"}}; }

    std::size_t slots(const FramePair&) const override { return 3; }

    void measure(const FramePair& frame, double* sums) const override {
        bool any = false;
        for (std::int64_t i = 0; i < frame.values(); ++i) {
            if (!frame.counts(i)) continue;
            const double e = scale_(frame.forecast[i]) - scale_(frame.truth[i]);
            sums[0] += std::abs(e);
            sums[1] += e * e;
            any = true;
        }
        sums[2] = any ? 1.0 : 0.0;
    }

    std::vector<std::size_t> parts(std::size_t index, std::size_t) const override { return {index == 0 ? 0U : 1U, 2U}; }

    double score(std::size_t index, const std::vector<double>& parts) const override {
        const double mean = mean_of(parts[0], parts[1]);
        return index == 2 ? std::sqrt(mean) : mean;
    }

 private:
    PixelScale scale_;
};

// HKO-7's: sums over a frame on 0..1, the heavier the stronger the rain that fell; means over all frames.
class Balanced : public ScoreFamily {
 public:
    explicit Balanced(const PixelScale& scale) : scale_(scale) {
        quantities_ = {{"mse"}, {"mae"}, {"b-mse"}, {"b-mae"}, {"gdl"}};
        for (const double rate : {0.5, 2.0, 5.0, 10.0, 30.0}) {
            limits_.push_back(static_cast<float>(scale.from_rain_rate(rate)));
        }
    }

    std::size_t slots(const FramePair&) const override { return 6; }

    void measure(const FramePair& frame, double* sums) const override {
        std::vector<double> forecast(static_cast<std::size_t>(frame.values())), truth = forecast;
        for (std::int64_t i = 0; i < frame.values(); ++i) {
            if (!frame.counts(i)) continue;
            const auto at = static_cast<std::size_t>(i);
            forecast[at] = scale_(frame.forecast[i]);
            truth[at] = scale_(frame.truth[i]);
            check(frame.truth[i], truth[at]);
            const double e = forecast[at] - truth[at], weight = weight_of(frame.truth[i]);
            sums[0] += e * e;
            sums[1] += std::abs(e);
            sums[2] += weight * e * e;
            sums[3] += weight * std::abs(e);
        }
        for (std::int64_t i = 0; i < frame.values(); ++i) {
            const std::int64_t row = i / frame.width % frame.height, column = i % frame.width;
            if (row + 1 < frame.height) sums[4] += step_error(frame, forecast, truth, i, i + frame.width);
            if (column + 1 < frame.width) sums[4] += step_error(frame, forecast, truth, i, i + 1);
        }
        sums[5] = 1.0;  // frames of which nothing is known count too
    }

    std::vector<std::size_t> parts(std::size_t index, std::size_t) const override { return {index, 5U}; }

    double score(std::size_t, const std::vector<double>& parts) const override { return mean_of(parts[0], parts[1]); }

 private:
    double weight_of(float truth) const {
        constexpr std::array<double, 6> kWeights = {1.0, 1.0, 2.0, 5.0, 10.0, 30.0};
        std::size_t level = 0;
        while (level < limits_.size() && truth >= limits_[level]) ++level;
        return kWeights[level];
    }

    // Rain rates without units would pass for pixels.
    static void check(float value, double pixel) {
        if (pixel >= -kTolerance && pixel <= 1.0 + kTolerance) return;
        throw Error(ExitCode::data, fmt::format("hko7 takes pixels of 0 to 1 from data in units of 1: got {}", value),
                    "", "say --units mm/h where the data are rain rates");
    }

    static double step_error(const FramePair& frame, const std::vector<double>& forecast,
                             const std::vector<double>& truth, std::int64_t from, std::int64_t to) {
        if (!frame.counts(from) || !frame.counts(to)) return 0.0;
        const auto a = static_cast<std::size_t>(from), b = static_cast<std::size_t>(to);
        return std::abs(std::abs(forecast[b] - forecast[a]) - std::abs(truth[b] - truth[a]));
    }

    static constexpr double kTolerance = 1e-3;
    PixelScale scale_;
    std::vector<float> limits_;
};

}  // namespace

std::shared_ptr<const ScoreFamily> error_family() { return std::make_shared<Errors>(); }

std::shared_ptr<const ScoreFamily> frame_sum_family(const PixelScale& scale) {
    return std::make_shared<FrameSums>(scale);
}

std::shared_ptr<const ScoreFamily> balanced_family(const PixelScale& scale) {
    return std::make_shared<Balanced>(scale);
}

}  // namespace nowcell
