#include "predict/report/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace nowcell {
namespace {

constexpr std::size_t kMostSettings = 60, kMostSubjects = 60, kMostColumns = 12;

// The baseline with the lowest MAE.
std::string best_baseline(const EvaluationFile& scores) {
    std::string best;
    double lowest = std::nan("");
    for (const std::string& name : scores.baselines) {
        const double mae = scores.value(name, {"mae"}, 0);
        if (!std::isfinite(mae) || mae >= lowest) continue;
        lowest = mae;
        best = name;
    }
    return best;
}

std::string skill_text(double model, double other) {
    return std::isfinite(model) && other > 0 ? fmt::format("{:+.1f} %", 100 * (1 - model / other)) : "-";
}

std::string verdict_against(const EvaluationFile& scores, const std::string& baseline) {
    for (const SkillRow& row : scores.comparisons) {
        const bool own = !scores.forecasters.empty() && row.forecaster == scores.forecasters.front();
        if (own && row.baseline == baseline && row.metric == "mae") return row.verdict;
    }
    return "-";
}

void add_run_table(Section& section, const std::vector<Subject>& subjects) {
    std::vector<std::vector<Cell>> rows;
    for (const Subject& subject : subjects) {
        if (!subject.run || rows.size() == kMostSubjects) continue;
        const RunFiles& run = *subject.run;
        const std::string mae = run.fact("best", "val_mae"), unit = run.fact("best", "unit");
        rows.push_back({{subject.name},
                        {run.fact("state")},
                        {grouped(run.fact("parameters")), true},
                        {run.fact("best", "epoch"), true},
                        {mae.empty() ? "-" : mae + (unit == "1" ? "" : " " + unit), true},
                        {run.fact("data", "path")}});
    }
    if (rows.size() < 2) return;
    section.add("runs", table("Runs", {"Run", "State", "Parameters", "Best epoch", "Validation MAE", "Data"}, rows));
}

void add_score_table(Section& section, const std::vector<Subject>& subjects) {
    std::vector<std::vector<Cell>> rows;
    std::vector<double> errors;
    std::set<std::string> data;
    for (const Subject& subject : subjects) {
        if (!subject.scores || subject.scores->forecasters.empty() || rows.size() == kMostSubjects) continue;
        const EvaluationFile& scores = *subject.scores;
        const std::string baseline = best_baseline(scores), model = scores.forecasters.front();
        const double mae = scores.value(model, {"mae"}, 0), other = scores.value(baseline, {"mae"}, 0);
        errors.push_back(mae);
        data.insert(fmt::format("{}\n{}\n{}\n{}", scores.data, scores.split, scores.windows, scores.units));
        rows.push_back({{subject.name},
                        {scores.data + (scores.split.empty() ? "" : ", " + scores.split)},
                        {std::to_string(scores.windows), true},
                        {scores.units},
                        {"", true},
                        {baseline.empty() ? "-" : baseline},
                        {skill_text(mae, other), true},
                        {verdict_against(scores, baseline)}});
    }
    if (rows.size() < 2) return;
    const auto texts = column_texts(errors);
    const auto best = best_of("mae", errors);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i][4] = {texts[i], true, data.size() == 1 && best[i]};
    section.add("scores",
                table("Scores: the MAE of each model, and its skill against the best of its baselines",
                      {"Model", "Data", "Windows", "Units", "MAE", "Best baseline", "Skill", "Verdict"}, rows));
    if (data.size() > 1) {
        section.add("scores", element("p",
                                      "Not all were scored on the same windows of the same data: errors in this "
                                      "table cannot be compared between rows.",
                                      {{"class", "note"}}));
    }
}

void add_settings(Section& section, const std::vector<Subject>& subjects) {
    std::vector<const Subject*> runs;
    for (const Subject& subject : subjects) {
        if (subject.run && !subject.run->settings.empty() && runs.size() < kMostColumns) runs.push_back(&subject);
    }
    if (runs.size() < 2) return;
    std::vector<std::string> keys;
    std::map<std::string, std::map<const Subject*, std::string>> values;
    for (const Subject* subject : runs) {
        for (const auto& [key, value] : subject->run->settings) {
            if (values.count(key) == 0) keys.push_back(key);
            values[key][subject] = value;
        }
    }
    std::vector<std::vector<Cell>> rows;
    std::size_t different = 0;
    for (const std::string& key : keys) {
        std::set<std::string> seen;
        std::vector<Cell> row = {{key}};
        for (const Subject* subject : runs) {
            const auto found = values[key].find(subject);
            row.push_back({found == values[key].end() ? "-" : found->second});
            seen.insert(row.back().text);
        }
        if (seen.size() < 2) continue;
        if (++different <= kMostSettings) rows.push_back(std::move(row));
    }
    if (rows.empty()) {
        return section.add("settings",
                           element("p", "The configurations of the runs are the same.", {{"class", "note"}}));
    }
    std::vector<std::string> head = {"Key"};
    for (const Subject* subject : runs) head.push_back(subject->name);
    section.add("settings", table("Configuration: the keys in which the runs differ", head, rows));
    if (different > kMostSettings) {
        section.add("settings",
                    element("p", fmt::format("{} more keys differ.", different - kMostSettings), {{"class", "note"}}));
    }
}

}  // namespace

Section comparison_of(const std::vector<Subject>& subjects) {
    Section section{"Comparison", {}};
    add_run_table(section, subjects);
    add_score_table(section, subjects);
    add_settings(section, subjects);
    return section;
}

}  // namespace nowcell
