// Scores of events: a value at or above a threshold.
#include "predict/scores/families.h"
#include "predict/scores/wide.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace nowcell {
namespace {

// Hits, false alarms, misses and correct negatives.
struct Table {
    double a, b, c, d;
};

struct Formula {
    std::string name;
    double (*score)(const Table& table, double over, double under);  // what is added to numerator and denominator
};

double ets(const Table& t) {
    const double random = (t.a + t.b) * (t.a + t.c) / (t.a + t.b + t.c + t.d);
    return (t.a - random) / (t.a + t.b + t.c - random);
}

double hss(const Table& t) {
    return 2.0 * (t.a * t.d - t.b * t.c) / ((t.a + t.c) * (t.c + t.d) + (t.a + t.b) * (t.b + t.d));
}

double sedi(const Table& t) {
    const double hit = t.a / (t.a + t.c), false_alarm = t.b / (t.b + t.d);
    const double up = std::log(false_alarm) - std::log(hit) + std::log(1.0 - hit) - std::log(1.0 - false_alarm);
    return up / (std::log(false_alarm) + std::log(hit) + std::log(1.0 - hit) + std::log(1.0 - false_alarm));
}

double mcc(const Table& t) {
    return (t.a * t.d - t.b * t.c) / std::sqrt((t.a + t.b) * (t.a + t.c) * (t.d + t.b) * (t.d + t.c));
}

const std::array<Formula, 13> kFormulas = {{
    {"pod", [](const Table& t, double over, double under) { return (t.a + over) / (t.a + t.c + under); }},
    {"far", [](const Table& t, double, double) { return t.b / (t.a + t.b); }},
    {"success-ratio", [](const Table& t, double over, double under) { return (t.a + over) / (t.a + t.b + under); }},
    {"pofd", [](const Table& t, double, double) { return t.b / (t.b + t.d); }},
    {"csi", [](const Table& t, double over, double under) { return (t.a + over) / (t.a + t.b + t.c + under); }},
    {"frequency-bias",
     [](const Table& t, double over, double under) { return (t.a + t.b + over) / (t.a + t.c + under); }},
    {"ets", [](const Table& t, double, double) { return ets(t); }},
    {"hss", [](const Table& t, double, double) { return hss(t); }},
    {"hk", [](const Table& t, double, double) { return t.a / (t.a + t.c) - t.b / (t.b + t.d); }},
    {"acc", [](const Table& t, double, double) { return (t.a + t.d) / (t.a + t.b + t.c + t.d); }},
    {"sedi", [](const Table& t, double, double) { return sedi(t); }},
    {"mcc", [](const Table& t, double, double) { return mcc(t); }},
    {"f1", [](const Table& t, double, double) { return 2.0 * t.a / (2.0 * t.a + t.b + t.c); }},
}};

const Formula& formula_of(const std::string& name) {
    return *std::find_if(kFormulas.begin(), kFormulas.end(), [&](const Formula& one) { return one.name == name; });
}

// Data are float32, and so is what they are compared with: 0.7 is at or above a threshold of 0.7.
float limit_of(double threshold, bool above) {
    const auto limit = static_cast<float>(threshold);
    return above ? std::nextafter(limit, std::numeric_limits<float>::infinity()) : limit;
}

// The largest known value of each block of a plane; blocks at the far borders may be smaller. A block of which nothing
// is known is left out.
struct Blocks {
    std::vector<float> forecast, truth;

    Blocks(const FramePair& plane, std::int64_t side) {
        const std::int64_t columns = (plane.width + side - 1) / side;
        const auto blocks = static_cast<std::size_t>((plane.height + side - 1) / side * columns);
        constexpr float kNone = -std::numeric_limits<float>::infinity();
        std::vector<float> f(blocks, kNone), o(blocks, kNone);
        std::vector<char> any(blocks, 0);
        for (std::int64_t row = 0; row < plane.height; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                const auto at = static_cast<std::size_t>(row / side * columns + column);
                const std::int64_t end = std::min((column + 1) * side, plane.width);
                for (std::int64_t i = row * plane.width + column * side; i < row * plane.width + end; ++i) {
                    if (!plane.counts(i)) continue;
                    f[at] = std::max(f[at], plane.forecast[i]);
                    o[at] = std::max(o[at], plane.truth[i]);
                    any[at] = 1;
                }
            }
        }
        for (std::size_t at = 0; at < blocks; ++at) {
            if (any[at] == 0) continue;
            forecast.push_back(f[at]);
            truth.push_back(o[at]);
        }
    }
};

