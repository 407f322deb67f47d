// Models scored on data beside the baselines.
#pragma once

#include "predict/evaluation_folder.h"
#include "predict/model_input.h"
#include "predict/scores/gate.h"
#include "predict/scores/score_table.h"

#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// A model under the name of its row.
struct NamedModel {
    std::string name;
    std::shared_ptr<const Forecaster> model;
};

using Models = std::vector<NamedModel>;

/// What models are scored on.
struct TrialChoice {
    InputChoice input;
    std::string split = {};        ///< empty: test where the data are those of a model's run, else all
    std::int64_t leads = 0;        ///< 0: the output steps of the first model
    bool ensemble = false;         ///< also a row in which the models are members
    std::vector<Gate> gates = {};  ///< checked against what will be scored, before it is
};

/// A report with what draws a sample of it.
struct Scored {
    ScoreReport report;
    SampleOf sample;
};

/// Takes out baselines that look back further than `past` frames, with a line of the log that ends in `why`.
void leave_out_longer(std::int64_t past, const std::string& why, std::vector<std::unique_ptr<Baseline>>& baselines);

/// Scores models and every baseline on the windows that all can forecast; options, baselines and range of values are
/// those of the first model. Throws Error(usage) where models cannot be compared,
/// Error(data) where the data do not fit.
Scored evaluate_models(const Models& models, const TrialChoice& choice);

}  // namespace nowcell
