// The structural similarity that a loss can differentiate. structure.h has the one that scores are taken with.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace nowcell {

/// Side of SSIM's window, px.
constexpr std::int64_t kSsimWindow = 11;

/// Structural similarity of frames: mean over the pixels whose whole 11x11 Gaussian window (sigma 1.5) lies inside, and
/// over channels. a, b: (N,C,H,W) on a range of 1. Returns (N) float64; NaN when H or W is below 11.
/// valid: (N,C,H,W) bool, undefined: all. Where it is false both frames take the mean of what b knows of the channel,
/// and no window is centred there; without any window left the result is NaN. Differentiable.
/// Source: Wang et al. 2004, K1 0.01, K2 0.03, population covariance; equals scikit-image with gaussian_weights.
torch::Tensor ssim(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& valid = {});

}  // namespace nowcell
