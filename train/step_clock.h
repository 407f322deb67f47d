// Where the time of training steps goes.
#pragma once

#include <chrono>

namespace nowcell {

/// Seconds of training steps by what they were spent on. Who trains calls start() before the first step and lap() after
/// each part; no time between is lost.
struct StepClock {
    double model_s = 0.0;      ///< forward, loss and backward
    double optimizer_s = 0.0;  ///< the update of the weights
    double data_s = 0.0;       ///< waiting for the loader
    double other_s = 0.0;      ///< preparing batches, clipping, averaging, checkpoints, logging

    double total_s() const { return model_s + optimizer_s + data_s + other_s; }

    /// Share of the time that was spent outside the model and its update, 0..1.
    double outside() const { return total_s() > 0.0 ? (data_s + other_s) / total_s() : 0.0; }

    void start() { last_ = std::chrono::steady_clock::now(); }

    /// What has passed since the last lap, or start(), goes to a part: clock.lap(&StepClock::model_s).
    void lap(double StepClock::*part) {
        const auto now = std::chrono::steady_clock::now();
        this->*part += std::chrono::duration<double>(now - last_).count();
        last_ = now;
    }

 private:
    std::chrono::steady_clock::time_point last_{};
};

}  // namespace nowcell
