#include "predict/pictures/strip_layout.h"

#include <algorithm>

#include "predict/pictures/ticks.h"

namespace nowcell {
namespace {

constexpr std::int64_t kFewLeads = 3;

std::vector<PanelKind> forecast_kinds(bool with_truth) {
    if (!with_truth) return {PanelKind::forecast};
    return {PanelKind::truth, PanelKind::forecast, PanelKind::error};
}

StripLayout to_the_right(std::int64_t inputs, std::int64_t horizon, bool with_truth, int columns) {
    StripLayout layout;
    const auto leads = thinned(horizon, columns);
    const auto past = thinned(inputs, static_cast<std::int64_t>(leads.size()));
    layout.columns = static_cast<int>(leads.size());
    int column = 0;
    for (std::int64_t t : past) layout.cells.push_back({PanelKind::input, t, 0, column++, t - inputs + 1, true});
    layout.rows = 1;
    for (PanelKind kind : forecast_kinds(with_truth)) {
        column = 0;
        for (std::int64_t t : leads) {
            layout.cells.push_back({kind, t, layout.rows, column++, t + 1, layout.rows == 1});
        }
        ++layout.rows;
    }
    return layout;
}

StripLayout downward(std::int64_t inputs, std::int64_t horizon, bool with_truth) {
    StripLayout layout;
    layout.time_runs_right = false;
    layout.rows = static_cast<int>(horizon);
    // A single row has room for more of the past.
    const std::int64_t past_columns = horizon == 1 ? std::min<std::int64_t>(inputs, 3) : 1;
    const std::int64_t past = std::min(inputs, horizon * past_columns);
    for (std::int64_t i = 0; i < past; ++i) {
        const std::int64_t t = inputs - past + i;
        const auto row = static_cast<int>(i / past_columns), column = static_cast<int>(i % past_columns);
        layout.cells.push_back({PanelKind::input, t, row, column, t - inputs + 1, true});
    }
    layout.columns = static_cast<int>(past_columns);
    for (PanelKind kind : forecast_kinds(with_truth)) {
        for (std::int64_t t = 0; t < horizon; ++t) {
            layout.cells.push_back({kind, t, static_cast<int>(t), layout.columns, t + 1, true});
        }
        ++layout.columns;
    }
    return layout;
}

}  // namespace

std::string panel_name(PanelKind kind) {
    switch (kind) {
        case PanelKind::input: return "input";
        case PanelKind::truth: return "truth";
        case PanelKind::forecast: return "forecast";
        default: return "error";
    }
}

StripLayout lay_out_strip(std::int64_t inputs, std::int64_t horizon, std::int64_t known, int columns) {
    if (horizon <= kFewLeads) return downward(inputs, horizon, known > 0);
    return to_the_right(inputs, horizon, known > 0, std::max(columns, 4));
}

}  // namespace nowcell
