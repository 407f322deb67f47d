// Scores of forecasts against what happened, accumulated exactly per lead time.
#pragma once

#include "data/normalizer.h"

#include <torch/types.h>

#include <array>
#include <string>
#include <vector>

namespace nowcell {

/// mae and mse in physical units; ssim and psnr on the normaliser's 0..1 range.
enum class Metric { mae, mse, ssim, psnr };

constexpr std::array<Metric, 4> kMetrics = {Metric::mae, Metric::mse, Metric::ssim, Metric::psnr};

std::string to_string(Metric metric);

/// "K", "K^2", "1".
std::string unit_of(Metric metric, const std::string& data_units);

/// True when a larger value is a better forecast.
bool larger_is_better(Metric metric);

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
    /// `images`: also SSIM and PSNR, which cost more.
    Scores(std::int64_t leads, bool images);

    /// forecast, truth: (B,T,C,H,W) physical units, T = leads. valid: (B,T,C,H,W) bool, which pixels of the truth are
    /// known; undefined: all. Every known pixel counts the same, for SSIM and PSNR every frame that has a value.
    void add(const torch::Tensor& forecast, const torch::Tensor& truth, const Normalizer& normalizer,
             const torch::Tensor& valid = {});

    /// Mean over what is known; lead 1..T, or 0 for all lead times. NaN when it was not computed or nothing is known.
    double value(Metric metric, std::int64_t lead) const;

    std::int64_t leads() const { return leads_; }
    std::int64_t windows() const { return windows_; }

    /// Of each window in the order of add(): the sum over lead times of its mean absolute error, and what part of it is
    /// known; the MAE of all windows is the one's sum over the other's.
    const std::vector<double>& window_errors() const { return window_errors_; }
    const std::vector<double>& window_weights() const { return window_weights_; }

 private:
    std::int64_t leads_;
    bool images_;
    std::int64_t windows_ = 0;
    std::vector<double> window_errors_;
    std::vector<double> window_weights_;
    std::array<std::vector<double>, kMetrics.size()> sums_;
    std::array<std::vector<double>, kMetrics.size()> weights_;  // what each sum is a sum over: windows, or parts of one
};

}  // namespace nowcell
