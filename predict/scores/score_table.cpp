#include "predict/scores/score_table.h"

#include "predict/pictures/ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace nowcell {
namespace {

using Cells = std::vector<std::vector<std::string>>;

constexpr std::size_t kMostColumns = 9;  // of scores, beside the names
// Of many scores, those that files have and the text leaves out.
constexpr std::array kInFiles = {"pofd",
                                 "hk",
                                 "acc",
                                 "sedi",
                                 "mcc",
                                 "f1",
                                 "crps-reliability",
                                 "crps-potential",
                                 "brier-reliability",
                                 "brier-resolution",
                                 "brier-uncertainty",
                                 "rmse-of-mean"};

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
    return size >= 1e6     ? fmt::format("{:.4g}", value)
           : size >= 100.0 ? fmt::format("{:.1f}", value)
           : size >= 10.0  ? fmt::format("{:.2f}", value)
           : size >= 0.1   ? fmt::format("{:.4f}", value)
                           : fmt::format("{:.5f}", value);
}

// Marks the best of some values with "*".
std::vector<std::string> marked(const std::string& metric, const std::vector<double>& values) {
    double best = std::nan("");
    for (const double value : values) {
        const double one = badness(metric, value);
        if (std::isnan(best) || one < best) best = one;
    }
    std::vector<std::string> out;
    for (const double value : values) {
        out.push_back(number(value) + (!std::isnan(value) && badness(metric, value) == best ? "*" : " "));
    }
    return out;
}

std::string percent(double part) { return fmt::format("{:+.1f}", 100.0 * part); }

// "+51.1 % (+45.0 to +57.2)".
std::string skill(const Comparison& found) {
    if (std::isnan(found.skill)) return "-";
    if (std::isnan(found.skill_low)) return percent(found.skill) + " %";
    return fmt::format("{} % ({} to {})", percent(found.skill), percent(found.skill_low), percent(found.skill_high));
}

// Short names are written as the field does.
std::string display(const std::string& metric) {
    const bool words = metric.size() > 5 && metric != "ms-ssim" && metric != "crps-fair";
    std::string name = metric;
    if (words || metric == "bias") return name;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
    return name;
}

std::vector<double> column(const ScoreTable& table, const Quantity& quantity, std::int64_t lead) {
    std::vector<double> values;
    for (const ForecasterScores& row : table.rows) values.push_back(row.value(quantity, lead));
    return values;
}

void add_column(Cells& cells, const std::string& head, const std::vector<std::string>& values) {
    cells[0].push_back(head);
    for (std::size_t i = 0; i < values.size(); ++i) cells[i + 1].push_back(values[i]);
}

Cells names_of(const ScoreTable& table) {
    Cells cells = {{"forecaster"}};
    for (const ForecasterScores& row : table.rows) cells.push_back({row.name});
    return cells;
}

// Tables of as many columns as fit; `last` is added to the first one.
std::string tables(const ScoreTable& table, const std::vector<Quantity>& quantities,
                   const std::vector<std::string>& last = {}) {
    std::string out;
    for (std::size_t begin = 0; begin < quantities.size(); begin += kMostColumns) {
        Cells cells = names_of(table);
        for (std::size_t i = begin; i < std::min(quantities.size(), begin + kMostColumns); ++i) {
            add_column(cells, axis_label(quantities[i], table) + " ",
                       marked(quantities[i].metric, column(table, quantities[i], 0)));
        }
        if (begin == 0 && !last.empty()) {
            add_column(cells, last.front(), std::vector<std::string>(last.begin() + 1, last.end()));
        }
        out += (out.empty() ? "" : "\n") + aligned(cells);
    }
    return out;
}

std::vector<Quantity> of_threshold(const ScoreTable& table, const std::optional<double>& threshold) {
    std::vector<Quantity> out;
    for (const Quantity& one : table.quantities()) {
        if (one.threshold == threshold) out.push_back(one);
    }
    if (out.size() <= kMostColumns) return out;
    const auto in_files = [](const Quantity& one) {
        return std::find(kInFiles.begin(), kInFiles.end(), one.metric) != kInFiles.end();
    };
    out.erase(std::remove_if(out.begin(), out.end(), in_files), out.end());
    return out;
}

std::vector<double> thresholds_of(const ScoreTable& table) {
    std::vector<double> out;
    for (const Quantity& one : table.quantities()) {
        if (one.threshold && std::find(out.begin(), out.end(), *one.threshold) == out.end()) {
            out.push_back(*one.threshold);
        }
    }
    return out;
}

// Of the first forecaster against each row; a heading first.
std::vector<std::string> skills(const ScoreReport& report) {
    const std::string& first = report.table.rows.front().name;
    std::vector<std::string> out = {"skill of " + first};
    for (const ForecasterScores& row : report.table.rows) {
        out.push_back("");
        for (const Comparison& one : report.comparisons) {
            const bool here = one.quantity == Quantity{"mae"} && one.forecaster == first && one.baseline == row.name;
            if (here) out.back() = skill(one);
        }
    }
    return out;
}

