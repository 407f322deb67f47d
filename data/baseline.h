// Forecasts made from past frames alone: a row of every score table, and what a network may be told to correct.
#pragma once

#include "data/windows.h"

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// A baseline's forecast in progress.
class Extrapolation {
 public:
    virtual ~Extrapolation() = default;

    /// The lead times after those that were taken before, (B,leads,C,H,W) float32; leads >= 1.
    virtual torch::Tensor next(std::int64_t leads) = 0;
};

/// A forecast without learning. All tensors are in physical units.
class Baseline {
 public:
    virtual ~Baseline() = default;

    virtual std::string name() const = 0;
    virtual std::int64_t history() const = 0;  ///< past frames it needs, >= 1

    /// past: (B,P,C,H,W) float32, P >= history(), oldest first; a missing value is NaN and takes no part.
    /// Returns (B,horizon,C,H,W) float32: lead times 1..horizon after the last past frame. All of it is finite.
    virtual torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const = 0;

    /// The same lead times, taken some at a time: bit for bit those of forecast(), whatever the pieces. Memory and time
    /// per lead time are constant, but here, for baselines without a way of their own: all lead times so far are made
    /// again. The baseline must outlive the result.
    virtual std::unique_ptr<Extrapolation> start(const torch::Tensor& past) const;

 protected:
    /// Throws Error(data) unless past has five dimensions and enough frames, and horizon is at least 1.
    void check_past(const torch::Tensor& past, std::int64_t horizon) const;
};

/// What the baselines of one data set need to know; stored in the checkpoint.
struct BaselineOptions {
    std::int64_t period = 0;    ///< steps of a cycle (24 for hourly data with a day in it); 0: none known
    double decay = 0.9;         ///< of the last anomaly per step, 0..1
    torch::Tensor climatology;  ///< (C,H,W), physical units; undefined: no climatology
    double mean = 0.0;          ///< of the training part: the forecast where a pixel is missing in all of the past
    std::string units = {};     ///< of the frames; by them rain is known
    double step_s = 0.0;        ///< over which rain is accumulated; 0: unknown
};

/// The last known value of each pixel, repeated. `mean`: see BaselineOptions.
std::unique_ptr<Baseline> make_persistence(double mean = 0.0);

/// The frame one period before (the same hour yesterday); leads beyond a period repeat the last known cycle. A value
/// missing there comes from the cycle before, else it is the last known one of its pixel.
std::unique_ptr<Baseline> make_seasonal(std::int64_t period, double mean = 0.0);

/// Seasonal persistence plus decay^lead times how the last frame differs from the frame one period before it. Where
/// one of the two is missing: the last pair that is not, which has decayed since; none: no anomaly.
std::unique_ptr<Baseline> make_anomaly(std::int64_t period, double decay, double mean = 0.0);

/// The mean of the training part at each pixel.
std::unique_ptr<Baseline> make_climatology(torch::Tensor mean);

constexpr std::int64_t kTrendFrames = 4;

/// The straight line through the last kTrendFrames frames of each pixel (least squares; fewer when fewer are there),
/// continued without any bound. Missing values take no part; one known value is repeated.
std::unique_ptr<Baseline> make_linear_trend(double mean = 0.0);

/// Motion of the last two frames (DIS optical flow on the whole frame, smoothed), followed backwards from each pixel
/// (semi-Lagrangian). Motion is smoothed over what both frames know. What moves in from a missing area is the last
/// known value there, else that of the nearest known pixel, as at the border of the frame. Source: rainymotion's Dense
/// models; Germann & Zawadzki 2002.
std::unique_ptr<Baseline> make_optical_flow(double mean = 0.0);

/// The same with the flow of Farneback 2003.
std::unique_ptr<Baseline> make_farneback(double mean = 0.0);

/// S-PROG: what moves along the optical flow is not the last frame but the forecast of its cascade of scales, each an
/// autoregression of order 2 (of order 1 with two past frames) in moving coordinates. Small scales are forgotten within
/// a few steps, large ones stay. Rain, known by its units ("mm...", "kg m-2..."), is forecast in decibels above 0.1
/// mm/h of rate, over `step_s` where the units are no rate; other fields as they are. Missing values are what the
/// optical flow takes for them, and no part of the autoregression. Source: Seed 2003; Pulkkinen et al. 2019 (pysteps).
std::unique_ptr<Baseline> make_s_prog(double mean = 0.0, const std::string& units = {}, double step_s = 0.0);

/// The baseline of that name. Throws Error(usage) on an unknown name, or when the period it needs is 0.
std::unique_ptr<Baseline> make_baseline(const std::string& name, const BaselineOptions& options);

/// The decay (0..1, to 0.01) with which the anomaly baseline has the least mean absolute error on at most 64
/// evenly spaced windows of the training part, over the targets that are known. The history of `options` is raised to
/// period + 1. Throws Error(usage) when no window has that much history.
double fit_decay(const FrameSource& source, const std::vector<Window>& training, WindowOptions options,
                 std::int64_t period);

/// Every baseline that the options allow, in the order of the score table.
std::vector<std::unique_ptr<Baseline>> all_baselines(const BaselineOptions& options);

/// Those of these names, each once, in this order; no names: all_baselines. Throws as make_baseline.
std::vector<std::unique_ptr<Baseline>> chosen_baselines(const BaselineOptions& options,
                                                        const std::vector<std::string>& names);

}  // namespace nowcell
