// What a stream remembers of its frames, and the forecasts that are made from it.
#pragma once

#include "predict/forecaster.h"
#include "src/safetensors.h"

#include <memory>
#include <string>

namespace nowcell {

/// Frames of a stream, one data.frame_step-th of a step apart, seen by a Forecaster. All frames are (C,H,W) float32 in
/// physical units on the CPU, NaN where a value is missing.
class Context {
 public:
    virtual ~Context() = default;

    /// Takes the next frame. `filled`: it stands for one that is missing.
    virtual void observe(const torch::Tensor& frame, bool filled) = 0;

    /// Steps that a forecast from the newest frame would be made from.
    virtual std::int64_t steps() const = 0;

    /// Steps that next() would be made from; with data.frame_step > 1 they can be one less.
    virtual std::int64_t steps_to_next() const = 0;

    /// How many frames of the context stand for missing ones.
    virtual std::int64_t filled() const = 0;

    /// The lead times after the newest frame, (horizon,C,H,W). steps() >= 1 and the forecaster's least_history().
    virtual torch::Tensor forecast(std::int64_t horizon) const = 0;

    /// The same in progress, (1,leads,C,H,W) at a time. Throws Error(model) as Rollout does.
    virtual Rollout start() const = 0;

    /// The forecast of the frame that comes next, (C,H,W): lead time 1 after the frame one step before it.
    /// steps_to_next() is as forecast() demands of steps().
    virtual torch::Tensor next() const = 0;

    /// The newest frame, as it was given; undefined when there is none.
    virtual torch::Tensor last() const = 0;

    virtual void reset() = 0;

    /// What is needed to go on exactly as now, as tensors of a file; load() is the inverse.
    virtual void save(SafeTensors& file) const = 0;
    /// Throws std::exception on what is none of ours.
    virtual void load(const SafeTensors& file) = 0;
};

/// The last frames alone, as many as `nowcell predict` reads: forecasts are its own, bit for bit.
std::unique_ptr<Context> window_context(const Forecaster& forecaster);

/// Every frame since the first: the network's memory goes on by one frame at a time, which costs the same for each.
/// Throws Error(model) for a network that cannot go on so.
std::unique_ptr<Context> whole_context(const Forecaster& forecaster);

}  // namespace nowcell
