#include "predict/scores/gate.h"

#include "predict/scores/score_table.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <regex>

namespace nowcell {
namespace {

bool is_skill(const Gate& gate) { return gate.quantity.metric == "skill"; }

// MAE skill of a row over the best baseline; over the best of the others where there is no baseline.
double skill(const ScoreTable& table, const ForecasterScores& row, std::int64_t lead) {
    double best = std::numeric_limits<double>::infinity();
    for (const ForecasterScores& other : table.rows) {
        if (other.baseline) best = std::min(best, other.value("mae", lead));
    }
    return std::isfinite(best) && best > 0.0 ? 1.0 - row.value("mae", lead) / best : std::nan("");
}

double number_from(const std::string& text, const Gate& gate) {
    try {
        return std::stod(text);
    } catch (const std::exception&) {
        throw Error(ExitCode::usage, fmt::format("--fail-if '{}': {} is no number that fits", gate.text, text));
    }
}

}  // namespace

bool Gate::fails(double value) const {
    if (std::isnan(value) || (or_equal && value == limit)) return true;
    return below ? value < limit : value > limit;
}

Gate parse_gate(const std::string& text) {
    static const std::string number = R"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)";
    static const std::regex grammar(R"(\s*([a-z][a-z0-9-]*)(?:@()" + number +
                                    R"())?(?:/(\d{1,6}))?(?::(\d{1,6}))?\s*([<>])(=?)\s*()" + number + R"()\s*)");
    std::smatch found;
    Gate gate{text, {}};
    if (!std::regex_match(text, found, grammar)) {
        throw Error(
            ExitCode::usage,
            fmt::format("--fail-if '{}': expected METRIC[@THRESHOLD][/SCALE][:LEAD] and <, <=, > or >= a number", text),
            "", "--fail-if 'mae>0.05', --fail-if 'csi@2<0.3', --fail-if 'mae:6>1', --fail-if 'skill<0'");
    }
    gate.quantity.metric = found[1];
    if (found[2].matched) gate.quantity.threshold = number_from(found[2], gate);
    if (found[3].matched) gate.quantity.scale = std::stoll(found[3]);
    if (found[4].matched) gate.lead = std::stoll(found[4]);
    gate.below = found[5] == "<";
    gate.or_equal = found[6].length() > 0;
    gate.limit = number_from(found[7], gate);
    return gate;
}

void check_gates(const std::vector<Gate>& gates, const ScoreTable& table) {
    const std::vector<Quantity> all = table.quantities();
    for (const Gate& gate : gates) {
        if (gate.lead > table.leads()) {
            throw Error(ExitCode::usage,
                        fmt::format("--fail-if '{}': there are {} lead times", gate.text, table.leads()));
        }
        if (is_skill(gate) || std::find(all.begin(), all.end(), gate.quantity) != all.end()) continue;
        std::vector<std::string> names;
        for (const Quantity& one : all) names.push_back(short_name(one));
        const std::string close = did_you_mean(short_name(gate.quantity), names);
        throw Error(
            ExitCode::usage, fmt::format("--fail-if '{}': no score {}", gate.text, short_name(gate.quantity)), "",
            close.empty()
                ? fmt::format("there are skill, {}; --metrics and --thresholds add more", fmt::join(names, ", "))
                : close);
    }
}

std::vector<std::string> missed(const std::vector<Gate>& gates, const ScoreTable& table) {
    std::vector<std::string> out;
    for (const Gate& gate : gates) {
        for (const ForecasterScores& row : table.rows) {
            if (row.baseline) continue;
            const double value = is_skill(gate) ? skill(table, row, gate.lead) : row.value(gate.quantity, gate.lead);
            if (gate.fails(value)) out.push_back(fmt::format("{}: {} has {:.6g}", gate.text, row.name, value));
        }
    }
    return out;
}

}  // namespace nowcell
