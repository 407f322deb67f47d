// The handler of predict.
#include "cells/trial/text.h"
#include "predict/forecast_outputs.h"
#include "predict/input_list.h"
#include "predict/model_input.h"
#include "src/device.h"
#include "src/engine_log.h"
#include "src/error.h"
#include "src/files.h"
#include "src/json.h"
#include "src/log.h"
#include "src/report.h"
#include "src/stop_signal.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <new>

namespace nowcell {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Ends the work from inside: what is half done is removed on the way out.
struct Stopped {};

std::vector<std::string> formats_of(const Request& request) {
    if (request.has("--no-pictures")) {
        if (!request.has("--as")) return {"h5"};
        throw Error(ExitCode::usage, "--no-pictures and --as both say what is written", "", "leave --no-pictures away");
    }
    std::vector<std::string> words;
    for (const std::string& list :
         request.has("--as") ? request.all("--as") : std::vector<std::string>{"h5,strip,gif"}) {
        for (std::string& word : split_list(list)) words.push_back(std::move(word));
    }
    return formats_from(words);
}

ForecastChoice choice_of(const Request& request) {
    ForecastChoice choice;
    const auto number = [&](const char* flag, std::optional<std::int64_t>& value) {
        if (request.has(flag)) value = request.integer(flag);
    };
    number("--start", choice.start);
    number("--recording", choice.recording);
    number("--horizon", choice.horizon);
    choice.whole = request.text("--context") == "all";
    return choice;
}

// Refuses outputs that are there and would not be passed over, and an input that an output would replace.
void check_job(const Request& request, const NamedInput& job, const OutputOptions& out) {
    if (request.has("--skip-existing") && outputs_exist(out)) return;
    check_outputs(out);
    for (const std::string& path : output_paths(out)) {
        std::error_code ignored;
        if (!fs::equivalent(path, job.path, ignored)) continue;
        throw Error(ExitCode::output, fmt::format("the forecast would replace its input {}", job.path), "",
                    "choose another --output");
    }
}

// What became of one input.
struct Outcome {
    Json facts;
    std::vector<std::string> written = {};
    ExitCode code = ExitCode::ok;
    bool skipped = false;
};

class Prediction {
 public:
    Prediction(const Request& request, InputList inputs)
        : request_(request), inputs_(std::move(inputs)), formats_(formats_of(request)) {
        for (const NamedInput& job : inputs_.inputs) check_job(request_, job, options_of(job));
    }

    int run() {
        const Forecaster model = load_model(request_, request_.text("--model"));
        log_info(describe(model.device()));
        const StopSignal stop;
        const OutputFolder root(request_.text("--output"));  // goes again where nothing is written
        std::vector<Outcome> outcomes;
        for (const NamedInput& job : inputs_.inputs) {
            try {
                outcomes.push_back(inputs_.several ? tried(model, job, stop) : forecast(model, job, stop));
            } catch (const Stopped&) {
                log_info(fmt::format("stopped: {} of {} inputs forecast", outcomes.size(), inputs_.inputs.size()));
                return static_cast<int>(exit_code_of(stop.received()));
            }
        }
        log_engines();
        return inputs_.several ? report_all(outcomes) : report_one(outcomes.front());
    }

 private:
    OutputOptions options_of(const NamedInput& job) const {
        // What is incomplete is made again.
        const bool again = request_.has("--skip-existing");
        return {job.folder, formats_, request_.has("--force") || again};
    }

    Outcome forecast(const Forecaster& model, const NamedInput& job, const StopSignal& stop) const {
        const OutputOptions out = options_of(job);
        if (request_.has("--skip-existing") && outputs_exist(out)) {
            log_info(fmt::format("{}: passed over, {} has its forecast", job.path, job.folder));
            return {.facts = {{"input", job.path}, {"output", job.folder}, {"status", "skipped"}}, .skipped = true};
        }
        InputChoice input = input_choice(request_);
        input.path = job.path;
        const auto source = open_input(input, model);
        const ForecastRun run(model, *source, choice_of(request_));
        ForecastRecord record = run.record();
        record.model = request_.text("--model");
        record.history = request_.command_line;
        const auto watch = [&] {
            if (stop.received() != 0) throw Stopped();
        };
        Outcome outcome;
        outcome.written = write_outputs(run, model.normalizer(), source->info(), record, out, watch);
        const ForecastShape shape = run.shape();
        log_info(fmt::format("forecast {} frame{} of {} recording{} from {}", shape.horizon,
                             shape.horizon == 1 ? "" : "s", shape.recordings, shape.recordings == 1 ? "" : "s",
                             job.path));
        outcome.facts = {{"input", job.path},        {"output", job.folder},
                         {"status", "written"},      {"recordings", shape.recordings},
                         {"horizon", shape.horizon}, {"units", record.units}};
        return outcome;
    }

    // The others go on when one fails.
    Outcome tried(const Forecaster& model, const NamedInput& job, const StopSignal& stop) const {
        try {
            return forecast(model, job, stop);
        } catch (const Error& error) {
            return failed(job, error);
        } catch (const std::bad_alloc&) {
            return failed(job, {ExitCode::device, "out of memory"});
        } catch (const std::exception& error) {
            const std::string text = error.what();
            return failed(job, {ExitCode::internal, text.substr(0, text.find('\n'))});
        }
    }

    static Outcome failed(const NamedInput& job, const Error& error) {
        log_failure("nowcell predict: " + job.path, error);
        return {.facts = {{"input", job.path},
                          {"output", nullptr},
                          {"status", "failed"},
                          {"exit_code", static_cast<int>(error.code())},
                          {"error", error.what()}},
                .code = error.code()};
    }

    int report_one(const Outcome& outcome) const {
        std::string text;
        for (const std::string& path : outcome.written) text += path + "\n";
        Json report = {{"schema", "nowcell.predict/1"}};
        for (const char* key : {"recordings", "horizon", "units"}) {
            if (outcome.facts.contains(key)) report[key] = outcome.facts.at(key);
        }
        report["output"] = request_.text("--output");
        report["status"] = outcome.facts.at("status");
        deliver(request_, text, json_text(report));
        return 0;
    }

    int report_all(const std::vector<Outcome>& outcomes) const {
        std::string text;
        Json inputs = Json::array();
        ExitCode worst = ExitCode::ok;
        std::size_t failures = 0;
        std::size_t skipped = 0;
        for (const Outcome& outcome : outcomes) {
            for (const std::string& path : outcome.written) text += path + "\n";
            inputs.push_back(outcome.facts);
            worst = std::max(worst, outcome.code);
            failures += outcome.code == ExitCode::ok ? 0 : 1;
            skipped += outcome.skipped ? 1 : 0;
        }
        log_info(fmt::format("{} of {} inputs forecast{}{}", outcomes.size() - failures - skipped, outcomes.size(),
                             skipped == 0 ? "" : fmt::format(", {} passed over", skipped),
                             failures == 0 ? "" : fmt::format(", {} failed", failures)));
        const Json report = {{"schema", "nowcell.predict/1"},
                             {"output", request_.text("--output")},
                             {"written", outcomes.size() - failures - skipped},
                             {"skipped", skipped},
                             {"failed", failures},
                             {"inputs", inputs}};
        deliver(request_, text, json_text(report));
        return static_cast<int>(worst);
    }

    const Request& request_;
    InputList inputs_;
    std::vector<std::string> formats_;
};

int predict(const Request& request) {
    choose_threads(request);
    return Prediction(request, list_inputs(request.all("--input"), request.text("--output"))).run();
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_predict(const nowcell::Request& request) { return nowcell::predict(request); }
