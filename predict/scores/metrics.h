// Scores of forecasts against what happened, accumulated exactly per lead time. scores/README.md defines each.
#pragma once

#include "predict/scores/dialects.h"
#include "predict/scores/pooled_ranks.h"
#include "predict/scores/quantity.h"
#include "predict/scores/score_options.h"

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Where forecasts have no finite number although the truth is known.
struct MissingForecasts {
    std::int64_t values = 0;
    std::int64_t frames = 0;
    std::int64_t window = -1;  ///< the first one, in the order of add()
    std::int64_t lead = 0;     ///< its first lead time, from 1
};

/// Sums of one forecaster, over all windows for each lead time: memory does not grow with frames, and with windows only
/// by what window_parts() returns. The same windows give the same bits whatever the batches and threads.
class Scores {
 public:
    /// Throws Error(usage) on options that choose_scores() refuses.
    Scores(std::int64_t leads, const ScoreOptions& options);

    /// forecast, truth: (B,T,C,H,W) physical units, T = leads; the size of frames stays the same.
    /// valid: (B,T,C,H,W) bool, which values of the truth are known; undefined: all that are finite. What is not known
    /// takes no part. A forecast that is not finite where the truth is known is counted in missing(), and makes the
    /// scores of its lead time NaN; in the dialect "pysteps" it is left out.
    /// Throws Error(internal) on other shapes.
    void add(const torch::Tensor& forecast, const torch::Tensor& truth, const torch::Tensor& valid = {});

    /// What value() knows, in the order of a table.
    const std::vector<Quantity>& quantities() const { return quantities_; }

    /// Lead 1..T, or 0 for all lead times. NaN for what is not among quantities() or is not defined by what is known.
    double value(const Quantity& quantity, std::int64_t lead) const;
    double value(const std::string& metric, std::int64_t lead) const { return value(Quantity{metric}, lead); }

    /// Spectra of each lead time and of all of them, where they were asked for.
    std::vector<ScoreCurve> curves() const;

    const MissingForecasts& missing() const { return missing_; }
    std::int64_t leads() const { return leads_; }
    std::int64_t windows() const { return windows_; }

    /// Additive parts of a window over all lead times, windows in the order of add(): the score of some windows is
    /// from_parts of the sum of theirs. Empty where a score is not a function of few sums.
    std::vector<double> window_parts(const Quantity& quantity, std::int64_t window) const;
    double from_parts(const Quantity& quantity, const std::vector<double>& parts) const;

 private:
    // The sums of one family.
    struct Sums {
        std::size_t first = 0;  // among all sums of a frame
        std::size_t slots = 0;
        std::vector<std::vector<double>> leads;  // of each lead time
        std::vector<double> windows;             // of each window, slots each; empty where they are not kept
    };

    const ChosenScore* find(const Quantity& quantity) const;
    void begin(const FramePair& frame);
    std::int64_t measure(const FramePair& pair, const bool* valid, double* sums) const;
    void add_windows(std::int64_t count, const float* forecast, const float* truth, const bool* valid);
    void add_window(const double* sums);
    void note_missing(std::int64_t window, std::int64_t lead, std::int64_t values);
    double of_lead(const ChosenScore& chosen, std::int64_t lead) const;
    std::vector<double> sums_of(std::size_t family, std::int64_t lead) const;

    std::int64_t leads_;
    Choice choice_;
    std::vector<Quantity> quantities_;
    std::vector<Sums> sums_;  // as many as families
    std::size_t slots_ = 0;   // of all families
    PooledRanks ranks_;
    MissingForecasts missing_;
    FramePair frame_ = {};  // the size of frames; no data
    std::int64_t windows_ = 0;
};

}  // namespace nowcell
