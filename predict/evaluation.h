// Scores of several forecasters on the same cases: validation in training, `nowcell evaluate` of models and of arrays
// that other tools made are this function.
#pragma once

#include "data/baseline.h"
#include "data/loader.h"
#include "predict/forecaster.h"
#include "predict/scores/ensemble_scores.h"
#include "predict/scores/metrics.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// Anything that forecasts.
struct Contender {
    std::string name;
    /// From the past of a batch (B,P,C,H,W) the lead times 1..horizon, (B,horizon,C,H,W), or with members
    /// (B,M,horizon,C,H,W); physical units, on the CPU. Empty for an ensemble of other contenders.
    std::function<torch::Tensor(const Batch& batch, std::int64_t horizon)> forecast;
    bool baseline = false;             ///< needs no learning: what the others are compared with
    std::int64_t members = 1;          ///< M; with more than one, probabilistic scores too, and those of the mean
    std::vector<std::size_t> of = {};  ///< contenders before this one that are its members
};

/// A baseline as a contender; it must outlive the result.
Contender contender(const Baseline& baseline);

/// A model first, then every baseline. All must outlive the result.
std::vector<Contender> contenders(const Forecaster& model, const std::vector<std::unique_ptr<Baseline>>& baselines);

/// When a scored forecast was made.
struct ForecastTime {
    std::int64_t recording;
    std::int64_t frame;  ///< the last one that it is made from
};

/// What one forecaster scored.
struct ForecasterScores {
    std::string name;
    bool baseline = false;
    Scores fields;                           ///< of an ensemble: of its mean
    std::optional<EnsembleScores> ensemble;  ///< of its members

    std::vector<Quantity> quantities() const;
    double value(const Quantity& quantity, std::int64_t lead) const;  ///< see Scores::value
    double value(const std::string& metric, std::int64_t lead) const { return value(Quantity{metric}, lead); }
    std::vector<ScoreCurve> curves() const;
};

/// Scores by forecaster, in the order of the contenders.
struct ScoreTable {
    std::vector<ForecasterScores> rows;
    std::string units;
    double step_s = 0.0;
    std::string dialect = "standard";
    std::int64_t window_frames = 0;        ///< from the first input to the last target
    std::vector<ForecastTime> times = {};  ///< of each window, in the order that the rows have them

    const Scores& of(const std::string& name) const;  ///< Throws Error(internal) on an unknown name.
    std::int64_t windows() const { return rows.front().fields.windows(); }
    std::int64_t leads() const { return rows.front().fields.leads(); }
    /// What any row has, in the order of a table.
    std::vector<Quantity> quantities() const;
    std::string unit(const Quantity& quantity) const { return unit_of(quantity.metric, units, dialect); }
};

/// Batches of cases one behind the other, with the times of their forecasts; false at the end.
using NextCases = std::function<bool(Batch& batch, std::vector<ForecastTime>& times)>;

/// A table without any score yet; `info`: of what is scored.
ScoreTable empty_table(const std::vector<Contender>& contenders, std::int64_t leads, const ScoreOptions& options,
                       const SourceInfo& info, const WindowOptions& window);

/// Adds every case to the table. `progress` is called with the cases done so far. Missing targets take no part; a
/// warning names forecasters that lack values where the truth is known. Returns whether any target is known. Throws
/// Error(internal) when a contender returns another shape than the truth.
bool score(const NextCases& next, const std::vector<Contender>& contenders, ScoreTable& table,
           const std::function<void(std::int64_t)>& progress = {});

/// What to score on.
struct EvaluationSet {
    const FrameSource& source;
    WindowOptions window;
    std::vector<Window> windows;
    std::int64_t batch = 16;
    /// > 0: each window is scored after every input frame from this one on, as a stream forecasts from the few frames
    /// that it has at first; contenders may need no more past frames. 0: after the last one alone.
    std::int64_t min_input_steps = 0;
};

/// Scores every contender on every window. Throws as score(), and Error(data) when no target is known.
ScoreTable evaluate(const EvaluationSet& set, const std::vector<Contender>& contenders, const ScoreOptions& options,
                    const std::function<void(std::int64_t)>& progress = {});

/// The keys eval.*; without eval.range on 0..1. Throws Error(usage) on what makes no range or window.
ScoreOptions score_options(const Config& config);

/// Those of a model's run, in its units, without eval.range on the range of its normaliser.
ScoreOptions score_options(const Forecaster& model);

/// eval.min_input_steps of the model's run. Throws Error(usage) where its network or T_in does not allow it.
std::int64_t min_input_steps(const Forecaster& model);

}  // namespace nowcell
