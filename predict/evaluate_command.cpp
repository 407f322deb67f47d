// The handler of evaluate: models on data, arrays of other tools, or a whole suite.
#include "cells/trial/text.h"
#include "predict/array_cases.h"
#include "predict/evaluation.h"
#include "predict/evaluation_folder.h"
#include "predict/model_input.h"
#include "predict/model_trial.h"
#include "predict/scores/gate.h"
#include "predict/scores/score_files.h"
#include "predict/suite_run.h"
#include "predict/verbs.h"
#include "src/device.h"
#include "src/engine_log.h"
#include "src/error.h"
#include "src/files.h"
#include "src/json.h"
#include "src/log.h"
#include "src/report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <set>

namespace nowcell {
namespace {

using Json = nlohmann::ordered_json;

// What the flags say of any kind of evaluation.
struct Asked {
    const Request& request;
    std::vector<Gate> gates;
    bool ensemble;
};

// "NAME=PATH" as both; else the name that the path suggests.
std::pair<std::string, std::string> named(const std::string& word) {
    const std::size_t equals = word.find('=');
    const bool given = equals != std::string::npos && equals > 0 && word.find('/') > equals;
    if (!given) return {name_of_path(word), word};
    return {word.substr(0, equals), word.substr(equals + 1)};
}

// What other rows may be called.
std::set<std::string> names_taken() {
    std::set<std::string> names = {"ensemble"};
    for (const Key& key : predict_keys()) {
        if (key.name == "eval.baselines") names.insert(key.choices.begin(), key.choices.end());
    }
    return names;
}

// Names of rows are different ones; where two paths suggest one name, the paths are the names.
std::vector<std::pair<std::string, std::string>> rows_of(const std::vector<std::string>& words) {
    std::vector<std::pair<std::string, std::string>> out;
    std::set<std::string> seen = names_taken();
    for (const std::string& word : words) {
        out.push_back(named(word));
        if (!seen.insert(out.back().first).second) out.back().first = out.back().second;
    }
    return out;
}

// "[0.5, 2]" of "0.5,2", for --set.
std::string array_of(const std::string& words, bool quoted) {
    std::string out;
    for (std::string word : split_list(words)) {
        word.erase(0, word.find_first_not_of(" \t"));
        word.erase(word.find_last_not_of(" \t") + 1);
        out += (out.empty() ? "" : ", ") + (quoted ? "\"" + word + "\"" : word);
    }
    return "[" + out + "]";
}

// The request with its lists as overrides of configuration keys.
Request with_lists(Request request) {
    const auto add = [&](const char* flag, const char* key, bool quoted) {
        if (!request.has(flag)) return;
        request.values["--set"].push_back(fmt::format("{}={}", key, array_of(request.text(flag), quoted)));
    };
    add("--metrics", "eval.metrics", true);
    add("--thresholds", "eval.thresholds", false);
    add("--baselines", "eval.baselines", true);
    return request;
}

// Models on an input, arrays beside a truth, or a suite: one of them.
void check_mode(const Request& request) {
    const auto refuse_beside = [&](const char* mode, const std::vector<const char*>& others) {
        for (const char* other : others) {
            if (request.has(mode) && request.has(other)) {
                throw Error(ExitCode::usage, fmt::format("{} and {} do not go together", mode, other), "",
                            "--model and --input, --forecast and --truth, or --suite");
            }
        }
    };
    refuse_beside("--suite", {"--model", "--input", "--forecast", "--truth", "--split", "--dataset", "--per-sample"});
    refuse_beside("--forecast", {"--model", "--input", "--split", "--horizon", "--target"});
    for (const char* mode : {"--model", "--suite"}) refuse_beside(mode, {"--units", "--truth-start"});
    for (const auto& [one, other] : {std::pair("--forecast", "--truth"), std::pair("--truth", "--forecast")}) {
        if (request.has(one) && !request.has(other)) {
            throw Error(ExitCode::usage, fmt::format("{} needs {}", one, other), "",
                        "nowcell evaluate --forecast a.npy --truth b.h5");
        }
    }
}

Models load_models(const Request& request, const std::vector<std::pair<std::string, std::string>>& rows) {
    Models models;
    for (const auto& [name, path] : rows) {
        models.push_back({name, std::make_shared<const Forecaster>(load_model(request, path))});
    }
    return models;
}

std::unique_ptr<FrameSource> open_array(const Request& request, const std::string& path, const char* layout,
                                        const char* dataset) {
    SourceOptions options;
    options.path = path;
    options.layout = request.text(layout, "auto");
    options.dataset = request.text(dataset);
    options.missing = "mask";
    return open_source(options);
}

ScoreOptions array_options(const Config& config, const SourceInfo& truth, const std::string& units) {
    ScoreOptions options = score_options(config);
    options.units = units;
    if (config.numbers("eval.range").size() == 2) return options;
    options.max = truth.stored_type == "uint8" && truth.scale == 1.0 ? 255.0 : 1.0;
    log_info(fmt::format(
        "SSIM and PSNR take 0 to {} as the range of values; --set 'eval.range=[MIN, MAX]' sets another", options.max));
    return options;
}

Scored evaluate_arrays(const Asked& asked) {
    const Request& request = asked.request;
    std::vector<ForecastArray> forecasts;
    for (const auto& [name, path] : rows_of(request.all("--forecast"))) {
        forecasts.push_back({name, open_array(request, path, "--forecast-layout", "--forecast-dataset")});
    }
    const auto cases = std::make_shared<ArrayCases>(
        std::move(forecasts), open_array(request, request.text("--truth"), "--truth-layout", "--dataset"),
        ArrayOptions{asked.ensemble, request.integer("--truth-start", -1)});
    const Config config = Config::parse("[data]\npath = \"of no model\"\n", "--set", request.overrides());
    const std::string units = request.text("--units", cases->info().units);
    const ScoreOptions options = array_options(config, cases->info(), units);
    BaselineOptions facts;
    facts.units = units;
    facts.step_s = cases->info().step_s;
    auto baselines = chosen_baselines(facts, config.texts("eval.baselines"));
    leave_out_longer(cases->past_frames(), fmt::format("the truth has {} before lead 1", cases->past_frames()),
                     baselines);
    std::vector<Contender> all = cases->contenders();
    for (const auto& baseline : baselines) all.push_back(contender(*baseline));
    WindowOptions window;
    window.input_steps = std::max<std::int64_t>(1, cases->past_frames());
    window.output_steps = cases->leads();
    ScoreTable table = empty_table(all, cases->leads(), options, cases->info(), window);
    table.units = units;
    check_gates(asked.gates, table);
    ProgressLine progress;
    const bool known = score(
        [&](Batch& batch, std::vector<ForecastTime>& times) { return cases->next(batch, times); }, all, table,
        [&](std::int64_t done) { progress.update(fmt::format("scored {} of {} samples", done, cases->samples())); });
    if (!known) throw Error(ExitCode::data, "every value of the truth is missing", cases->info().path);
    std::vector<Comparison> comparisons = compare(table);
    std::string names;
    for (const std::string& word : request.all("--forecast")) names += (names.empty() ? "" : ", ") + named(word).second;
    ScoreReport report{{names, request.text("--truth"), "all", "arrays"}, std::move(table), std::move(comparisons)};
    return {std::move(report), [cases, ensemble = asked.ensemble](std::int64_t index) {
                std::vector<torch::Tensor> forecasts_of;
                const Batch batch = cases->sample(index, forecasts_of);
                const torch::Tensor forecast = ensemble ? forecasts_of.front().mean(1) : forecasts_of.front();
                const torch::Tensor input = batch.past.defined() ? batch.past[0] : batch.target[0].slice(0, 0, 0);
                return Forecast{input, forecast[0], batch.target[0], fmt::format("sample {}", index)};
            }};
}

// Ends with the code of missed bars, saying which.
int verdict_of(const Asked& asked, const std::vector<ScoreReport>& reports) {
    int missed_bars = 0;
    for (const ScoreReport& report : reports) {
        for (const std::string& line : missed(asked.gates, report.table)) {
            log_warning(reports.size() > 1 ? fmt::format("{} on {}", line, report.context.data) : line);
            ++missed_bars;
        }
    }
    if (missed_bars == 0) return 0;
    throw Error(ExitCode::gate,
                fmt::format("{} missed", missed_bars == 1 ? "a bar was" : fmt::format("{} bars were", missed_bars)));
}

int evaluate_once(const Asked& asked) {
    const Request& request = asked.request;
    if (request.has("--folder")) check_evaluation_folder(request.text("--folder"), request.has("--force"));
    const Scored scored = [&] {
        if (request.has("--forecast")) return evaluate_arrays(asked);
        const Models models = load_models(request, rows_of(request.all("--model")));
        return evaluate_models(models, {input_choice(request), request.text("--split"), request.integer("--horizon", 0),
                                        asked.ensemble, asked.gates});
    }();
    if (request.has("--csv")) write_report(request.text("--csv"), score_csv(scored.report.table));
    if (request.has("--per-sample")) write_report(request.text("--per-sample"), sample_csv(scored.report.table));
    if (request.has("--folder")) write_evaluation(request.text("--folder"), scored.report, scored.sample);
    deliver(request, score_text(scored.report), json_text(score_document(scored.report)));
    return verdict_of(asked, {scored.report});
}

int evaluate_suite(const Asked& asked) {
    const Request& request = asked.request;
    const Suite suite = read_suite(request.text("--suite"));
    const std::string folder = request.text("--folder");
    if (!folder.empty()) {
        for (const SuiteEntry& data : suite.data) {
            check_evaluation_folder(folder + "/" + data.name, request.has("--force"));
        }
    }
    Request with_suite = request;
    std::vector<std::string>& set = with_suite.values["--set"];
    set.insert(set.begin(), suite.overrides.begin(), suite.overrides.end());
    const SuiteResult result = run_suite(
        suite, [&](const std::string& path) { return load_model(with_suite, path); },
        {{}, "", request.integer("--horizon", 0), asked.ensemble, asked.gates},
        [&](const SuiteEntry& data, const Scored& scored) {
            if (!folder.empty()) write_evaluation(folder + "/" + data.name, scored.report, scored.sample);
        });
    if (request.has("--csv")) write_report(request.text("--csv"), score_csv(result.reports));
    deliver(request, suite_text(suite, result), json_text(suite_document(suite, result)));
    if (!result.failures.empty()) {
        throw Error(
            result.failures.front().code,
            fmt::format("{} of the suite could not be scored",
                        result.failures.size() == 1 ? "one pair" : fmt::format("{} pairs", result.failures.size())),
            request.text("--suite"), "the warnings above and \"failures\" of --json say why");
    }
    return verdict_of(asked, result.reports);
}

int evaluate_command(const Request& typed) {
    if (typed.has("--schema")) {
        deliver(typed, evaluate_schema() + "\n");
        return 0;
    }
    const Request request = with_lists(typed);
    choose_threads(request);
    Asked asked{request, {}, request.has("--ensemble")};
    for (const std::string& text : request.all("--fail-if")) asked.gates.push_back(parse_gate(text));
    check_mode(request);
    return request.has("--suite") ? evaluate_suite(asked) : evaluate_once(asked);
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_evaluate(const nowcell::Request& request) { return nowcell::evaluate_command(request); }
