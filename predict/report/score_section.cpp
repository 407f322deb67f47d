#include "predict/report/section.h"

#include "predict/pictures/ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace nowcell {
namespace {

constexpr std::size_t kMostRows = 60;    // of a table, so that a page stays a page
constexpr std::int64_t kMostLeads = 24;  // of a table; evenly thinned

std::string with_unit(const std::string& name, const std::string& unit) {
    return unit.empty() || unit == "1" ? name : name + " [" + unit + "]";
}

std::string unit_in(const EvaluationFile& scores, const Quantity& quantity) {
    for (const ScoreRow& row : scores.rows) {
        if (row.quantity == quantity) return row.unit;
    }
    return "";
}

Markup note(const std::string& plain) { return element("p", plain, {{"class", "note"}}); }

// A table of forecasters by quantities over all lead times.
Markup quantity_table(const EvaluationFile& scores, const std::string& caption, const std::vector<Quantity>& quantities,
                      const std::vector<std::string>& heads) {
    std::vector<std::string> head = {"Forecaster"};
    std::vector<std::vector<Cell>> rows;
    for (const std::string& name : scores.forecasters) rows.push_back({{name}});
    for (std::size_t q = 0; q < quantities.size(); ++q) {
        std::vector<double> values;
        for (const std::string& name : scores.forecasters) values.push_back(scores.value(name, quantities[q], 0));
        const auto texts = column_texts(values);
        const auto best = best_of(quantities[q].metric, values);
        head.push_back(heads[q]);
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i].push_back({texts[i], true, best[i]});
    }
    rows.resize(std::min(rows.size(), kMostRows));
    return table(caption, head, rows);
}

bool known_over_all_leads(const EvaluationFile& scores, const Quantity& quantity) {
    return std::any_of(scores.rows.begin(), scores.rows.end(),
                       [&](const ScoreRow& row) { return row.lead == 0 && row.quantity == quantity; });
}

void add_table(Section& section, const EvaluationFile& scores) {
    std::vector<Quantity> plain;
    std::vector<std::string> heads;
    for (const Quantity& quantity : scores.quantities()) {
        if (quantity.threshold || quantity.scale > 0 || !known_over_all_leads(scores, quantity)) continue;
        plain.push_back(quantity);
        heads.push_back(with_unit(metric_name(quantity.metric), unit_in(scores, quantity)));
    }
    if (plain.empty()) return section.add("scores", note("No scores over all lead times in this file."));
    section.add("scores", quantity_table(scores, "Scores over all lead times; bold: best of its column", plain, heads));
}

std::string list_of(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    }
    return text;
}

// "model has a lower MAE than persistence and climatology; undecided against optical flow."
void add_verdict(Section& section, const EvaluationFile& scores) {
    std::map<std::string, std::vector<std::string>> by_verdict;
    for (const SkillRow& row : scores.comparisons) {
        const bool first = !scores.forecasters.empty() && row.forecaster == scores.forecasters.front();
        if (first && row.metric == "mae") by_verdict[row.verdict].push_back(row.baseline);
    }
    if (by_verdict.empty()) {
        return section.add("verdict", note("Whether differences are significant is not known: this file has no "
                                           "comparisons with intervals."));
    }
    const auto said = [&](const char* verdict, const char* how) {
        const auto found = by_verdict.find(verdict);
        return found == by_verdict.end() ? std::string() : std::string(how) + list_of(found->second);
    };
    std::string sentence;
    for (const std::string& piece :
         {said("better", "better than "), said("worse", "worse than "), said("undecided", "undecided against "),
          said("too few for an interval", "too few windows to tell against ")}) {
        if (!piece.empty()) sentence += (sentence.empty() ? "" : "; ") + piece;
    }
    if (sentence.empty()) return;
    section.add("verdict", element("p",
                                   element("strong", scores.forecasters.front()) +
                                       text(": " + sentence + ", by the MAE and its intervals."),
                                   {{"class", "verdict"}}));
}

