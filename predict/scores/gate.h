// Bars that an evaluation must not miss: --fail-if.
#pragma once

#include "predict/scores/comparison.h"

#include <string>
#include <vector>

namespace nowcell {

/// A condition on which an evaluation fails: METRIC[@THRESHOLD][/SCALE][:LEAD] and <, <=, > or >= a number, such as
/// "mae>0.05", "csi@2<0.3", "fss@2/8<0.5" or "mae:6>1". "skill" is 1 - MAE / MAE of the best baseline.
struct Gate {
    std::string text;
    Quantity quantity;
    std::int64_t lead = 0;  ///< 0: all
    bool below = false;     ///< fails below the limit, not above it
    bool or_equal = false;
    double limit = 0.0;

    /// Whether a value fails; one that is unknown does, since nothing shows that the bar is met.
    bool fails(double value) const;
};

/// Throws Error(usage) on a text that is no condition.
Gate parse_gate(const std::string& text);

/// Throws Error(usage) when the table will have no such score, naming those that it has.
void check_gates(const std::vector<Gate>& gates, const ScoreTable& table);

/// What forecasters other than baselines missed: "mae>0.05: model has 0.0654".
std::vector<std::string> missed(const std::vector<Gate>& gates, const ScoreTable& table);

}  // namespace nowcell
