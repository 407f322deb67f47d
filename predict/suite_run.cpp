#include "predict/suite_run.h"

#include "predict/scores/score_files.h"
#include "src/json.h"
#include "src/log.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nowcell {
namespace {

using Json = nlohmann::ordered_json;

std::string name_of(const SuiteFailure& failure) {
    const bool both = !failure.model.empty() && !failure.data.empty();
    return both ? failure.model + " on " + failure.data : failure.model + failure.data;
}

// Runs an action; what ends it is noted.
template <typename Action>
void attempt(SuiteResult& result, const std::string& model, const std::string& data, Action action) {
    try {
        action();
    } catch (const Error& error) {
        if (error.code() == ExitCode::output) throw;  // the others could not be written either
        result.failures.push_back({model, data, error.code(), error.what()});
        log_warning(fmt::format("{}: {}", name_of(result.failures.back()), error.what()));
    }
}

InputChoice input_of(const SuiteEntry& data) {
    InputChoice input{data.path};
    if (!data.dataset.empty()) input.dataset = data.dataset;
    if (!data.target.empty()) input.target = data.target;
    return input;
}

}  // namespace

SuiteResult run_suite(const Suite& suite, const std::function<Forecaster(const std::string& path)>& load,
                      TrialChoice choice, const std::function<void(const SuiteEntry&, const Scored&)>& done) {
    SuiteResult result;
    Models models;
    for (const SuiteEntry& entry : suite.models) {
        attempt(result, entry.name, "", [&] {
            models.push_back({entry.name, std::make_shared<const Forecaster>(load(entry.path))});
        });
    }
    for (const SuiteEntry& data : suite.data) {
        choice.input = input_of(data);
        choice.split = data.split;
        Models fitting;
        for (const NamedModel& one : models) {
            attempt(result, one.name, data.name, [&] {
                open_scored(choice.input, *one.model);
                fitting.push_back(one);
            });
        }
        if (fitting.empty()) continue;
        attempt(result, "", data.name, [&] {
            Scored scored = evaluate_models(fitting, choice);
            scored.report.context.data = data.name;
            done(data, scored);
            result.reports.push_back(std::move(scored.report));
        });
    }
    return result;
}

std::string suite_text(const Suite& suite, const SuiteResult& result) {
    std::string out = suite.title.empty() ? "" : suite.title + "\n\n";
    if (!result.reports.empty()) out += score_text(result.reports);
    for (const SuiteFailure& one : result.failures) out += fmt::format("not scored: {}: {}\n", name_of(one), one.what);
    return out;
}

Json suite_document(const Suite& suite, const SuiteResult& result) {
    Json evaluations = Json::array();
    for (const ScoreReport& report : result.reports) evaluations.push_back(score_document(report));
    Json failures = Json::array();
    for (const SuiteFailure& one : result.failures) {
        failures.push_back({{"model", one.model},
                            {"data", one.data},
                            {"code", static_cast<int>(one.code)},
                            {"what", as_utf8(one.what)}});
    }
    return {{"schema", "nowcell.evaluate_suite/1"},
            {"title", suite.title},
            {"evaluations", evaluations},
            {"failures", failures}};
}

}  // namespace nowcell
