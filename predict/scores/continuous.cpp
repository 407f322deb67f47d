// The continuous scores of pysteps (verification/detcontscores), and its two that need the order of all values.
#include "predict/scores/families.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

namespace nowcell {
namespace {

// Sums over pairs.
struct Moments {
    double count, error, absolute, square, whole;        // e, |e|, e^2, (f + o)^2
    double forecast, truth, forecasts, truths, product;  // f, o, f^2, o^2, f o

    double mean(double sum) const { return mean_of(sum, count); }
    double covariance() const { return mean(product) - mean(forecast) * mean(truth); }
    double variance_forecast() const { return mean(forecasts) - mean(forecast) * mean(forecast); }
    double variance_truth() const { return mean(truths) - mean(truth) * mean(truth); }
};

struct Formula {
    const char* name;
    double (*score)(const Moments& m);
};

constexpr std::size_t kShared = 4;  // which the error family has already
const std::array<Formula, 10> kFormulas = {{
    {"bias", [](const Moments& m) { return m.mean(m.error); }},
    {"mae", [](const Moments& m) { return m.mean(m.absolute); }},
    {"mse", [](const Moments& m) { return m.mean(m.square); }},
    {"rmse", [](const Moments& m) { return std::sqrt(m.mean(m.square)); }},
    {"nmse", [](const Moments& m) { return m.square / m.whole; }},
    {"beta1", [](const Moments& m) { return m.covariance() / m.variance_forecast(); }},
    {"beta2", [](const Moments& m) { return m.covariance() / m.variance_truth(); }},
    {"rv", [](const Moments& m) { return 1.0 - m.mean(m.square) / m.variance_truth(); }},
    {"drmse", [](const Moments& m) { return std::sqrt(m.mean(m.square) - m.mean(m.error) * m.mean(m.error)); }},
    {"corr-p",
     [](const Moments& m) {
         return m.covariance() / std::sqrt(m.variance_forecast()) / std::sqrt(m.variance_truth());
     }},
}};

class Continuous : public ScoreFamily {
 public:
    Continuous(Condition condition, const std::vector<double>& thresholds) : condition_(condition) {
        const bool plain = condition == Condition::none;
        for (const double threshold : thresholds) limits_.push_back(static_cast<float>(threshold));
        if (plain) limits_ = {0.0F};
        const char* suffix = plain ? "" : condition == Condition::either_above ? "-single" : "-double";
        for (std::size_t i = plain ? kShared : 0; i < kFormulas.size(); ++i) {
            for (std::size_t k = 0; k < limits_.size(); ++k) {
                const std::optional<double> threshold = plain ? std::nullopt : std::optional(thresholds[k]);
                quantities_.push_back({std::string(kFormulas[i].name) + suffix, threshold});
                entries_.push_back({i, k});
            }
        }
    }

    std::size_t slots(const FramePair&) const override { return kMoments * limits_.size(); }

    void measure(const FramePair& frame, double* sums) const override {
        for (std::size_t k = 0; k < limits_.size(); ++k) {
            for (std::int64_t i = 0; i < frame.values(); ++i) {
                if (frame.counts(i) && meets(frame.forecast[i], frame.truth[i], limits_[k])) {
                    add(frame.forecast[i], frame.truth[i], sums + kMoments * k);
                }
            }
        }
    }

    std::vector<std::size_t> parts(std::size_t index, std::size_t) const override {
        std::vector<std::size_t> at(kMoments);
        std::iota(at.begin(), at.end(), kMoments * entries_[index].threshold);
        return at;
    }

    double score(std::size_t index, const std::vector<double>& p) const override {
        return kFormulas[entries_[index].formula].score({p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9]});
    }

    bool keeps_windows() const override { return condition_ == Condition::none; }

 private:
    static constexpr std::size_t kMoments = 10;
    struct Entry {
        std::size_t formula, threshold;
    };

