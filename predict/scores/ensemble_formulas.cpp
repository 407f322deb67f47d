#include "predict/scores/ensemble_formulas.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

namespace nowcell {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::size_t members_of(Events events) { return events.size() / 2 - 1; }

double probability(std::size_t count, std::size_t members) {
    return static_cast<double>(count) / static_cast<double>(members);
}

// The interval's forecast probability of the truth being below its upper end.
double level(std::size_t interval, const EnsembleSums& sums) { return probability(interval, sums.below.size() - 1); }

std::int64_t pixels_of(Events events) { return std::accumulate(events.begin(), events.end(), std::int64_t{0}); }

// Least probabilities that count as a forecast of the event, descending.
std::vector<double> warning_levels(std::size_t members, bool pysteps) {
    constexpr std::size_t kLast = 9;
    std::vector<double> levels;
    if (!pysteps) levels.push_back(2.0);  // never
    for (std::size_t i = pysteps ? kLast : members; i < std::numeric_limits<std::size_t>::max(); --i) {
        // pysteps' levels as NumPy's linspace rounds them.
        const double numpys = i == kLast ? 1.0 : static_cast<double>(i) * (1.0 / static_cast<double>(kLast));
        levels.push_back(pysteps ? numpys : probability(i, members));
    }
    return levels;
}

// As pysteps' np.linspace(-1e-6, 1 + 1e-6, 11).
std::array<double, kReliabilityBins + 1> bin_edges() {
    constexpr double kMargin = 1e-6;
    std::array<double, kReliabilityBins + 1> edges{};
    const double step = (1.0 + kMargin + kMargin) / static_cast<double>(kReliabilityBins);
    for (std::size_t i = 0; i < kReliabilityBins; ++i) edges[i] = static_cast<double>(i) * step - kMargin;
    edges.back() = 1.0 + kMargin;
    return edges;
}

ScoreCurve empty_curve(const char* kind, const char* x_label, const char* y_label) {
    ScoreCurve curve;
    curve.kind = kind;
    curve.x_label = x_label;
    curve.y_label = y_label;
    return curve;
}

}  // namespace

double crps_total(const EnsembleSums& sums) {
    double total = 0.0;
    for (std::size_t i = 0; i < sums.below.size(); ++i) {
        const double p = level(i, sums);
        total += sums.below[i] * p * p + sums.above[i] * (1.0 - p) * (1.0 - p);
    }
    return total;
}

double fair_crps_total(const EnsembleSums& sums) {
    // Mean |member - truth| less half the mean |member - other member|, as integrals over the distribution function.
    const auto members = static_cast<double>(sums.below.size() - 1);
    double error = 0.0, pairs = 0.0;
    for (std::size_t i = 0; i < sums.below.size(); ++i) {
        const double p = level(i, sums);
        error += sums.below[i] * p + sums.above[i] * (1.0 - p);
        pairs += (sums.below[i] + sums.above[i]) * p * (1.0 - p);
    }
    return error - pairs * members / (members - 1.0);
}

double brier_total(const EnsembleSums& sums, std::size_t threshold) {
    const auto members = static_cast<double>(sums.below.size() - 1);
    return static_cast<double>(sums.squares[threshold]) / (members * members);
}

CrpsParts crps_parts(const EnsembleSums& sums, const EnsembleCounts& counts) {
    const auto pixels = static_cast<double>(sums.pixels);
    const std::size_t members = sums.below.size() - 1;
    CrpsParts parts;
    for (std::size_t i = 0; i <= members; ++i) {
        const double below = sums.below[i] / pixels, above = sums.above[i] / pixels;
        if (below + above == 0.0) continue;
        double width = below + above, frequency = above / width;
        if (i == 0 || i == members) {  // outside all members, where the width is one as if it were of all pixels
            frequency = static_cast<double>(i == 0 ? counts.truth_below : sums.pixels - counts.truth_above) / pixels;
            width = i == 0 ? above / frequency : below / (1.0 - frequency);
        }
        const double error = frequency - level(i, sums);
        parts.reliability += width * error * error;
        parts.potential += width * frequency * (1.0 - frequency);
    }
    return parts;
}

