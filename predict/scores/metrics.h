// Scores of forecasts against what happened, accumulated exactly per lead time.
#pragma once

#include "predict/scores/quantity.h"
#include "predict/scores/score_options.h"

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nowcell {

/// Side of SSIM's window, px.
constexpr std::int64_t kSsimWindow = 11;

/// Structural similarity of frames: mean over the pixels whose whole 11x11 Gaussian window (sigma 1.5) lies inside, and
/// over channels. a, b: (N,C,H,W) on a range of 1. Returns (N) float64; NaN when H or W is below 11.
/// valid: (N,C,H,W) bool, undefined: all. Where it is false both frames take the mean of what b knows of the channel,
/// and no window is centred there; without any window left the result is NaN. Differentiable.
/// Source: Wang et al. 2004, K1 0.01, K2 0.03, population covariance; equals scikit-image with gaussian_weights.
torch::Tensor ssim(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& valid = {});

/// Peak signal-to-noise ratio of frames, dB, peak 1: (N,C,H,W) -> (N) float64. Exact frames count as 100 dB.
/// valid: (N,C,H,W) bool, the pixels that count; undefined: all. NaN for a frame without any.
torch::Tensor psnr(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& valid = {});

/// Sums of one forecaster, one slot per lead time.
class Scores {
 public:
    Scores(std::int64_t leads, ScoreOptions options);

    /// forecast, truth: (B,T,C,H,W) physical units, T = leads. valid: (B,T,C,H,W) bool, which pixels of the truth are
    /// known; undefined: all. Every known pixel counts the same, for SSIM and PSNR every frame that has a value.
    void add(const torch::Tensor& forecast, const torch::Tensor& truth, const torch::Tensor& valid = {});

    /// What value() knows, in the order of a table.
    const std::vector<Quantity>& quantities() const { return quantities_; }

    /// Over what is known; lead 1..T, or 0 for all lead times. NaN for what is not among quantities() or not known.
    double value(const Quantity& quantity, std::int64_t lead) const;
    double value(const std::string& metric, std::int64_t lead) const { return value(Quantity{metric}, lead); }

    std::vector<ScoreCurve> curves() const { return {}; }

    std::int64_t leads() const { return leads_; }
    std::int64_t windows() const { return windows_; }

    /// Additive parts of a window over all lead times, windows in the order of add(): the score of some windows is
    /// from_parts of the sum of theirs. Empty where a score is not a function of few sums.
    std::vector<double> window_parts(const Quantity& quantity, std::int64_t window) const;
    double from_parts(const Quantity& quantity, const std::vector<double>& parts) const;

 private:
    struct Sums {
        std::vector<double> total;   // of each lead time
        std::vector<double> weight;  // what it is a sum over
    };

    void add_to(const std::string& metric, const torch::Tensor& totals, const torch::Tensor& weights);

    std::int64_t leads_;
    ScoreOptions options_;
    std::vector<Quantity> quantities_;
    std::int64_t windows_ = 0;
    std::map<std::string, Sums> sums_;
    std::map<std::string, std::vector<double>> window_sums_;  // of each window
};

}  // namespace nowcell
