// What scores are called, and how to read them. Free of LibTorch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// One number of a score table.
struct Quantity {
    std::string metric;                    ///< lower case with hyphens: "mae", "csi", "pooled-csi"
    std::optional<double> threshold = {};  ///< physical units; of contingency scores and FSS
    std::int64_t scale = 0;                ///< side of a window or block, px; 0: none

    bool operator==(const Quantity&) const = default;
};

/// "K" for errors, "K^2" for their squares, "dB", else "1". Errors of "openstl" and "hko7" are on 0..1 and have none.
std::string unit_of(const std::string& metric, const std::string& data_units, const std::string& dialect = "standard");

/// True when a larger value is a better forecast. Of what is best near a value neither is: see best_value().
bool larger_is_better(const std::string& metric);

/// The value that a score of the kind "neither large nor small" should have, such as 0 for the bias; else NaN.
double best_value(const std::string& metric);

/// False of what says nothing about better or worse: the spread of an ensemble, the uncertainty of events.
bool has_best(const std::string& metric);

/// How much worse than the best possible a value is: what the rows of a column compare by. NaN where !has_best().
double badness(const std::string& metric, double value);

/// A score that is a curve.
struct ScoreCurve {
    std::string kind;  ///< "spectrum", "spectrum of truth", "reliability", "roc", "rank histogram"
    std::optional<double> threshold;
    std::int64_t lead = 0;  ///< 1..T, 0: all lead times
    std::vector<double> x, y;
    std::vector<double> weight;  ///< counts behind each point; may be empty
    std::string x_label, y_label;
};

}  // namespace nowcell