BrierParts brier_parts(Events events) {
    const auto pixels = static_cast<double>(pixels_of(events));
    if (pixels == 0.0) return {kNaN, kNaN, kNaN};
    double happened = 0.0;
    for (std::size_t n = 0; n < events.size() / 2; ++n) happened += static_cast<double>(events[2 * n + 1]) / pixels;
    BrierParts parts{.uncertainty = happened * (1.0 - happened)};
    for (std::size_t n = 0; n < events.size() / 2; ++n) {
        const auto cases = static_cast<double>(events[2 * n] + events[2 * n + 1]);
        if (cases == 0.0) continue;
        const double frequency = static_cast<double>(events[2 * n + 1]) / cases;
        const double error = probability(n, members_of(events)) - frequency;
        parts.reliability += cases / pixels * error * error;
        parts.resolution += cases / pixels * (frequency - happened) * (frequency - happened);
    }
    return parts;
}

ScoreCurve roc_curve(Events events, bool pysteps) {
    const std::size_t members = members_of(events);
    ScoreCurve curve = empty_curve("roc", "false alarm rate", "probability of detection");
    std::array<std::int64_t, 2> all{};
    for (std::size_t n = 0; n <= members; ++n)
        for (std::size_t event = 0; event < 2; ++event) all[event] += events[2 * n + event];
    if (all[0] == 0 || all[1] == 0) return curve;
    for (const double least : warning_levels(members, pysteps)) {
        std::array<std::int64_t, 2> warned{};
        for (std::size_t n = 0; n <= members; ++n)
            for (std::size_t event = 0; event < 2; ++event)
                if (probability(n, members) >= least) warned[event] += events[2 * n + event];
        curve.x.push_back(static_cast<double>(warned[0]) / static_cast<double>(all[0]));
        curve.y.push_back(static_cast<double>(warned[1]) / static_cast<double>(all[1]));
    }
    return curve;
}

double roc_area(Events events, bool pysteps) {
    const ScoreCurve curve = roc_curve(events, pysteps);
    if (curve.x.empty()) return kNaN;
    double area = curve.x[0] * curve.y[0] / 2.0;
    for (std::size_t i = 1; i < curve.x.size(); ++i)
        area += (curve.x[i] - curve.x[i - 1]) * (curve.y[i] + curve.y[i - 1]) / 2.0;
    return area;
}

ScoreCurve reliability_curve(Events events, std::int64_t least) {
    const auto edges = bin_edges();
    const std::size_t members = members_of(events);
    std::array<double, kReliabilityBins> forecast{};
    std::array<std::int64_t, kReliabilityBins> happened{}, cases{};
    for (std::size_t n = 0; n <= members; ++n) {
        const double p = probability(n, members);
        const auto bin = static_cast<std::size_t>(std::lower_bound(edges.begin(), edges.end(), p) - edges.begin()) - 1;
        const std::int64_t count = events[2 * n] + events[2 * n + 1];
        forecast[bin] += p * static_cast<double>(count);
        happened[bin] += events[2 * n + 1];
        cases[bin] += count;
    }
    ScoreCurve curve = empty_curve("reliability", "forecast probability", "observed frequency");
    for (std::size_t bin = 0; bin < kReliabilityBins; ++bin) {
        if (cases[bin] < least) continue;
        const auto weight = static_cast<double>(cases[bin]);
        curve.x.push_back(forecast[bin] / weight);
        curve.y.push_back(static_cast<double>(happened[bin]) / weight);
        curve.weight.push_back(weight);
    }
    return curve;
}

ScoreCurve rank_histogram(std::span<const std::int64_t> counts, std::size_t members) {
    ScoreCurve curve = empty_curve("rank histogram", "members below the truth", "share of pixels");
    const auto pixels = static_cast<double>(pixels_of(counts));
    if (pixels == 0.0) return curve;
    curve.weight.assign(members + 1, 0.0);
    for (std::size_t below = 0; below <= members; ++below)
        for (std::size_t equal = 0; below + equal <= members; ++equal) {
            const double share =
                static_cast<double>(counts[below * (members + 1) + equal]) / static_cast<double>(equal + 1);
            for (std::size_t rank = below; rank <= below + equal; ++rank) curve.weight[rank] += share;
        }
    for (std::size_t rank = 0; rank <= members; ++rank) {
        curve.x.push_back(static_cast<double>(rank));
        curve.y.push_back(curve.weight[rank] / pixels);
    }
    return curve;
}

}  // namespace nowcell