std::vector<Cell> comparison_cells(const SkillRow& row, const std::string& units) {
    const auto numbers = column_texts({row.difference, row.low, row.high});
    const auto range = [](const std::string& low, const std::string& high, bool known) {
        return known ? low + " to " + high : std::string("-");
    };
    const auto percent = [](double share) { return fmt::format("{:+.1f}", 100 * share); };
    const bool skilled = std::isfinite(row.skill_low) && std::isfinite(row.skill_high);
    return {{row.forecaster},
            {row.baseline},
            {quantity_name({row.metric, row.threshold, 0}, units)},
            {std::isfinite(row.skill) ? percent(row.skill) + " %" : "-", true},
            {range(percent(row.skill_low), percent(row.skill_high), skilled) + (skilled ? " %" : ""), true},
            {numbers[0], true},
            {range(numbers[1], numbers[2], std::isfinite(row.low) && std::isfinite(row.high)), true},
            {row.verdict}};
}

Markup comparison_table(const EvaluationFile& scores, const std::string& caption, bool of_mae) {
    std::vector<std::vector<Cell>> rows;
    for (const SkillRow& row : scores.comparisons) {
        if ((row.metric == "mae") == of_mae && rows.size() < kMostRows) {
            rows.push_back(comparison_cells(row, scores.units));
        }
    }
    if (rows.empty()) return {};
    return table(caption,
                 {"Forecaster", "Against", "Score", "Skill", "its interval", "Difference", "its interval", "Verdict"},
                 rows);
}

void add_comparisons(Section& section, const EvaluationFile& scores) {
    if (scores.comparisons.empty()) return;
    const std::string caption = fmt::format(
        "Skill and difference on the same windows, with intervals of {:g} % from a paired block bootstrap; a "
        "difference is significant when its interval leaves out zero",
        100 * scores.comparisons.front().level);
    section.add("comparisons", comparison_table(scores, caption, true));
    const Markup others = comparison_table(scores, caption, false);
    if (!others.empty()) {
        section.add("comparisons by other scores",
                    element("details", element("summary", "Comparisons by other scores") + others));
    }
}

// One table for each threshold: forecasters by scores.
void add_thresholds(Section& section, const EvaluationFile& scores) {
    std::map<double, std::vector<Quantity>> by_threshold;
    for (const Quantity& quantity : scores.quantities()) {
        if (quantity.threshold && quantity.scale == 0 && known_over_all_leads(scores, quantity)) {
            by_threshold[*quantity.threshold].push_back(quantity);
        }
    }
    for (const auto& [threshold, quantities] : by_threshold) {
        std::vector<std::string> heads;
        for (const Quantity& quantity : quantities) heads.push_back(metric_name(quantity.metric));
        const std::string unit = scores.units == "1" ? "" : " " + scores.units;
        section.add(fmt::format("scores at {:g}", threshold),
                    quantity_table(scores, fmt::format("Yes or no: values of {:g}{} and more", threshold, unit),
                                   quantities, heads));
    }
}

