#include "predict/scores/score_table.h"

#include "predict/pictures/ticks.h"
#include "src/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

using Cells = std::vector<std::vector<std::string>>;

// Left column to the left, the others to the right; a rule under the head.
std::string aligned(const Cells& rows) {
    std::vector<std::size_t> widths(rows.front().size(), 0);
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::string line;
        for (std::size_t i = 0; i < rows[r].size(); ++i) {
            line +=
                i == 0 ? fmt::format("{:<{}}", rows[r][i], widths[i]) : fmt::format("  {:>{}}", rows[r][i], widths[i]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
        if (r == 0) {
            std::size_t width = 0;
            for (const std::size_t one : widths) width += one + 2;
            out += std::string(width - 2, '-') + "\n";
        }
    }
    return out;
}

std::string number(double value) {
    if (std::isnan(value)) return "-";
    const double size = std::abs(value);
    return size >= 100.0  ? fmt::format("{:.1f}", value)
           : size >= 10.0 ? fmt::format("{:.2f}", value)
           : size >= 0.1  ? fmt::format("{:.4f}", value)
                          : fmt::format("{:.5f}", value);
}

// Marks the best of some values with "*".
std::vector<std::string> marked(const std::vector<double>& values, bool larger) {
    double best = std::nan("");
    for (const double value : values) {
        if (std::isnan(best) || (larger ? value > best : value < best)) best = value;
    }
    std::vector<std::string> out;
    for (const double value : values) out.push_back(number(value) + (value == best ? "*" : " "));
    return out;
}

std::string skill(double model, double other) {
    return other > 0.0 ? fmt::format("{:+.1f} %", 100.0 * (1.0 - model / other)) : "-";
}

std::string heading(const std::string& metric, const std::string& units) {
    std::string name = metric;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
    return metric == "ssim" ? name : fmt::format("{} [{}]", name, unit_of(metric, units));
}

std::vector<double> column(const ScoreTable& table, const std::string& metric, std::int64_t lead) {
    std::vector<double> values;
    for (const Scores& scores : table.scores) values.push_back(scores.value(metric, lead));
    return values;
}

std::string summary(const ScoreTable& table) {
    Cells rows(table.names.size() + 1);
    rows[0] = {"forecaster"};
    for (std::size_t i = 0; i < table.names.size(); ++i) rows[i + 1] = {table.names[i]};
    for (const char* metric : {"mae", "mse", "ssim", "psnr"}) {
        rows[0].push_back(heading(metric, table.units) + " ");
        const std::vector<std::string> cells = marked(column(table, metric, 0), larger_is_better(metric));
        for (std::size_t i = 0; i < cells.size(); ++i) rows[i + 1].push_back(cells[i]);
    }
    rows[0].push_back("skill of model");
    for (std::size_t i = 0; i < table.names.size(); ++i) {
        const double model = table.scores[0].value("mae", 0);
        rows[i + 1].push_back(i == 0 ? "" : skill(model, table.scores[i].value("mae", 0)));
    }
    return aligned(rows);
}

std::string per_lead(const ScoreTable& table) {
    Cells rows = {{heading("mae", table.units)}};
    for (const std::string& name : table.names) rows[0].push_back(name + " ");
    const std::int64_t leads = table.scores.front().leads();
    for (std::int64_t lead = 1; lead <= leads; ++lead) {
        rows.push_back({lead_label(lead, table.step_s)});
        for (std::string& cell : marked(column(table, "mae", lead), false)) rows.back().push_back(std::move(cell));
    }
    return aligned(rows);
}

std::string verdict(const PairedInterval& mae) {
    if (std::isnan(mae.low)) return "too few for an interval";
    return mae.high < 0.0 ? "better" : mae.low > 0.0 ? "worse" : "undecided";
}

// "Model - anomaly, the best of the others: MAE -0.01734 K, 95 % interval -0.02911 to -0.00612: better (...)."
std::string comparison(const Comparison& found, const std::string& units) {
    const PairedInterval& mae = found.mae;
    const auto signed_number = [](double value) { return (value > 0.0 ? "+" : "") + number(value); };
    const std::string unit = units == "1" ? "" : " " + units;
    return fmt::format(
        "Model - {}, the best of the others: MAE {}{}, 95 % interval {} to {}: {} (paired bootstrap, {} block{} of "
        "up to {} windows).\n",
        found.baseline, signed_number(mae.difference), unit, signed_number(mae.low), signed_number(mae.high),
        verdict(mae), mae.blocks, mae.blocks == 1 ? "" : "s", mae.block_windows);
}

nlohmann::ordered_json comparison_json(const Comparison& found, const std::string& units) {
    const PairedInterval& mae = found.mae;
    return {{"baseline", found.baseline},
            {"metric", "mae"},
            {"unit", unit_of("mae", units)},
            {"difference", mae.difference},
            {"low", mae.low},
            {"high", mae.high},
            {"level", 0.95},
            {"verdict", verdict(mae)},
            {"blocks", mae.blocks},
            {"block_windows", mae.block_windows},
            {"resamples", kResamples}};
}

}  // namespace

std::string score_text(const ScoreTable& table, const ScoreContext& context) {
    const std::int64_t windows = table.scores.front().windows();
    std::string out =
        fmt::format("{} on {}: {} window{}, {} lead times, split {} ({})\n\n", context.model, context.data, windows,
                    windows == 1 ? "" : "s", table.scores.front().leads(), context.split, context.note);
    out += summary(table) + "\n" + per_lead(table);
    out += "\n* best. Skill: by how much the model's MAE is below that forecaster's.\n";
    const std::optional<Comparison> found = compare_with_best(table);
    return found ? out + comparison(*found, table.units) : out;
}

std::string score_json(const ScoreTable& table, const ScoreContext& context) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < table.names.size(); ++i) {
        for (const Quantity& quantity : table.scores[i].quantities()) {
            for (std::int64_t lead = 0; lead <= table.scores[i].leads(); ++lead) {
                nlohmann::ordered_json row = {{"forecaster", table.names[i]}, {"metric", quantity.metric}};
                if (lead == 0) row["lead"] = "all";
                if (lead > 0) row["lead"] = lead;
                row["unit"] = unit_of(quantity.metric, table.units);
                row["value"] = table.scores[i].value(quantity, lead);
                rows.push_back(std::move(row));
            }
        }
    }
    nlohmann::ordered_json report = {{"schema", "nowcell.evaluate/1"},
                                     {"model", context.model},
                                     {"data", context.data},
                                     {"split", context.split},
                                     {"windows", table.scores.front().windows()},
                                     {"step_s", table.step_s},
                                     {"rows", rows}};
    if (const auto found = compare_with_best(table)) report["comparison"] = comparison_json(*found, table.units);
    return json_text(report);
}

std::string score_csv(const ScoreTable& table) {
    std::string out = "forecaster,metric,lead,unit,value\n";
    for (std::size_t i = 0; i < table.names.size(); ++i) {
        for (const Quantity& quantity : table.scores[i].quantities()) {
            for (std::int64_t lead = 0; lead <= table.scores[i].leads(); ++lead) {
                const double value = table.scores[i].value(quantity, lead);
                out += fmt::format("{},{},{},\"{}\",{}\n", table.names[i], quantity.metric,
                                   lead == 0 ? std::string("all") : std::to_string(lead),
                                   unit_of(quantity.metric, table.units),
                                   std::isnan(value) ? std::string() : fmt::format("{}", value));
            }
        }
    }
    return out;
}

}  // namespace nowcell
