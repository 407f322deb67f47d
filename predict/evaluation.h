// Scores of several forecasters on the same windows: validation in training and `nowcell evaluate` are this function.
#pragma once

#include "data/baseline.h"
#include "data/loader.h"
#include "predict/forecaster.h"
#include "predict/metrics.h"

#include <functional>
#include <string>
#include <vector>

namespace nowcell {

/// Anything that forecasts: past (B,P,C,H,W) and a horizon in, (B,horizon,C,H,W) out, physical units.
struct Contender {
    std::string name;
    std::function<torch::Tensor(const torch::Tensor& past, std::int64_t horizon)> forecast;
};

/// The model first, then every baseline that its options allow. Both arguments must outlive the result.
std::vector<Contender> contenders(const Forecaster& model, const std::vector<std::unique_ptr<Baseline>>& baselines);

/// Scores by forecaster, in the order of the contenders.
struct ScoreTable {
    std::vector<std::string> names;
    std::vector<Scores> scores;  ///< as many as names
    std::string units;
    double step_s = 0.0;

    const Scores& of(const std::string& name) const;  ///< Throws Error(internal) on an unknown name.
};

/// What to score on.
struct EvaluationSet {
    const FrameSource& source;
    WindowOptions window;
    std::vector<Window> windows;
    std::int64_t batch = 16;
    bool images = true;  ///< also SSIM and PSNR
};

/// Scores every contender on every window. `progress` is called with the windows done so far.
/// Missing targets take no part. Throws Error(internal) when a contender returns another shape than the truth,
/// Error(data) when no target is known.
ScoreTable evaluate(const EvaluationSet& set, const std::vector<Contender>& contenders, const Normalizer& normalizer,
                    const std::function<void(std::int64_t)>& progress = {});

}  // namespace nowcell