constexpr std::int64_t kBlock = 1 << 20;  // fewer than 2^32 values, in 32-bit counts

}  // namespace

NOWCELL_WIDE static void count_block(const float* forecast, const float* truth, std::int64_t count, float limit,
                                     std::uint32_t* counts) {
    std::uint32_t both = 0, forecast_only = 0, truth_only = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::uint32_t f = forecast[i] >= limit ? 1U : 0U, o = truth[i] >= limit ? 1U : 0U;
        both += f & o;
        forecast_only += f & ~o & 1U;
        truth_only += o & ~f & 1U;
    }
    counts[0] = both, counts[1] = forecast_only, counts[2] = truth_only;
}

namespace {

// Adds hits, false alarms, misses and correct negatives to sums.
void count(const float* forecast, const float* truth, std::int64_t values, float limit, double* sums) {
    for (std::int64_t first = 0; first < values; first += kBlock) {
        const std::int64_t part = std::min(kBlock, values - first);
        std::array<std::uint32_t, 3> counts;
        count_block(forecast + first, truth + first, part, limit, counts.data());
        for (std::size_t i = 0; i < counts.size(); ++i) sums[i] += static_cast<double>(counts[i]);
        sums[3] += static_cast<double>(part - counts[0] - counts[1] - counts[2]);
    }
}

class Contingency : public ScoreFamily {
 public:
    explicit Contingency(const ContingencyRules& rules) : rules_(rules) {
        for (const std::string& name : rules.scores) {
            const bool mean = name.size() > 2 && name.compare(name.size() - 2, 2, "-m") == 0;
            const Formula* formula = &formula_of(mean ? name.substr(0, name.size() - 2) : name);
            for (std::size_t k = 0; k < (mean ? 1 : rules.thresholds.size()); ++k) {
                const std::optional<double> threshold = mean ? std::nullopt : std::optional(rules.thresholds[k]);
                quantities_.push_back({rules.prefix + name, threshold, rules.pool});
                entries_.push_back({formula, mean ? kAll : k});
            }
        }
    }

    std::size_t slots(const FramePair&) const override { return 4 * rules_.limits.size(); }

    void measure(const FramePair& frame, double* sums) const override {
        if (rules_.pool == 0 && frame.known == nullptr) {
            count_all(frame.forecast, frame.truth, frame.values(), sums);
            return;
        }
        for (std::int64_t c = 0; c < frame.channels; ++c) {
            const Blocks blocks(frame.channel(c), std::max<std::int64_t>(rules_.pool, 1));
            count_all(blocks.forecast.data(), blocks.truth.data(), static_cast<std::int64_t>(blocks.truth.size()),
                      sums);
        }
    }

    std::vector<std::size_t> parts(std::size_t index, std::size_t slots) const override {
        const std::size_t k = entries_[index].threshold;
        std::vector<std::size_t> at;
        for (std::size_t i = k == kAll ? 0 : 4 * k; i < (k == kAll ? slots : 4 * k + 4); ++i) at.push_back(i);
        return at;
    }

    double score(std::size_t index, const std::vector<double>& parts) const override {
        double sum = 0.0;
        for (std::size_t i = 0; i < parts.size(); i += 4) {
            sum += entries_[index].formula->score({parts[i], parts[i + 1], parts[i + 2], parts[i + 3]},
                                                  rules_.epsilon_over, rules_.epsilon_under);
        }
        return sum / static_cast<double>(parts.size() / 4);
    }

    Across across(std::size_t index) const override {
        const bool ratio = entries_[index].formula->name == "frequency-bias";
        return rules_.across == Across::log_mean_of_leads && !ratio ? Across::mean_of_leads : rules_.across;
    }

 private:
    static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
    struct Entry {
        const Formula* formula;
        std::size_t threshold;  // kAll: the mean over all
    };

    void count_all(const float* forecast, const float* truth, std::int64_t values, double* sums) const {
        for (std::size_t k = 0; k < rules_.limits.size(); ++k) {
            count(forecast, truth, values, limit_of(rules_.limits[k], rules_.above), sums + 4 * k);
        }
    }

    ContingencyRules rules_;
    std::vector<Entry> entries_;
};

}  // namespace

const std::vector<std::string>& contingency_scores() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const Formula& formula : kFormulas) all.push_back(formula.name);
        return all;
    }();
    return names;
}

std::shared_ptr<const ScoreFamily> contingency_family(const ContingencyRules& rules) {
    return std::make_shared<Contingency>(rules);
}

}  // namespace nowcell