// FSS and pooled scores: a row for each forecaster and threshold, a column for each scale.
void add_scales(Section& section, const EvaluationFile& scores) {
    std::map<std::string, std::vector<Quantity>> by_metric;
    for (const Quantity& quantity : scores.quantities()) {
        if (quantity.scale > 0 && known_over_all_leads(scores, quantity)) {
            by_metric[quantity.metric].push_back(quantity);
        }
    }
    for (const auto& [metric, quantities] : by_metric) {
        std::vector<std::int64_t> scales;
        std::vector<std::optional<double>> thresholds;
        const auto keep = [](auto& list, const auto& value) {
            if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
        };
        for (const Quantity& quantity : quantities) {
            keep(scales, quantity.scale);
            keep(thresholds, quantity.threshold);
        }
        std::sort(scales.begin(), scales.end());
        std::vector<std::string> head = {"Forecaster", with_unit("Threshold", scores.units)};
        for (const std::int64_t scale : scales) head.push_back(fmt::format("{} px", scale));
        std::vector<std::vector<Cell>> rows;
        for (const auto& threshold : thresholds) {
            const std::size_t first = rows.size();
            for (const std::string& name : scores.forecasters) {
                rows.push_back({{name}, {threshold ? fmt::format("{:g}", *threshold) : "", true}});
            }
            for (const std::int64_t scale : scales) {
                std::vector<double> values;
                for (const auto& name : scores.forecasters) {
                    values.push_back(scores.value(name, {metric, threshold, scale}, 0));
                }
                const auto texts = column_texts(values);
                const auto best = best_of(metric, values);
                for (std::size_t i = 0; i < texts.size(); ++i) rows[first + i].push_back({texts[i], true, best[i]});
            }
        }
        rows.resize(std::min(rows.size(), kMostRows));
        section.add(metric, table(metric_name(metric) + " by the side of its windows", head, rows));
    }
}

Markup lead_table(const EvaluationFile& scores, const Quantity& quantity) {
    std::vector<std::string> head = {"Lead time"};
    head.insert(head.end(), scores.forecasters.begin(), scores.forecasters.end());
    const auto leads = thinned(scores.leads(), kMostLeads);
    std::vector<double> all;
    for (const std::int64_t lead : leads) {
        for (const auto& name : scores.forecasters) all.push_back(scores.value(name, quantity, lead + 1));
    }
    const auto texts = column_texts(all);
    std::vector<std::vector<Cell>> rows;
    const std::size_t width = scores.forecasters.size();
    for (std::size_t i = 0; i < leads.size(); ++i) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * width);
        const auto best = best_of(quantity.metric, {begin, begin + static_cast<std::ptrdiff_t>(width)});
        rows.push_back({{lead_label(leads[i] + 1, scores.step_s)}});
        for (std::size_t k = 0; k < width; ++k) rows.back().push_back({texts[i * width + k], true, best[k]});
    }
    const std::string unit = with_unit(quantity_name(quantity, scores.units), unit_in(scores, quantity));
    return table(unit + " by lead time; bold: best of its row", head, rows);
}

void add_leads(Section& section, const EvaluationFile& scores) {
    section.add_heading("By lead time");
    if (scores.leads() < 1) return section.add("lead times", note("No scores by lead time in this file."));
    Markup others;
    bool first = true;
    for (const Quantity& quantity : scores.quantities()) {
        const bool by_lead = std::any_of(scores.rows.begin(), scores.rows.end(),
                                         [&](const ScoreRow& row) { return row.lead > 0 && row.quantity == quantity; });
        if (!by_lead || quantity.threshold || quantity.scale > 0) continue;
        if (first)
            section.add("lead times", lead_table(scores, quantity));
        else
            others += lead_table(scores, quantity);
        first = false;
    }
    if (others.empty()) return;
    section.add("lead times of other scores",
                element("details", element("summary", "Other scores by lead time") + others));
}

}  // namespace

void add_scores(Section& section, const EvaluationFile& scores) {
    std::string about =
        fmt::format("Scores of {} on {}: {} window{}", scores.model.empty() ? "a model" : scores.model,
                    scores.data.empty() ? "unnamed data" : scores.data, scores.windows, scores.windows == 1 ? "" : "s");
    if (!scores.split.empty()) about += ", part: " + scores.split;
    if (!scores.dialect.empty()) about += ", dialect: " + scores.dialect;
    section.add_heading("Scores");
    section.add("about", element("p", about + ".", {{"class", "about"}}));
    add_verdict(section, scores);
    add_table(section, scores);
    add_comparisons(section, scores);
    add_thresholds(section, scores);
    add_scales(section, scores);
    add_leads(section, scores);
    add_score_curves(section, scores);
}

}  // namespace nowcell
