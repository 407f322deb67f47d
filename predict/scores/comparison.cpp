#include "predict/scores/comparison.h"

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

bool compared(const Quantity& quantity) {
    return quantity.metric == "mae" || quantity.metric == "mse" || (quantity.metric == "csi" && quantity.scale == 0);
}

Comparison compare(const ScoreTable& table, const ForecasterScores& one, const ForecasterScores& other,
                   const Quantity& quantity) {
    std::vector<PairedParts> parts;
    for (std::size_t i = 0; i < table.times.size(); ++i) {
        const auto window = static_cast<std::int64_t>(i);
        parts.push_back({table.times[i].recording, table.times[i].frame, one.fields.window_parts(quantity, window),
                         other.fields.window_parts(quantity, window)});
    }
    const auto score_of = [&](const ForecasterScores& row, const std::vector<double>& sums) {
        return row.fields.from_parts(quantity, sums);
    };
    Comparison out{one.name, other.name, quantity,
                   paired_bootstrap(parts, table.window_frames, [&](const auto& ours, const auto& theirs) {
                       return score_of(one, ours) - score_of(other, theirs);
                   })};
    if (larger_is_better(quantity.metric)) return out;
    const PairedInterval skill =
        paired_bootstrap(std::move(parts), table.window_frames, [&](const auto& ours, const auto& theirs) {
            const double reference = score_of(other, theirs);
            return reference > 0.0 ? 1.0 - score_of(one, ours) / reference : std::nan("");
        });
    out.skill = skill.difference;
    out.skill_low = skill.low;
    out.skill_high = skill.high;
    return out;
}

}  // namespace

std::vector<Comparison> compare(const ScoreTable& table) {
    std::vector<Comparison> all;
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const ForecasterScores& one = table.rows[i];
        if (one.baseline) continue;
        for (const Quantity& quantity : one.fields.quantities()) {
            if (!compared(quantity) || one.fields.window_parts(quantity, 0).empty()) continue;
            for (std::size_t j = 0; j < table.rows.size(); ++j) {
                if (j == i || !(table.rows[j].baseline || (j == 0 && i > 0))) continue;
                all.push_back(compare(table, one, table.rows[j], quantity));
            }
        }
    }
    return all;
}

std::optional<Comparison> against_best(const ScoreTable& table, const std::vector<Comparison>& comparisons) {
    const Quantity mae{"mae"};
    const Comparison* best = nullptr;
    double least = 0.0;
    for (const Comparison& one : comparisons) {
        if (one.forecaster != table.rows.front().name || !(one.quantity == mae)) continue;
        const double error = table.of(one.baseline).value(mae, 0);
        if (best == nullptr || error < least) best = &one, least = error;
    }
    return best == nullptr ? std::nullopt : std::optional<Comparison>(*best);
}

std::string verdict(const Comparison& comparison) {
    const PairedInterval& interval = comparison.difference;
    if (std::isnan(interval.low)) return "too few for an interval";
    const bool lower = !larger_is_better(comparison.quantity.metric);
    if (interval.high < 0.0) return lower ? "better" : "worse";
    if (interval.low > 0.0) return lower ? "worse" : "better";
    return "undecided";
}

}  // namespace nowcell
