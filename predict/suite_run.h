// A suite, data set by data set.
#pragma once

#include "predict/model_trial.h"
#include "predict/suite.h"
#include "src/error.h"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <string>
#include <vector>

namespace nowcell {

/// A model, data, or a pair of them that could not be scored.
struct SuiteFailure {
    std::string model;
    std::string data;
    ExitCode code;
    std::string what;
};

/// What came of a suite: a report for each data set that any model could be scored on.
struct SuiteResult {
    std::vector<ScoreReport> reports;
    std::vector<SuiteFailure> failures;
};

/// Scores every model on every data set. What fails is noted and the others go on. choice: what all have in common;
/// done: called with each data set that was scored.
SuiteResult run_suite(const Suite& suite, const std::function<Forecaster(const std::string& path)>& load,
                      TrialChoice choice, const std::function<void(const SuiteEntry&, const Scored&)>& done);

/// One table of everything, and what failed.
std::string suite_text(const Suite& suite, const SuiteResult& result);

/// {"schema":"nowcell.evaluate_suite/1","title","evaluations":[of evaluate_schema()],"failures":[...]}
nlohmann::ordered_json suite_document(const Suite& suite, const SuiteResult& result);

}  // namespace nowcell
