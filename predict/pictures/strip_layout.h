// Which frames of a forecast a strip shows, and where: decided without a pixel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

enum class PanelKind { input, truth, forecast, error };

/// "input", "truth", "forecast" or "error".
std::string panel_name(PanelKind kind);

/// One panel of the grid.
struct StripCell {
    PanelKind kind = PanelKind::input;
    std::int64_t frame = 0;  ///< index into its tensor
    int row = 0, column = 0;
    std::int64_t time = 0;  ///< steps after the last input frame: 0 is that frame, 1 the first lead
    bool timed = false;     ///< the lead time is written above it
};

/// A grid of panels. Many leads: a row for each kind, time runs to the right. Few leads (3 or less): a column for each
/// kind, time runs down, so that the panels stay large.
struct StripLayout {
    bool time_runs_right = true;
    int rows = 0, columns = 0;
    std::vector<StripCell> cells;
};

/// columns: the most columns of the grid, 4 at least. known: leads that have a truth, 0 leaves out truth and error.
StripLayout lay_out_strip(std::int64_t inputs, std::int64_t horizon, std::int64_t known, int columns);

}  // namespace nowcell