    bool meets(float forecast, float truth, float limit) const {
        switch (condition_) {
            case Condition::none: return true;
            case Condition::either_above: return forecast > limit || truth > limit;
            case Condition::both_above: return forecast > limit && truth > limit;
        }
        return false;
    }

    static void add(float forecast, float truth, double* sums) {
        const double f = forecast, o = truth, e = f - o;
        const std::array<double, kMoments> terms = {1.0, e, std::abs(e), e * e, (f + o) * (f + o),
                                                    f,   o, f * f,       o * o, f * o};
        for (std::size_t i = 0; i < kMoments; ++i) sums[i] += terms[i];
    }

    Condition condition_;
    std::vector<float> limits_;
    std::vector<Entry> entries_;
};

// The rank of each value, equal ones share the mean of theirs.
std::vector<double> ranks(const std::vector<float>& values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> out(values.size());
    for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
        while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
        for (std::size_t i = first; i < last; ++i) out[order[i]] = 0.5 * static_cast<double>(first + last - 1);
    }
    return out;
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
    const auto n = static_cast<double>(x.size());
    const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
    const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
    double xx = 0.0, yy = 0.0, xy = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    return xy / std::sqrt(xx * yy);
}

// Where the share of all weight first reaches `share`, between the points by a straight line.
double quantile(const std::vector<std::pair<double, double>>& points, double start, double whole, double share) {
    double before = 0.0, value = start;
    for (const auto& [error, weight] : points) {
        const double after = before + weight;
        if (after >= share * whole) {
            const double part = after > before ? (share * whole - before) / (after - before) : 1.0;
            return value + part * (error - value);
        }
        before = after;
        value = error;
    }
    return value;
}

}  // namespace

double rank_correlation(const std::vector<float>& forecast, const std::vector<float>& truth) {
    return truth.size() < 3 ? std::nan("") : correlation(ranks(forecast), ranks(truth));
}

double scatter(const std::vector<float>& forecast, const std::vector<float>& truth) {
    std::vector<std::pair<double, double>> points;
    double whole = 0.0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
        const double error = 10.0 * std::log10(static_cast<double>(forecast[i]) / static_cast<double>(truth[i]));
        if (!std::isfinite(error)) continue;
        points.emplace_back(error, truth[i]);
        whole += static_cast<double>(truth[i]);
    }
    if (points.empty()) return std::nan("");
    std::sort(points.begin(), points.end());
    const double start = points.front().first - (points.size() < truth.size() ? 1.0 : 0.0);
    return 0.5 * (quantile(points, start, whole, 0.84) - quantile(points, start, whole, 0.16));
}

namespace {

class Ranks : public ScoreFamily {
 public:
    Ranks() { quantities_ = {{"corr-s-frame"}, {"scatter-frame"}}; }

    std::size_t slots(const FramePair&) const override { return 4; }

    void measure(const FramePair& frame, double* sums) const override {
        for (std::int64_t c = 0; c < frame.channels; ++c) {
            const FramePair plane = frame.channel(c);
            std::vector<float> forecast, truth;
            for (std::int64_t i = 0; i < plane.pixels(); ++i) {
                if (!plane.counts(i)) continue;
                forecast.push_back(plane.forecast[i]);
                truth.push_back(plane.truth[i]);
            }
            add(rank_correlation(forecast, truth), sums);
            add(scatter(forecast, truth), sums + 2);
        }
    }

    std::vector<std::size_t> parts(std::size_t index, std::size_t) const override { return {2 * index, 2 * index + 1}; }

    double score(std::size_t, const std::vector<double>& parts) const override { return mean_of(parts[0], parts[1]); }

 private:
    static void add(double value, double* sums) {
        if (!std::isfinite(value)) return;
        sums[0] += value;
        sums[1] += 1.0;
    }
};

}  // namespace

std::shared_ptr<const ScoreFamily> continuous_family(Condition condition, const std::vector<double>& thresholds) {
    return std::make_shared<Continuous>(condition, thresholds);
}

std::shared_ptr<const ScoreFamily> rank_family() { return std::make_shared<Ranks>(); }

}  // namespace nowcell
