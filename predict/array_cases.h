// Forecasts that any program wrote into arrays, beside what happened.
#pragma once

#include "predict/evaluation.h"

#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// Forecasts of some tool: recording i is sample i, its frames are the lead times.
struct ForecastArray {
    std::string name;
    std::unique_ptr<FrameSource> source;
};

/// What makes arrays comparable.
struct ArrayOptions {
    bool ensemble = false;          ///< the channels of the forecasts are members of an ensemble; the truth has one
    std::int64_t truth_start = -1;  ///< frame of the truth that lead 1 is; -1: the last frames of the truth are scored
    std::int64_t batch = 64;        ///< samples read at a time
};

/// Samples of the truth and of every forecast, read in order, one batch ahead.
class ArrayCases {
 public:
    /// forecasts: not empty. Throws Error(data) when samples, lead times, channels or sizes differ.
    ArrayCases(std::vector<ForecastArray> forecasts, std::unique_ptr<FrameSource> truth, ArrayOptions options);
    ~ArrayCases();

    std::int64_t samples() const;
    std::int64_t leads() const;
    std::int64_t past_frames() const;  ///< of the truth, before lead 1
    const SourceInfo& info() const;    ///< of the truth

    /// One per forecast; must not outlive this object. They give what next() read last.
    std::vector<Contender> contenders() const;

    /// One sample alone, and what each forecast says of it: (1,T,C,H,W), or with members (1,M,T,C,H,W).
    Batch sample(std::int64_t index, std::vector<torch::Tensor>& forecasts) const;

    /// Past and target of the next samples. `past` is undefined where the truth has no frame before lead 1.
    bool next(Batch& batch, std::vector<ForecastTime>& times);

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace nowcell
