#include "predict/scores/ensemble_sums.h"

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

template <typename T>
void add_each(std::vector<T>& to, const std::vector<T>& from) {
    std::transform(to.begin(), to.end(), from.begin(), to.begin(), std::plus<T>());
}

// sorted: ascending.
void add_intervals(const std::vector<float>& sorted, double truth, bool strict, EnsembleSums& sums) {
    const std::size_t members = sorted.size();
    const double first = sorted.front(), last = sorted.back();
    if (truth < first) sums.above[0] += first - truth;
    if (truth > last) sums.below[members] += truth - last;
    if (first == last) return;
    for (std::size_t i = 1; i < members; ++i) {
        const double low = sorted[i - 1], high = sorted[i];
        if (strict && (truth == low || truth == high)) continue;
        const double middle = std::clamp(truth, low, high);
        sums.below[i] += middle - low;
        sums.above[i] += high - middle;
    }
}

void add_moments(const std::vector<float>& values, double truth, EnsembleSums& sums) {
    const auto members = static_cast<double>(values.size());
    double mean = 0.0, squares = 0.0;
    for (const float value : values) mean += value - truth;
    mean /= members;
    for (const float value : values) squares += (value - truth - mean) * (value - truth - mean);
    sums.squared_error += mean * mean;
    if (values.size() > 1) sums.variance += squares / (members - 1.0);
}

// sorted: ascending.
void count_pixel(const EnsembleRules& rules, const std::vector<float>& sorted, float truth, EnsembleSums& sums,
                 EnsembleCounts& counts) {
    const std::size_t members = rules.members, side = members + 1;
    const auto range = std::equal_range(sorted.begin(), sorted.end(), truth);
    const auto below = static_cast<std::size_t>(range.first - sorted.begin());
    const auto equal = static_cast<std::size_t>(range.second - range.first);
    if (below == 0 && equal == 0) ++counts.truth_below;
    if (below == members) ++counts.truth_above;
    ++counts.ranks[below * side + equal];
    for (std::size_t k = 0; k < rules.thresholds.size(); ++k) {
        const float threshold = rules.thresholds[k];
        const auto dry =
            static_cast<std::size_t>(std::lower_bound(sorted.begin(), sorted.end(), threshold) - sorted.begin());
        const bool event = truth >= threshold;
        ++counts.events[(k * side + members - dry) * 2 + (event ? 1 : 0)];
        const auto error = static_cast<std::int64_t>(members - dry) - static_cast<std::int64_t>(event ? members : 0);
        sums.squares[k] += error * error;
        if (!event && dry == members) continue;
        ++counts.ranks[((k + 1) * side + (event ? below : 0)) * side + (event ? equal : dry)];
    }
}

// Squared errors of each member and squared differences of each pair, of one frame.
class PairSums {
 public:
    explicit PairSums(std::size_t members) : members_(members), of_members_(members), of_pairs_(members * members) {}

    void add(const std::vector<float>& values, double truth) {
        for (std::size_t i = 0; i < members_; ++i) {
            of_members_[i] += (values[i] - truth) * (values[i] - truth);
            for (std::size_t j = i + 1; j < members_; ++j) {
                const double difference = static_cast<double>(values[i]) - values[j];
                of_pairs_[i * members_ + j] += difference * difference;
            }
        }
    }

    void finish(EnsembleSums& sums) const {
        const auto pixels = static_cast<double>(sums.pixels), members = static_cast<double>(members_);
        for (const double squares : of_members_) sums.member_rmse += std::sqrt(squares / pixels) / members;
        if (members_ < 2) return;
        for (const double squares : of_pairs_)  // those that are no pairs are 0
            sums.pair_rmse += std::sqrt(squares / pixels) / (members * (members - 1.0) / 2.0);
    }

 private:
    std::size_t members_;
    std::vector<double> of_members_, of_pairs_;
};

}  // namespace

EnsembleSums::EnsembleSums(const EnsembleRules& rules)
    : below(rules.members + 1), above(rules.members + 1), squares(rules.thresholds.size()) {}

void EnsembleSums::add(const EnsembleSums& other) {
    pixels += other.pixels;
    broken += other.broken;
    add_each(below, other.below);
    add_each(above, other.above);
    variance += other.variance;
    squared_error += other.squared_error;
    add_each(squares, other.squares);
    frames += other.frames;
    member_rmse += other.member_rmse;
    pair_rmse += other.pair_rmse;
}

EnsembleCounts::EnsembleCounts(const EnsembleRules& rules)
    : events(rules.thresholds.size() * (rules.members + 1) * 2),
      ranks((rules.thresholds.size() + 1) * (rules.members + 1) * (rules.members + 1)) {}

void EnsembleCounts::add(const EnsembleCounts& other) {
    truth_below += other.truth_below;
    truth_above += other.truth_above;
    add_each(events, other.events);
    add_each(ranks, other.ranks);
}

EnsembleSums add_ensemble_frame(const EnsembleRules& rules, const float* members, std::size_t stride,
                                const float* truth, const bool* valid, std::size_t pixels, EnsembleCounts& counts) {
    EnsembleSums sums(rules);
    PairSums pairs(rules.pysteps ? rules.members : 0);
    std::vector<float> values(rules.members);
    for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
        if ((valid != nullptr && !valid[pixel]) || !std::isfinite(truth[pixel])) continue;
        for (std::size_t m = 0; m < values.size(); ++m) values[m] = members[m * stride + pixel];
        const bool finite = std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
        if (!finite && rules.pysteps) continue;
        ++sums.pixels;
        if (!finite) {
            ++sums.broken;
            continue;
        }
        if (rules.pysteps) pairs.add(values, truth[pixel]);
        if (!std::is_sorted(values.begin(), values.end())) std::sort(values.begin(), values.end());
        add_intervals(values, truth[pixel], rules.pysteps, sums);
        add_moments(values, truth[pixel], sums);
        count_pixel(rules, values, truth[pixel], sums, counts);
    }
    sums.frames = sums.pixels > 0 ? 1 : 0;
    if (rules.pysteps && sums.frames > 0) pairs.finish(sums);
    return sums;
}

}  // namespace nowcell
