#include "predict/scores/ensemble_scores.h"

#include "predict/scores/dialects.h"
#include "predict/scores/ensemble_formulas.h"
#include "predict/scores/ensemble_metrics.h"
#include "predict/scores/pixel_scale.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace nowcell {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kPystepsLeast = 10;  // pixels in a bin of reliability
constexpr std::size_t kPartsOfAll = 5;      // pixels, CRPS, fair CRPS, variance, squared error

std::size_t part_of(const std::string& metric) {
    if (metric == "crps") return 1;
    if (metric == "crps-fair") return 2;
    if (metric == "spread" || metric == "spread-skill") return 3;
    return metric == "rmse-of-mean" ? 4 : 0;
}

std::vector<double> parts_of(const EnsembleSums& sums) {
    std::vector<double> parts = {static_cast<double>(sums.pixels), crps_total(sums),
                                 sums.below.size() > 2 ? fair_crps_total(sums) : kNaN, sums.variance,
                                 sums.squared_error};
    for (std::size_t k = 0; k < sums.squares.size(); ++k) parts.push_back(brier_total(sums, k));
    if (sums.broken > 0) std::fill(parts.begin() + 1, parts.end(), kNaN);
    return parts;
}

// (1 + 1/M) makes it 1 for any number of members that are drawn as the truth is. Source: Fortin et al. 2014.
double spread_skill(double variance, double squared_error, double members) {
    return squared_error > 0.0 ? std::sqrt((1.0 + 1.0 / members) * variance / squared_error) : kNaN;
}

// The thresholds in the units of the data; hko7's are in mm/h whatever those are.
std::vector<float> limits_of(const ScoreOptions& options) {
    std::vector<float> limits;
    for (const double threshold : options.thresholds) {
        const bool rain_rate = options.dialect == "hko7";
        const auto to_limit = [&] {
            return PixelScale::hko7(options.units, options.min, options.max).from_rain_rate(threshold);
        };
        limits.push_back(static_cast<float>(rain_rate ? to_limit() : threshold));
    }
    return limits;
}

// Of a lead time, or of all together.
template <typename Sums>
Sums of_lead(const std::vector<Sums>& all, std::int64_t lead) {
    Sums sums = all[lead == 0 ? 0 : static_cast<std::size_t>(lead - 1)];
    for (std::size_t more = 1; lead == 0 && more < all.size(); ++more) sums.add(all[more]);
    return sums;
}

// Of threshold k.
Events events_of(const EnsembleCounts& counts, std::size_t k, std::size_t members) {
    return Events(counts.events).subspan(k * (members + 1) * 2, (members + 1) * 2);
}

void check_shape(const char* name, const torch::Tensor& tensor, at::IntArrayRef expected) {
    if (tensor.sizes() == expected) return;
    throw Error(ExitCode::data, fmt::format("ensembles cannot be scored: {} of shape ({}), expected ({})", name,
                                            fmt::join(tensor.sizes(), ","), fmt::join(expected, ",")));
}

}  // namespace

EnsembleScores::EnsembleScores(std::int64_t leads, std::int64_t members, ScoreOptions options)
    : options_(std::move(options)) {
    if (leads < 1 || members < 1) {
        throw Error(ExitCode::data,
                    fmt::format("ensembles cannot be scored: got {} lead times and {} members, expected one at least",
                                leads, members));
    }
    rules_.members = static_cast<std::size_t>(members);
    rules_.pysteps = options_.dialect == "pysteps";
    if (options_.thresholds.empty()) options_.thresholds = default_thresholds(options_.dialect);
    rules_.thresholds = limits_of(options_);
    for (const EnsembleMetric& metric : ensemble_metrics()) {
        const bool has = metric.where == "all" || (metric.where == "pysteps") == rules_.pysteps;
        if (!has || rules_.members < metric.members || !(asked(metric.family) || asked(metric.name))) continue;
        std::vector<std::optional<double>> thresholds(1);
        if (metric.of_thresholds) thresholds.assign(options_.thresholds.begin(), options_.thresholds.end());
        for (const auto& threshold : thresholds) quantities_.push_back({std::string(metric.name), threshold});
    }
    for (const char* name : {"brier", "reliability", "roc"}) {
        if (options_.metrics.empty() || !options_.thresholds.empty() || !asked(name)) continue;
        throw Error(ExitCode::usage, fmt::format("the score {} needs thresholds", name), "", "--thresholds 0.5,2,10");
    }
    sums_.assign(static_cast<std::size_t>(leads), EnsembleSums(rules_));
    counts_.assign(static_cast<std::size_t>(leads), EnsembleCounts(rules_));
}

