#include "predict/scores/dialects.h"

#include "predict/scores/ensemble_metrics.h"
#include "predict/scores/families.h"
#include "src/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace nowcell {
namespace {

using Names = std::vector<std::string>;

bool holds(const Names& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// What a dialect can compute, and whether it does when nothing is asked for.
struct Offer {
    std::shared_ptr<const ScoreFamily> family;
    bool by_default = true;
};

using Offers = std::vector<Offer>;

const Names kPooledRanks = {"corr-s", "scatter"};

bool is_of_ensembles(const std::string& name) {
    return holds(ensemble_families(), name) || find_ensemble_metric(name) != nullptr;
}

// The ones of pysteps and of the standard alike.
Names usual_contingency() {
    Names names = contingency_scores();
    names.erase(std::find(names.begin(), names.end(), "success-ratio"));
    return names;
}

Offers standard(const ScoreOptions& options) {
    const ImageRules images{.scale = PixelScale::between(options.min, options.max),
                            .ssim = {},
                            .multi_scale = options.metrics.empty() || holds(options.metrics, "ms-ssim")};
    Offers offers = {{error_family()}, {image_family(images)}, {sharpness_family()}, {spectrum_family(false)}};
    ContingencyRules rules{
        .thresholds = options.thresholds, .limits = options.thresholds, .scores = usual_contingency()};
    offers.push_back({contingency_family(rules)});
    rules.scores = {"success-ratio", "csi-m"};
    offers.push_back({contingency_family(rules), false});
    rules.prefix = "pooled-";
    for (const std::int64_t pool : options.csi_pools) {
        rules.pool = pool;
        rules.scores = {"csi"};
        offers.push_back({contingency_family(rules)});
        rules.scores = {"csi-m"};
        offers.push_back({contingency_family(rules), false});
    }
    offers.push_back({fraction_family(options.thresholds, options.fss_scales)});
    offers.push_back({continuous_family(Condition::none, {}), false});
    offers.push_back({rank_family(), false});
    return offers;
}

Offers openstl(const ScoreOptions& options) {
    const PixelScale scale = PixelScale::between(options.min, options.max);
    return {{frame_sum_family(scale)},
            {image_family({.scale = scale,
                           .ssim = {.gaussian = false, .data_range = 2.0},
                           .clip = true,
                           .multi_scale = false,
                           .most_psnr = HUGE_VAL})}};
}

Offers hko7(const ScoreOptions& options) {
    const PixelScale scale = PixelScale::hko7(options.units, options.min, options.max);
    ContingencyRules rules{.thresholds = options.thresholds,
                           .limits = {},
                           .across = Across::mean_of_leads,
                           .scores = {"pod", "far", "csi", "hss", "ets"}};
    for (const double rate : options.thresholds) rules.limits.push_back(scale.from_rain_rate(rate));
    return {{balanced_family(scale)}, {contingency_family(rules)}};
}

Offers sevir(const ScoreOptions& options) {
    Offers offers = {{error_family()}};
    ContingencyRules rules{.thresholds = options.thresholds,
                           .limits = options.thresholds,
                           .epsilon_over = 1e-6,
                           .epsilon_under = 1e-6,
                           .across = Across::log_mean_of_leads,
                           .scores = {"csi", "csi-m", "pod", "success-ratio", "frequency-bias"}};
    offers.push_back({contingency_family(rules)});
    rules.prefix = "pooled-";
    rules.scores = {"csi", "csi-m"};
    for (const std::int64_t pool : options.csi_pools) {
        rules.pool = pool;
        offers.push_back({contingency_family(rules)});
    }
    offers.push_back({contingency_family({.thresholds = options.thresholds,
                                          .limits = options.thresholds,
                                          .epsilon_under = 1e-4,
                                          .scores = {"csi", "csi-m"},
                                          .prefix = "earthformer-"})});
    return offers;
}

Offers pysteps(const ScoreOptions& options) {
    const ContingencyRules rules{
        .thresholds = options.thresholds, .limits = options.thresholds, .above = true, .scores = usual_contingency()};
    return {{error_family()},
            {continuous_family(Condition::none, {})},
            {rank_family()},
            {continuous_family(Condition::either_above, options.thresholds)},
            {continuous_family(Condition::both_above, options.thresholds)},
            {contingency_family(rules)},
            {fraction_family(options.thresholds, options.fss_scales)},
            {spectrum_family(true)}};
}

struct Dialect {
    Offers (*offers)(const ScoreOptions& options);
    std::vector<double> thresholds;
    bool drops_missing = false;
};

const std::map<std::string, Dialect>& dialects() {
    static const std::map<std::string, Dialect> all = {
        {"standard", {standard, {}}},
        {"openstl", {openstl, {}}},
        {"hko7", {hko7, {0.5, 2.0, 5.0, 10.0, 30.0}}},
        {"sevir", {sevir, {16.0, 74.0, 133.0, 160.0, 181.0, 219.0}}},
        {"pysteps", {pysteps, {}, true}},
    };
    return all;
}

const Dialect& dialect_of(const std::string& name) {
    const auto found = dialects().find(name);
    if (found != dialects().end()) return found->second;
    throw Error(ExitCode::usage,
                fmt::format("unknown dialect '{}', expected one of {}", name, fmt::join(score_dialects(), ", ")), "",
                did_you_mean(name, score_dialects()));
}

bool has_pooled_ranks(const std::string& dialect) { return dialect == "standard" || dialect == "pysteps"; }

// What may be asked for in one word.
std::string group_of(const std::string& metric) {
    if (holds(contingency_scores(), metric)) return "contingency";
    if (metric == "ralsd") return "spectrum";
    if (metric.ends_with("-single") || metric.ends_with("-double")) return "conditional";
    for (const char* one :
         {"nmse", "beta1", "beta2", "rv", "drmse", "corr-p", "corr-s", "scatter", "corr-s-frame", "scatter-frame"}) {
        if (metric == one) return "continuous";
    }
    return metric;
}

std::string without_alias(const std::string& name) {
    static const std::map<std::string, std::string> aliases = {
        {"me", "bias"}, {"fa", "pofd"}, {"gss", "ets"}, {"sucr", "success-ratio"}};
    const auto found = aliases.find(name);
    return found == aliases.end() ? name : found->second;
}

void check(const ScoreOptions& options) {
    for (const double threshold : options.thresholds) {
        if (!std::isfinite(threshold)) throw Error(ExitCode::usage, "a threshold is not a finite number");
    }
    for (const auto* sides : {&options.fss_scales, &options.csi_pools}) {
        for (const std::int64_t side : *sides) {
            if (side < 1) {
                throw Error(ExitCode::usage, fmt::format("a window or block of {} px, expected at least 1", side));
            }
        }
    }
    const Names known = score_names(options.dialect);
    for (const std::string& name : options.metrics) {
        if (holds(known, without_alias(name)) || is_of_ensembles(name)) continue;
        throw Error(ExitCode::usage, fmt::format("the dialect {} has no score '{}'", options.dialect, name), "",
                    did_you_mean(name, known));
    }
}

}  // namespace

const std::vector<std::string>& score_dialects() {
    static const Names names = {"standard", "openstl", "hko7", "sevir", "pysteps"};
    return names;
}

std::vector<double> default_thresholds(const std::string& dialect) { return dialect_of(dialect).thresholds; }

std::vector<std::string> score_names(const std::string& dialect) {
    Names names = has_pooled_ranks(dialect) ? kPooledRanks : Names();
    Names groups;
    for (const Offer& offer : dialect_of(dialect).offers({.dialect = dialect, .thresholds = {0.0}})) {
        for (const Quantity& quantity : offer.family->quantities()) {
            if (!holds(names, quantity.metric)) names.push_back(quantity.metric);
        }
    }
    for (const std::string& name : names) {
        if (!holds(names, group_of(name)) && !holds(groups, group_of(name))) groups.push_back(group_of(name));
    }
    names.insert(names.end(), groups.begin(), groups.end());
    return names;
}

Choice choose_scores(const ScoreOptions& asked) {
    const Dialect& dialect = dialect_of(asked.dialect);
    check(asked);
    ScoreOptions options = asked;
    if (options.thresholds.empty()) options.thresholds = dialect.thresholds;
    for (std::string& name : options.metrics) name = without_alias(name);
    const auto wanted = [&](const std::string& metric, bool by_default) {
        if (options.metrics.empty()) return by_default;
        return holds(options.metrics, metric) || holds(options.metrics, group_of(metric));
    };
    Choice choice;
    choice.drops_missing = dialect.drops_missing;
    for (const Offer& offer : dialect.offers(options)) {
        const auto& quantities = offer.family->quantities();
        const std::size_t before = choice.scores.size();
        for (std::size_t i = 0; i < quantities.size(); ++i) {
            if (wanted(quantities[i].metric, offer.by_default)) {
                choice.scores.push_back({quantities[i], choice.families.size(), i});
            }
        }
        if (choice.scores.size() > before) choice.families.push_back(offer.family);
    }
    for (const std::string& name : has_pooled_ranks(options.dialect) ? kPooledRanks : Names()) {
        if (wanted(name, options.dialect == "pysteps")) choice.scores.push_back({{name}, 0, 0, true});
    }
    for (const std::string& name : options.metrics) {
        const auto is_of = [&](const ChosenScore& one) {
            return one.quantity.metric == name || group_of(one.quantity.metric) == name;
        };
        if (is_of_ensembles(name)) continue;
        if (std::any_of(choice.scores.begin(), choice.scores.end(), is_of)) continue;
        throw Error(ExitCode::usage, "the score " + name + " needs thresholds", "", "--thresholds 0.5,2,10");
    }
    return choice;
}

}  // namespace nowcell
