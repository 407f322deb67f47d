// Which scores a dialect has. scores/README.md defines each.
#pragma once

#include "predict/scores/score_family.h"
#include "predict/scores/score_options.h"

#include <string>
#include <vector>

namespace nowcell {

/// A score that was asked for, and where it comes from.
struct ChosenScore {
    Quantity quantity;
    std::size_t family;  ///< of Choice::families
    std::size_t index;   ///< of its quantities(); of pooled ranks: unused
    bool pooled_ranks = false;
};

struct Choice {
    Families families;
    std::vector<ChosenScore> scores;  ///< in the order of a table
    bool drops_missing = false;       ///< a forecast without a value is left out instead of spoiling the score
};

/// Throws Error(usage) on an unknown dialect or metric, on thresholds that are not finite, on sides below 1, and where
/// a metric that was asked for needs thresholds and there are none. Names of ensembles' scores are passed over.
Choice choose_scores(const ScoreOptions& options);

/// What a dialect calls its thresholds where none are given.
std::vector<double> default_thresholds(const std::string& dialect);

/// Every name that ScoreOptions.metrics may hold in a dialect: metrics, then groups.
std::vector<std::string> score_names(const std::string& dialect);

const std::vector<std::string>& score_dialects();

}  // namespace nowcell
