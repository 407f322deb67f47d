// Scores of several forecasters on the same windows: validation in training and `nowcell evaluate` are this function.
#pragma once

#include "data/baseline.h"
#include "data/loader.h"
#include "predict/forecaster.h"
#include "predict/scores/bootstrap.h"
#include "predict/scores/metrics.h"

#include <functional>
#include <optional>
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

/// When a scored forecast was made.
struct ForecastTime {
    std::int64_t recording;
    std::int64_t frame;  ///< the last one that it is made from
};

/// Scores by forecaster, in the order of the contenders.
struct ScoreTable {
    std::vector<std::string> names;
    std::vector<Scores> scores;  ///< as many as names
    std::string units;
    double step_s = 0.0;
    std::int64_t window_frames = 0;        ///< from the first input to the last target
    std::vector<ForecastTime> times = {};  ///< of each window, as in Scores::window_parts

    const Scores& of(const std::string& name) const;  ///< Throws Error(internal) on an unknown name.
};

/// What to score on.
struct EvaluationSet {
    const FrameSource& source;
    WindowOptions window;
    std::vector<Window> windows;
    std::int64_t batch = 16;
    bool images = true;  ///< also SSIM and PSNR
    /// > 0: each window is scored after every input frame from this one on, as a stream forecasts from the few frames
    /// that it has at first; contenders may need no more past frames. 0: after the last one alone.
    std::int64_t min_input_steps = 0;
};

/// Scores every contender on every window. `progress` is called with the windows done so far.
/// Missing targets take no part. Throws Error(internal) when a contender returns another shape than the truth,
/// Error(data) when no target is known.
ScoreTable evaluate(const EvaluationSet& set, const std::vector<Contender>& contenders, const Normalizer& normalizer,
                    const std::function<void(std::int64_t)>& progress = {});

/// eval.min_input_steps of the model's run. Throws Error(usage) where its network or T_in does not allow it.
std::int64_t min_input_steps(const Forecaster& model);

/// The first forecaster of a table against the best of the others.
struct Comparison {
    std::string baseline;
    PairedInterval mae;  ///< of the first minus that of the baseline, physical units; below 0: the first is better
};

/// By MAE over all lead times; blocks are as long as a window. Nothing when the table has no second forecaster.
std::optional<Comparison> compare_with_best(const ScoreTable& table);

}  // namespace nowcell