bool EnsembleScores::asked(std::string_view name) const {
    const auto& asked = options_.metrics;
    return asked.empty() || std::find(asked.begin(), asked.end(), name) != asked.end();
}

std::size_t EnsembleScores::index_of(double threshold) const {
    const auto& all = options_.thresholds;
    return static_cast<std::size_t>(std::find(all.begin(), all.end(), threshold) - all.begin());
}

void EnsembleScores::add(const torch::Tensor& members, const torch::Tensor& truth, const torch::Tensor& valid) {
    const auto frames = static_cast<std::size_t>(leads());
    if (truth.dim() != 5 || truth.size(1) != leads()) check_shape("truth", truth, {-1, leads(), -1, -1, -1});
    const auto ensemble_members = static_cast<std::int64_t>(rules_.members);
    check_shape("members", members,
                {truth.size(0), ensemble_members, leads(), truth.size(2), truth.size(3), truth.size(4)});
    if (valid.defined()) check_shape("valid", valid, truth.sizes());
    const torch::Tensor forecast = members.to(at::kCPU, at::kFloat).contiguous();
    const torch::Tensor happened = truth.to(at::kCPU, at::kFloat).contiguous();
    const torch::Tensor known = valid.defined() ? valid.to(at::kCPU, at::kBool).contiguous() : valid;
    const auto windows = static_cast<std::size_t>(truth.size(0));
    const std::size_t pixels = windows == 0 ? 0 : static_cast<std::size_t>(truth.numel()) / (windows * frames);
    std::vector<std::vector<double>> parts(windows * frames);
    // A lead time is one thread's, window after window, so that sums come in one order.
    at::parallel_for(0, leads(), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto lead = static_cast<std::size_t>(begin); lead < static_cast<std::size_t>(end); ++lead) {
            for (std::size_t window = 0; window < windows; ++window) {
                const std::size_t frame = window * frames + lead;
                const EnsembleSums sums = add_ensemble_frame(
                    rules_, forecast.const_data_ptr<float>() + (window * rules_.members * frames + lead) * pixels,
                    frames * pixels, happened.const_data_ptr<float>() + frame * pixels,
                    known.defined() ? known.const_data_ptr<bool>() + frame * pixels : nullptr, pixels, counts_[lead]);
                sums_[lead].add(sums);
                parts[frame] = parts_of(sums);
            }
        }
    });
    for (std::size_t window = 0; window < windows; ++window) {
        std::vector<double> total = std::move(parts[window * frames]);
        for (std::size_t lead = 1; lead < frames; ++lead) {
            const std::vector<double>& more = parts[window * frames + lead];
            std::transform(total.begin(), total.end(), more.begin(), total.begin(), std::plus<>());
        }
        parts_.insert(parts_.end(), total.begin(), total.end());
    }
    windows_ += truth.size(0);
}

