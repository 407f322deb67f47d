// Scores of ensembles: what pysteps and properscoring computed, the definitions another way, ties, masks, invariances.
#include "predict/scores/ensemble_scores.h"
#include "predict/scores/ensemble_metrics.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "tests/support/catch.h"
#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>

using Catch::Approx;
using nowcell::EnsembleScores;
using nowcell::Quantity;
using nowcell::ScoreCurve;
using nowcell::ScoreOptions;

namespace {

torch::Tensor single(const torch::Tensor& x) { return x.to(at::kFloat); }

// values: a tensor of doubles, row by row.
std::vector<double> list(const torch::Tensor& values) {
    const torch::Tensor flat = values.to(at::kDouble).contiguous().flatten();
    return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

bool same(double a, double b, double tolerance = 1e-6) {
    return std::isnan(a) || std::isnan(b) ? std::isnan(a) && std::isnan(b) : std::abs(a - b) <= tolerance;
}

bool same_bits(double a, double b) { return (std::isnan(a) && std::isnan(b)) || a == b; }

EnsembleScores scored(const torch::Tensor& members, const torch::Tensor& truth, const ScoreOptions& options = {},
                      const torch::Tensor& valid = {}) {
    EnsembleScores scores(truth.size(1), members.size(1), options);
    scores.add(members, truth, valid);
    return scores;
}

// The curve of a kind, threshold and lead time; without points when it was left out.
ScoreCurve curve(const EnsembleScores& scores, const std::string& kind, std::optional<double> threshold,
                 std::int64_t lead) {
    for (const ScoreCurve& one : scores.curves())
        if (one.kind == kind && one.threshold == threshold && one.lead == lead) return one;
    return {};
}

// Values in eighths, most of them zero: ties as in dry pixels. (B,M,T,C,H,W) and (B,T,C,H,W).
std::pair<torch::Tensor, torch::Tensor> rain(std::int64_t members, std::vector<std::int64_t> shape) {
    const torch::Tensor truth = at::randn(shape);
    std::vector<std::int64_t> with_members = shape;
    with_members.insert(with_members.begin() + 1, members);
    const torch::Tensor noise = at::randn(with_members);
    const auto wet = [](const torch::Tensor& x) { return ((x.exp() - 1.0).clamp_min(0.0) * 8.0).round() / 8.0; };
    return {wet(0.6 * truth.unsqueeze(1) + 0.8 * noise), wet(truth)};
}

// Integral of the squared difference of the distribution functions, interval by interval between all values.
double crps_by_integral(std::vector<double> members, double truth) {
    std::vector<double> ends = members;
    ends.push_back(truth);
    std::sort(ends.begin(), ends.end());
    double total = 0.0;
    for (std::size_t i = 1; i < ends.size(); ++i) {
        const double middle = (ends[i - 1] + ends[i]) / 2.0;
        const auto below = std::count_if(members.begin(), members.end(), [&](double x) { return x <= middle; });
        const double of_forecast = static_cast<double>(below) / static_cast<double>(members.size());
        total += (ends[i] - ends[i - 1]) * std::pow(of_forecast - (truth <= middle ? 1.0 : 0.0), 2);
    }
    return total;
}

}  // namespace

TEST_CASE("Scores of ensembles equal what pysteps and properscoring compute") {
    const std::vector<std::string> names = golden_names("scores_ensemble_");
    REQUIRE(names.size() == 4);
    for (const std::string& name : names) {
        DYNAMIC_SECTION(name) {
            const Golden golden = read_golden(name);
            const std::vector<double> thresholds = list(golden.at("thresholds"));
            const torch::Tensor members = single(golden.at("members")), truth = single(golden.at("truth"));
            ScoreOptions options;
            options.thresholds = thresholds;
            const EnsembleScores standard = scored(members, truth, options);
            options.dialect = "pysteps";
            const EnsembleScores pysteps = scored(members, truth, options);
            const auto check = [&](const EnsembleScores& scores, const std::string& metric, const std::string& tensor) {
                INFO(tensor);
                const std::vector<double> expected = list(golden.at(tensor));
                const auto slots = static_cast<std::size_t>(scores.leads() + 1);
                for (std::size_t i = 0; i < expected.size(); ++i) {
                    const Quantity quantity{metric,
                                            expected.size() == slots ? std::optional<double>() : thresholds[i / slots]};
                    INFO(i << ": " << scores.value(quantity, static_cast<std::int64_t>(i % slots)) << ", expected "
                           << expected[i]);
                    CHECK(same(scores.value(quantity, static_cast<std::int64_t>(i % slots)), expected[i]));
                }
            };
            check(standard, "crps", "crps");
            check(pysteps, "crps", "crps/pysteps");
            check(standard, "brier", "brier");
            check(pysteps, "brier", "brier");
            check(pysteps, "roc-area", "roc_area");

            // points: (2,n) x and y, NaN where there are none.
            const auto check_points = [&](const ScoreCurve& got, const torch::Tensor& points) {
                const std::vector<double> x = list(points[0]), y = list(points[1]);
                std::size_t point = 0;
                for (std::size_t i = 0; i < x.size(); ++i) {
                    if (std::isnan(x[i]) || std::isnan(y[i])) continue;
                    REQUIRE(point < got.x.size());
                    CHECK(same(got.x[point], x[i]));
                    CHECK(same(got.y[point], y[i]));
                    ++point;
                }
                CHECK(point == got.x.size());
            };
            const auto check_counts = [&](const ScoreCurve& got, const torch::Tensor& counts) {
                const std::vector<double> expected = list(counts);
                const double total = counts.sum().item<double>();
                REQUIRE(got.weight.size() == (total == 0.0 ? 0 : expected.size()));
                if (got.weight.empty()) return;
                for (std::size_t i = 0; i < expected.size(); ++i) {
                    CHECK(same(got.weight[i], expected[i]));
                    CHECK(same(got.y[i], expected[i] / total));
                }
            };
            for (std::int64_t lead = 0; lead <= truth.size(1); ++lead) {
                check_counts(curve(standard, "rank histogram", {}, lead), golden.at("rank_histogram")[lead]);
                for (std::size_t k = 0; k < thresholds.size(); ++k) {
                    const auto row = static_cast<std::int64_t>(k);
                    INFO("threshold " << thresholds[k] << ", lead " << lead);
                    check_counts(curve(pysteps, "rank histogram", thresholds[k], lead),
                                 golden.at("rank_histogram/threshold")[row][lead]);
                    check_points(curve(standard, "reliability", thresholds[k], lead),
                                 golden.at("reliability/all")[row][lead]);
                    check_points(curve(pysteps, "reliability", thresholds[k], lead),
                                 golden.at("reliability")[row][lead]);
                    check_points(curve(pysteps, "roc", thresholds[k], lead),
                                 golden.at("roc")[row][lead].flip(1));  // pysteps begins with probability 0
                }
            }
            if (!golden.has("ensemble_skill/RMSE")) return;
            const std::int64_t members_there = members.size(1);
            for (std::int64_t lead = 0; lead <= truth.size(1); ++lead) {
                const auto mean = [&](const torch::Tensor& frames) {
                    return (lead == 0 ? frames : frames.select(1, lead - 1)).mean().item<double>();
                };
                CHECK(same(pysteps.value("ensemble-skill", lead), mean(golden.at("ensemble_skill/RMSE"))));
                const double spread = pysteps.value("ensemble-spread", lead);
                CHECK(same(spread, members_there > 1 ? mean(golden.at("ensemble_spread/RMSE")) : std::nan("")));
                CHECK(std::isnan(standard.value("ensemble-skill", lead)));
            }
        }
    }
}

TEST_CASE("CRPS is the integral of the squared difference of distribution functions, ties included") {
    at::manual_seed(1);
    const std::int64_t count = GENERATE(1, 2, 3, 8, 21);
    const auto [members, truth] = rain(count, {2, 3, 1, 5, 7});
    const EnsembleScores scores = scored(members, truth);
    double total = 0.0, ties = 0.0;
    for (std::int64_t b = 0; b < 2; ++b)
        for (std::int64_t t = 0; t < 3; ++t)
            for (std::int64_t pixel = 0; pixel < 35; ++pixel) {
                const torch::Tensor of_pixel = members[b].select(1, t).flatten(1).select(1, pixel);
                const double happened = truth[b][t].flatten()[pixel].item<double>();
                total += crps_by_integral(list(of_pixel), happened);
                ties += (of_pixel == happened).any().item<bool>() ? 1.0 : 0.0;
            }
    REQUIRE(ties > 20.0);
    CHECK(scores.value("crps", 0) == Approx(total / 210.0).epsilon(1e-12));
    // The other form: mean distance to the truth less half the mean distance of members.
    const torch::Tensor x = members.to(at::kDouble);
    const double error = (x - truth.unsqueeze(1)).abs().mean().item<double>();
    const double pairs = (x.unsqueeze(1) - x.unsqueeze(2)).abs().mean().item<double>();
    CHECK(scores.value("crps", 0) == Approx(error - pairs / 2.0).epsilon(1e-12));
    if (count == 1) {
        CHECK(scores.value("crps", 0) == Approx((x.squeeze(1) - truth).abs().mean().item<double>()));
        CHECK(std::isnan(scores.value("crps-fair", 0)));
        return;
    }
    const auto m = static_cast<double>(count);
    CHECK(scores.value("crps-fair", 0) == Approx(error - pairs / 2.0 * m / (m - 1.0)).epsilon(1e-12));
    const double reliability = scores.value("crps-reliability", 0), potential = scores.value("crps-potential", 0);
    CHECK(reliability + potential == Approx(scores.value("crps", 0)).epsilon(1e-12));
    CHECK(reliability >= 0.0);
    CHECK(potential >= 0.0);
}

TEST_CASE("Members drawn as the truth is have a flat rank histogram, no bias from their number, and spread as skill") {
    at::manual_seed(2);
    const std::int64_t count = GENERATE(2, 3, 10);
    const torch::Tensor climate = at::randn({6, 1, 2, 1, 64, 60});  // what members and truth share
    const torch::Tensor all = climate + at::randn({6, count + 1, 2, 1, 64, 60});
    const EnsembleScores scores = scored(all.slice(1, 1), all.select(1, 0));
    const double pixels = 6 * 2 * 64 * 60, exact = 1.0 / std::sqrt(M_PI);  // CRPS of N(0,1) on average
    const auto m = static_cast<double>(count);
    CHECK(scores.value("crps-fair", 0) == Approx(exact).margin(0.012));
    CHECK(scores.value("crps", 0) == Approx(exact * (1.0 + 1.0 / m)).margin(0.012));
    CHECK(scores.value("spread", 0) == Approx(1.0).margin(0.01));
    CHECK(scores.value("rmse-of-mean", 0) == Approx(std::sqrt(1.0 + 1.0 / m)).margin(0.015));
    CHECK(scores.value("spread-skill", 0) == Approx(1.0).margin(0.015));
    const ScoreCurve ranks = curve(scores, "rank histogram", {}, 0);
    double chi2 = 0.0;
    for (const double got : ranks.weight) chi2 += std::pow(got - pixels / (m + 1.0), 2) / (pixels / (m + 1.0));
    CHECK(chi2 < m + 5.0 * std::sqrt(2.0 * m));
    // Half the spread is seen at once.
    const EnsembleScores narrow = scored(climate + 0.5 * (all.slice(1, 1) - climate), all.select(1, 0));
    CHECK(narrow.value("spread-skill", 0) < 0.75);
    CHECK(curve(narrow, "rank histogram", {}, 0).y.front() > 1.15 / (m + 1.0));
    CHECK(narrow.value("crps-fair", 0) > scores.value("crps-fair", 0) + 0.02);
}

TEST_CASE("Probabilities that come true as often as they say are reliable") {
    at::manual_seed(3);
    constexpr std::int64_t kMembers = 8;
    const torch::Tensor wet = at::randint(0, kMembers + 1, {2, 1, 1, 1, 200, 150});  // members with the event
    const torch::Tensor members = (at::arange(kMembers).view({1, -1, 1, 1, 1, 1}) < wet).to(at::kFloat) * 3.0;
    const torch::Tensor happens = at::rand({2, 1, 1, 200, 150}) < wet.squeeze(1) / static_cast<double>(kMembers);
    const EnsembleScores scores = scored(members, happens.to(at::kFloat) * 3.0, {.thresholds = {1.0}});
    const Quantity brier{"brier", 1.0};
    CHECK(scores.value(Quantity{"brier-reliability", 1.0}, 0) < 1e-3);
    CHECK(scores.value(brier, 0) == Approx(scores.value(Quantity{"brier-reliability", 1.0}, 0) -
                                           scores.value(Quantity{"brier-resolution", 1.0}, 0) +
                                           scores.value(Quantity{"brier-uncertainty", 1.0}, 0))
                                        .epsilon(1e-12));
    const ScoreCurve diagram = curve(scores, "reliability", 1.0, 0);
    REQUIRE(diagram.x.size() == kMembers + 1);  // no bin but one holds two of these probabilities
    double pixels = 0.0;
    for (std::size_t i = 0; i < diagram.x.size(); ++i) {
        CHECK(diagram.x[i] == Approx(static_cast<double>(i) / static_cast<double>(kMembers)));
        CHECK(diagram.y[i] == Approx(diagram.x[i]).margin(0.03));
        pixels += diagram.weight[i];
    }
    CHECK(pixels == 2 * 200 * 150);
    // The area is how often a pixel with the event has more members with it than one without; a tie counts half.
    const torch::Tensor counts = wet.flatten(), events = happens.flatten();
    const torch::Tensor with = counts.masked_select(events).slice(0, 0, 2000);
    const torch::Tensor without = counts.masked_select(events.logical_not()).slice(0, 0, 2000);
    const torch::Tensor order = (with.unsqueeze(1) - without.unsqueeze(0)).sign().to(at::kDouble);
    CHECK(scores.value(Quantity{"roc-area", 1.0}, 0) == Approx((order.mean().item<double>() + 1.0) / 2.0).margin(0.01));
    const ScoreCurve roc = curve(scores, "roc", 1.0, 0);
    CHECK(roc.x.front() == 0.0);
    CHECK(roc.y.front() == 0.0);
    CHECK(roc.x.back() == 1.0);
    CHECK(roc.y.back() == 1.0);
    CHECK(std::is_sorted(roc.x.begin(), roc.x.end()));
}

TEST_CASE("Dry pixels, where all members tie with the truth, cost nothing and fill all ranks alike") {
    const torch::Tensor truth = at::zeros({1, 2, 1, 4, 5});
    const EnsembleScores scores = scored(at::zeros({1, 4, 2, 1, 4, 5}), truth, {.thresholds = {0.5}});
    CHECK(scores.value("crps", 0) == 0.0);
    CHECK(scores.value("crps-potential", 0) == 0.0);
    CHECK(scores.value("spread", 0) == 0.0);
    CHECK(std::isnan(scores.value("spread-skill", 0)));  // 0/0
    CHECK(scores.value(Quantity{"brier", 0.5}, 0) == 0.0);
    CHECK(scores.value(Quantity{"brier-uncertainty", 0.5}, 0) == 0.0);
    CHECK(std::isnan(scores.value(Quantity{"roc-area", 0.5}, 0)));  // there was no event
    CHECK(curve(scores, "roc", 0.5, 0).x.empty());
    CHECK(curve(scores, "rank histogram", 0.5, 0).x.empty());
    for (const double share : curve(scores, "rank histogram", {}, 1).y) CHECK(share == Approx(0.2));
    // A threshold that data in float32 can only come near to is reached by the number that is written the same.
    const EnsembleScores written =
        scored(at::full({1, 3, 1, 1, 2, 2}, 0.7F), at::full({1, 1, 1, 2, 2}, 0.7F), {.thresholds = {0.7}});
    CHECK(curve(written, "reliability", 0.7, 1).y == std::vector<double>{1.0});
}

TEST_CASE("Missing values take no part in scores of ensembles") {
    at::manual_seed(4);
    auto [members, truth] = rain(5, {2, 2, 2, 6, 9});
    const ScoreOptions options{.thresholds = {0.25, 1.0}};
    const EnsembleScores left = scored(members.slice(5, 0, 4), truth.slice(4, 0, 4), options);
    const torch::Tensor valid = (at::arange(9) < 4).expand_as(truth);
    members.slice(5, 4).fill_(1e30);
    EnsembleScores masked = scored(members, truth, options, valid);
    truth.slice(4, 4).fill_(std::nan(""));
    const EnsembleScores unknown = scored(members, truth, options);
    for (const Quantity& quantity : left.quantities())
        for (std::int64_t lead = 0; lead <= 2; ++lead) {
            INFO(quantity.metric << ", lead " << lead);
            CHECK(same_bits(masked.value(quantity, lead), left.value(quantity, lead)));
            CHECK(same_bits(unknown.value(quantity, lead), left.value(quantity, lead)));
        }
    CHECK(curve(masked, "rank histogram", 1.0, 0).weight == curve(left, "rank histogram", 1.0, 0).weight);

    // Nothing known is nothing scored, and adds nothing.
    const double before = masked.value("crps", 0);
    masked.add(members, truth, at::zeros_like(valid));
    CHECK(masked.value("crps", 0) == before);
    CHECK(masked.windows() == 4);
    const EnsembleScores none = scored(members, truth, options, at::zeros_like(valid));
    for (const Quantity& quantity : none.quantities()) CHECK(std::isnan(none.value(quantity, 0)));
    CHECK(none.curves().empty());
}

TEST_CASE("A member that is not finite is seen in every score; pysteps leaves the pixel out") {
    at::manual_seed(5);
    auto [members, truth] = rain(3, {1, 2, 1, 4, 4});
    ScoreOptions options{.thresholds = {0.5}};
    members[0][1][0][0][2][2] = GENERATE(std::nan(""), INFINITY);
    const EnsembleScores scores = scored(members, truth, options);
    for (const Quantity& quantity : scores.quantities()) {
        CHECK(std::isnan(scores.value(quantity, 0)));
        CHECK(std::isnan(scores.value(quantity, 1)));
        CHECK(same_bits(scores.value(quantity, 2),
                        scored(members.slice(2, 1), truth.slice(1, 1), options).value(quantity, 1)));
    }
    for (const double part : scores.window_parts({"crps"}, 0)) CHECK((std::isnan(part) || part == 32.0));
    options.dialect = "pysteps";
    torch::Tensor valid = at::ones_like(truth, at::kBool);
    valid[0][0][0][2][2] = false;
    const EnsembleScores ignored = scored(members, truth, options), without = scored(members, truth, options, valid);
    for (const Quantity& quantity : ignored.quantities())
        CHECK(same_bits(ignored.value(quantity, 0), without.value(quantity, 0)));
}

TEST_CASE("Batches, threads and the order of members change no bit of an ensemble's scores") {
    at::manual_seed(6);
    const auto [members, truth] = rain(7, {5, 4, 1, 11, 13});
    ScoreOptions options{.thresholds = {0.25, 1.0}};
    options.dialect = GENERATE("standard", "pysteps");
    const EnsembleScores whole = scored(members, truth, options);
    EnsembleScores in_parts(4, 7, options), alone(4, 7, options);
    in_parts.add(members.slice(0, 0, 2), truth.slice(0, 0, 2));
    in_parts.add(members.slice(0, 2, 2), truth.slice(0, 2, 2));  // no window at all
    in_parts.add(members.slice(0, 2), truth.slice(0, 2));
    const int threads = at::get_num_threads();
    at::set_num_threads(threads == 1 ? 2 : 1);
    alone.add(members.flip(1).transpose(4, 5).contiguous().transpose(4, 5), truth);
    at::set_num_threads(threads);
    REQUIRE(whole.windows() == 5);
    REQUIRE(in_parts.windows() == 5);
    for (const Quantity& quantity : whole.quantities()) {
        INFO(quantity.metric);
        for (std::int64_t lead = 0; lead <= 4; ++lead) {
            CHECK(same_bits(in_parts.value(quantity, lead), whole.value(quantity, lead)));
            if (quantity.metric.starts_with("ensemble-"))  // means over members in the order they come
                CHECK(same(alone.value(quantity, lead), whole.value(quantity, lead), 1e-12));
            else
                CHECK(same_bits(alone.value(quantity, lead), whole.value(quantity, lead)));
        }
        for (std::int64_t window = 0; window < 5; ++window)
            CHECK(in_parts.window_parts(quantity, window) == whole.window_parts(quantity, window));
    }
}

TEST_CASE("Parts of windows add up to the score of an ensemble") {
    at::manual_seed(7);
    const auto [members, truth] = rain(4, {6, 3, 1, 5, 8});
    const ScoreOptions options{.thresholds = {0.25, 1.0}};
    const EnsembleScores scores = scored(members, truth, options);
    std::size_t with_parts = 0;
    for (const Quantity& quantity : scores.quantities()) {
        std::vector<double> sum = scores.window_parts(quantity, 0);
        if (sum.empty()) continue;
        ++with_parts;
        for (std::int64_t window = 1; window < 3; ++window) {
            const std::vector<double> parts = scores.window_parts(quantity, window);
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += parts[i];
        }
        const EnsembleScores some = scored(members.slice(0, 0, 3), truth.slice(0, 0, 3), options);
        INFO(quantity.metric);
        CHECK(scores.from_parts(quantity, sum) == Approx(some.value(quantity, 0)).epsilon(1e-12));
    }
    CHECK(with_parts == 7);  // crps, crps-fair, rmse-of-mean, spread, spread-skill, brier of two thresholds
    CHECK(scores.window_parts({"roc-area", 0.25}, 0).empty());
    CHECK(scores.window_parts({"mae"}, 0).empty());
}

TEST_CASE("One member and a choice of metrics leave out what is not there") {
    const auto names = [](const EnsembleScores& scores) {
        std::vector<std::string> all;
        for (const Quantity& quantity : scores.quantities()) all.push_back(quantity.metric);
        return all;
    };
    using Names = std::vector<std::string>;
    CHECK(names(EnsembleScores(1, 1, {})) == Names{"crps", "crps-reliability", "crps-potential", "rmse-of-mean"});
    CHECK(names(EnsembleScores(1, 2, {.metrics = {"spread"}})) == Names{"rmse-of-mean", "spread", "spread-skill"});
    CHECK(names(EnsembleScores(1, 2, {.metrics = {"mae", "roc"}, .thresholds = {1.0, 2.0}})) ==
          Names{"roc-area", "roc-area"});
    CHECK(names(EnsembleScores(1, 2, {.metrics = {"mae"}, .thresholds = {1.0}})).empty());
    CHECK(names(EnsembleScores(1, 2, {.dialect = "pysteps", .metrics = {"crps"}})) == Names{"crps"});
    CHECK(names(EnsembleScores(1, 2, {.metrics = {"crps-fair"}})) == Names{"crps-fair"});
    CHECK_THROWS_WITH(EnsembleScores(1, 2, {.metrics = {"roc"}}), Catch::Contains("roc needs thresholds"));
    CHECK(names(EnsembleScores(1, 2, {.dialect = "sevir", .metrics = {"roc"}})).size() == 6);
    // hko7's thresholds are rain rates: Z = 58.53 R^1.56, in dBZ.
    const double dbz = 10.0 * std::log10(58.53 * std::pow(2.0, 1.56));
    EnsembleScores rain_rates(1, 1, {.dialect = "hko7", .metrics = {"brier"}, .thresholds = {2.0}, .units = "dBZ"});
    rain_rates.add(at::full({1, 1, 1, 1, 1, 1}, dbz + 0.01), at::full({1, 1, 1, 1, 1}, dbz - 0.01));
    CHECK(rain_rates.value(Quantity{"brier", 2.0}, 1) == 1.0);

    EnsembleScores ranks(1, 2, {.metrics = {"rank-histogram"}});
    ranks.add(at::zeros({1, 2, 1, 1, 1, 1}), at::ones({1, 1, 1, 1, 1}));
    REQUIRE(ranks.curves().size() == 2);
    CHECK(ranks.curves()[0].y == std::vector<double>{0.0, 0.0, 1.0});
    CHECK(std::isnan(ranks.value("crps", 0)));
    CHECK(std::isnan(EnsembleScores(1, 2, {}).value("crps", 2)));

    CHECK(nowcell::unit_of("crps", "mm/h") == "mm/h");
    CHECK(nowcell::unit_of("brier", "mm/h") == "1");
    CHECK(nowcell::larger_is_better("roc-area"));
    CHECK_FALSE(nowcell::larger_is_better("crps"));
    CHECK(nowcell::best_value("spread-skill") == 1.0);
    CHECK(std::isnan(nowcell::best_value("crps")));
    CHECK(nowcell::find_ensemble_metric("mae") == nullptr);
}

TEST_CASE("Ensembles of the wrong shape are refused") {
    EnsembleScores scores(2, 3, {});
    const torch::Tensor members = at::zeros({1, 3, 2, 1, 4, 5}), truth = at::zeros({1, 2, 1, 4, 5});
    CHECK_THROWS_AS(EnsembleScores(0, 3, {}), nowcell::Error);
    CHECK_THROWS_AS(EnsembleScores(2, 0, {}), nowcell::Error);
    CHECK_THROWS_WITH(scores.add(truth, truth),
                      Catch::Contains("members of shape (1,2,1,4,5), expected (1,3,2,1,4,5)"));
    CHECK_THROWS_WITH(scores.add(members, truth.slice(1, 1)), Catch::Contains("truth of shape (1,1,1,4,5)"));
    CHECK_THROWS_WITH(scores.add(members, truth, at::ones({1, 2, 1, 4, 4}, at::kBool)),
                      Catch::Contains("valid of shape (1,2,1,4,4)"));
    CHECK(scores.windows() == 0);
    scores.add(members.to(at::kDouble), truth.to(at::kDouble));
    CHECK(scores.value("crps", 0) == 0.0);
}
