// Scores of ensembles against what happened, accumulated exactly per lead time.
#pragma once

#include "predict/scores/ensemble_sums.h"
#include "predict/scores/quantity.h"
#include "predict/scores/score_options.h"

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nowcell {

/// Sums of one forecaster of ensembles, one slot per lead time. The scores are defined in predict/scores/README.md; the
/// number of threads and how windows are batched change no bit of them.
class EnsembleScores {
 public:
    /// Options: metrics of ensemble_families() or ensemble_metrics(), all when empty; thresholds: the event is a value
    /// of at least that; dialect: "pysteps" has its own CRPS, ROC and reliability, the others differ in thresholds
    /// alone. Throws Error without leads or members, and where a metric needs thresholds and there are none.
    EnsembleScores(std::int64_t leads, std::int64_t members, ScoreOptions options);

    /// members: (B,M,T,C,H,W) physical units, T = leads. truth: (B,T,C,H,W). valid: (B,T,C,H,W) bool, which pixels of
    /// the truth are known; undefined: all that are finite. Throws Error on other shapes.
    void add(const torch::Tensor& members, const torch::Tensor& truth, const torch::Tensor& valid = {});

    /// What value() knows, in the order of a table.
    const std::vector<Quantity>& quantities() const { return quantities_; }

    /// Over what is known; lead 1..T, or 0 for all lead times. NaN for what is not among quantities(), not known or not
    /// defined, and where a member is not finite at a pixel that counts.
    double value(const Quantity& quantity, std::int64_t lead) const;
    double value(const std::string& metric, std::int64_t lead) const { return value(Quantity{metric}, lead); }

    /// "reliability" and "roc" of each threshold, "rank histogram" of all pixels and of each threshold; of all lead
    /// times together and of each. Those without a point are left out.
    std::vector<ScoreCurve> curves() const;

    std::int64_t leads() const { return static_cast<std::int64_t>(sums_.size()); }
    std::int64_t windows() const { return windows_; }

    /// Additive parts of a window over all lead times, windows in the order of add(): the score of some windows is
    /// from_parts of the sum of theirs. Empty where a score is not a function of few sums.
    std::vector<double> window_parts(const Quantity& quantity, std::int64_t window) const;
    double from_parts(const Quantity& quantity, const std::vector<double>& parts) const;

 private:
    bool asked(std::string_view name) const;
    std::size_t index_of(double threshold) const;
    std::vector<double> picked(const Quantity& quantity, const std::vector<double>& parts) const;

    ScoreOptions options_;
    EnsembleRules rules_;
    std::vector<Quantity> quantities_;
    std::int64_t windows_ = 0;
    std::vector<EnsembleSums> sums_;      // of each lead time
    std::vector<EnsembleCounts> counts_;  // likewise
    std::vector<double> parts_;           // of each window: pixels, CRPS, fair CRPS, variance, squared error, (K) Brier
};

}  // namespace nowcell