double EnsembleScores::value(const Quantity& quantity, std::int64_t lead) const {
    if (std::find(quantities_.begin(), quantities_.end(), quantity) == quantities_.end()) return kNaN;
    if (lead < 0 || lead > leads()) return kNaN;
    const EnsembleSums sums = of_lead(sums_, lead);
    if (sums.broken > 0 || sums.pixels == 0) return kNaN;
    const std::string& metric = quantity.metric;
    if (part_of(metric) != 0 || metric == "brier") return from_parts(quantity, picked(quantity, parts_of(sums)));
    if (metric == "ensemble-skill") return sums.member_rmse / static_cast<double>(sums.frames);
    if (metric == "ensemble-spread") return sums.pair_rmse / static_cast<double>(sums.frames);
    const EnsembleCounts counts = of_lead(counts_, lead);
    if (metric == "crps-reliability") return crps_parts(sums, counts).reliability;
    if (metric == "crps-potential") return crps_parts(sums, counts).potential;
    const Events events = events_of(counts, index_of(*quantity.threshold), rules_.members);
    if (metric == "roc-area") return roc_area(events, rules_.pysteps);
    const BrierParts parts = brier_parts(events);
    if (metric == "brier-reliability") return parts.reliability;
    return metric == "brier-resolution" ? parts.resolution : parts.uncertainty;
}

std::vector<ScoreCurve> EnsembleScores::curves() const {
    std::vector<ScoreCurve> curves;
    const auto keep = [&](ScoreCurve curve, std::optional<double> threshold, std::int64_t lead) {
        if (curve.x.empty()) return;
        curve.threshold = threshold;
        curve.lead = lead;
        curves.push_back(std::move(curve));
    };
    for (std::int64_t lead = 0; lead <= leads(); ++lead) {
        if (of_lead(sums_, lead).broken > 0) continue;
        const EnsembleCounts counts = of_lead(counts_, lead);
        const std::size_t ranks = (rules_.members + 1) * (rules_.members + 1);
        const std::span<const std::int64_t> all_ranks(counts.ranks);
        if (asked("rank-histogram")) keep(rank_histogram(all_ranks.first(ranks), rules_.members), {}, lead);
        for (std::size_t k = 0; k < rules_.thresholds.size(); ++k) {
            const double threshold = options_.thresholds[k];
            const Events events = events_of(counts, k, rules_.members);
            if (asked("reliability"))
                keep(reliability_curve(events, rules_.pysteps ? kPystepsLeast : 1), threshold, lead);
            if (asked("roc")) keep(roc_curve(events, rules_.pysteps), threshold, lead);
            if (asked("rank-histogram"))
                keep(rank_histogram(all_ranks.subspan((k + 1) * ranks, ranks), rules_.members), threshold, lead);
        }
    }
    return curves;
}

std::vector<double> EnsembleScores::window_parts(const Quantity& quantity, std::int64_t window) const {
    const std::size_t size = kPartsOfAll + rules_.thresholds.size();
    const auto begin = parts_.begin() + window * static_cast<std::int64_t>(size);
    return picked(quantity, {begin, begin + static_cast<std::int64_t>(size)});
}

std::vector<double> EnsembleScores::picked(const Quantity& quantity, const std::vector<double>& parts) const {
    if (std::find(quantities_.begin(), quantities_.end(), quantity) == quantities_.end()) return {};
    if (quantity.metric == "brier") return {parts[kPartsOfAll + index_of(*quantity.threshold)], parts[0]};
    const std::size_t part = part_of(quantity.metric);
    if (part == 0) return {};
    if (quantity.metric == "spread-skill") return {parts[part], parts[part + 1]};
    return {parts[part], parts[0]};
}

double EnsembleScores::from_parts(const Quantity& quantity, const std::vector<double>& parts) const {
    if (parts.size() != 2) return kNaN;
    if (quantity.metric == "spread-skill") return spread_skill(parts[0], parts[1], static_cast<double>(rules_.members));
    const double mean = parts[1] > 0.0 ? parts[0] / parts[1] : kNaN;
    return quantity.metric == "spread" || quantity.metric == "rmse-of-mean" ? std::sqrt(mean) : mean;
}

}  // namespace nowcell
