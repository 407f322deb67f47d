// Forecasts made from past frames alone: a row of every score table, and what a network may be told to correct.
#pragma once

#include "data/windows.h"

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// A forecast without learning. All tensors are in physical units.
class Baseline {
 public:
    virtual ~Baseline() = default;

    virtual std::string name() const = 0;
    virtual std::int64_t history() const = 0;  ///< past frames it needs, >= 1

    /// past: (B,P,C,H,W) float32, P >= history(), oldest first.
    /// Returns (B,horizon,C,H,W) float32: lead times 1..horizon after the last past frame.
    virtual torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const = 0;
};

/// What the baselines of one data set need to know; stored in the checkpoint.
struct BaselineOptions {
    std::int64_t period = 0;    ///< steps of a cycle (24 for hourly data with a day in it); 0: none known
    double decay = 0.9;         ///< of the last anomaly per step, 0..1
    torch::Tensor climatology;  ///< (C,H,W), physical units; undefined: no climatology
};

/// The last frame, repeated.
std::unique_ptr<Baseline> make_persistence();

/// The frame one period before (the same hour yesterday); leads beyond a period repeat the last known cycle.
std::unique_ptr<Baseline> make_seasonal(std::int64_t period);

/// Seasonal persistence plus decay^lead times how the last frame differs from the frame one period before it.
std::unique_ptr<Baseline> make_anomaly(std::int64_t period, double decay);

/// The mean of the training part at each pixel.
std::unique_ptr<Baseline> make_climatology(torch::Tensor mean);

/// Motion of the last two frames (DIS optical flow on the whole frame, smoothed), followed backwards from each pixel
/// (semi-Lagrangian). Source: rainymotion's Dense models; Germann & Zawadzki 2002.
std::unique_ptr<Baseline> make_optical_flow();

/// The baseline of that name. Throws Error(usage) on an unknown name, or when the period it needs is 0.
std::unique_ptr<Baseline> make_baseline(const std::string& name, const BaselineOptions& options);

/// The decay (0..1, to 0.01) with which the anomaly baseline has the least mean absolute error on at most 64
/// evenly spaced windows of the training part. The history of `options` is raised to period + 1.
/// Throws Error(usage) when no window has that much history.
double fit_decay(const FrameSource& source, const std::vector<Window>& training, WindowOptions options,
                 std::int64_t period);

/// Every baseline that the options allow, in the order of the score table.
std::vector<std::unique_ptr<Baseline>> all_baselines(const BaselineOptions& options);

}  // namespace nowcell