std::string per_lead(const ScoreTable& table) {
    const Quantity mae{"mae"};
    Cells rows = {{axis_label(mae, table)}};
    for (const ForecasterScores& row : table.rows) rows[0].push_back(row.name + " ");
    for (std::int64_t lead = 1; lead <= table.leads(); ++lead) {
        rows.push_back({lead_label(lead, table.step_s)});
        for (std::string& cell : marked("mae", column(table, mae, lead))) rows.back().push_back(std::move(cell));
    }
    return aligned(rows);
}

// "Model - anomaly, the best of the others: MAE -0.01734 K, 95 % interval -0.02911 to -0.00612: better (...)."
std::string best_line(const Comparison& found, const std::string& units) {
    const PairedInterval& mae = found.difference;
    const auto signed_number = [](double value) { return (value > 0.0 ? "+" : "") + number(value); };
    const std::string unit = units == "1" ? "" : " " + units;
    std::string name = found.forecaster;
    if (name == "model") name = "Model";
    return fmt::format(
        "{} - {}, the best of the others: MAE {}{}, 95 % interval {} to {}: {} (paired bootstrap, {} block{} of "
        "up to {} windows).\n",
        name, found.baseline, signed_number(mae.difference), unit, signed_number(mae.low), signed_number(mae.high),
        verdict(found), mae.blocks, mae.blocks == 1 ? "" : "s", mae.block_windows);
}

}  // namespace

std::string axis_label(const Quantity& quantity, const ScoreTable& table) {
    const std::string unit = table.unit(quantity);
    std::string name = display(quantity.metric);
    if (quantity.scale > 0) name += fmt::format(" {} px", quantity.scale);
    const bool plain = unit.empty() || (unit == "1" && !(quantity.metric == "mae" || quantity.metric == "mse"));
    return plain ? name : fmt::format("{} [{}]", name, unit);
}

std::string short_name(const Quantity& quantity) {
    std::string name = quantity.metric;
    if (quantity.threshold) name += fmt::format("@{}", *quantity.threshold);
    if (quantity.scale > 0) name += fmt::format("/{}", quantity.scale);
    return name;
}

std::string score_text(const ScoreReport& report) {
    const ScoreTable& table = report.table;
    const ScoreContext& context = report.context;
    std::string out =
        fmt::format("{} on {}: {} window{}, {} lead times, split {} ({}){}\n\n", context.model, context.data,
                    table.windows(), table.windows() == 1 ? "" : "s", table.leads(), context.split, context.note,
                    table.dialect == "standard" ? "" : fmt::format(", dialect {}", table.dialect));
    const std::vector<std::string> last = report.comparisons.empty() ? std::vector<std::string>() : skills(report);
    out += tables(table, of_threshold(table, {}), last) + "\n" + per_lead(table);
    for (const double threshold : thresholds_of(table)) {
        out += fmt::format("\nat least {}{}\n", threshold, table.units == "1" ? "" : " " + table.units);
        out += tables(table, of_threshold(table, threshold));
    }
    out += "\n* best.";
    if (!last.empty())
        out += fmt::format(" Skill: by how much the MAE of {} is below that forecaster's, with 95 % intervals.",
                           table.rows.front().name);
    out += "\n";
    const std::optional<Comparison> found = against_best(table, report.comparisons);
    return found ? out + best_line(*found, table.units) : out;
}

std::string score_text(const std::vector<ScoreReport>& reports) {
    std::vector<Quantity> columns;
    for (const ScoreReport& report : reports) {
        for (const Quantity& one : of_threshold(report.table, {})) {
            if (std::find(columns.begin(), columns.end(), one) == columns.end()) columns.push_back(one);
        }
    }
    columns.resize(std::min(columns.size(), kMostColumns));
    Cells cells = {{"data", "forecaster"}};
    for (const Quantity& one : columns) cells[0].push_back(display(one.metric) + " ");
    cells[0].push_back("MAE skill over it");
    for (const ScoreReport& report : reports) {
        const std::size_t first = cells.size();
        for (const ForecasterScores& row : report.table.rows) cells.push_back({report.context.data, row.name});
        for (const Quantity& one : columns) {
            const std::vector<std::string> values = marked(one.metric, column(report.table, one, 0));
            for (std::size_t i = 0; i < values.size(); ++i) cells[first + i].push_back(values[i]);
        }
        const std::vector<std::string> last = skills(report);
        for (std::size_t i = 1; i < last.size(); ++i) cells[first + i - 1].push_back(last[i]);
    }
    return aligned(cells) + "\n* best of its data. Units: those of each data set. Skill: of the first model.\n";
}

}  // namespace nowcell
