// The handlers of predict and evaluate.
#include "data/paired_source.h"
#include "predict/evaluation.h"
#include "predict/forecast_file.h"
#include "predict/forecaster.h"
#include "predict/pictures/pictures.h"
#include "predict/scores/score_table.h"
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
#include <filesystem>

namespace nowcell {
namespace {

// The source that --input names: read as in training where that fits, else as the file itself suggests.
std::unique_ptr<FrameSource> open_input(const Request& request, const Forecaster& model) {
    SourceOptions options = model.data().source;
    options.path = request.text("--input");
    options.dataset = request.text("--dataset", options.dataset);
    std::unique_ptr<FrameSource> source;
    try {
        source = open_source(options);
    } catch (const Error&) {
        if (request.has("--dataset") || (options.dataset.empty() && options.layout == "auto")) throw;
        if (!options.dataset.empty()) {
            log_warning(fmt::format("{} is read as it suggests itself: no dataset {} of layout {} as in training",
                                    options.path, options.dataset, options.layout));
        }
        options.dataset.clear();
        options.layout = "auto";
        source = open_source(options);
    }
    model.check_source(source->info());
    return source;
}

// The input with the targets of its pairs, which are in its own file unless a file was named.
std::unique_ptr<FrameSource> open_scored(const Request& request, const Forecaster& model) {
    std::unique_ptr<FrameSource> input = open_input(request, model);
    if (!model.data().window.paired) return input;
    SourceOptions options = model.data().target;
    if (!model.config().has("data.target_path") || model.config().text("data.target_path").empty()) {
        options.path = request.text("--input");
    } else if (!request.has("--target") && !model.trained_on().is(input->info())) {
        throw Error(ExitCode::usage, "the model was trained on pairs, and the input is not the data of its run",
                    request.text("--input"), "--target FILE: what is to be forecast from this input");
    }
    return pair_sources(std::move(input), open_source(options));
}

// What a forecast reads before the first lead time; the baselines of the score table may need more.
WindowOptions forecast_window(const Forecaster& model) {
    WindowOptions window = model.data().window;
    window.paired = false;  // no targets are needed
    window.history = model.history();
    return window;
}

// A window of a recording, its history included, that has the frames it needs; `start` counts in the recording.
bool possible(const WindowOptions& window, const SourceInfo& info, std::int64_t recording, std::int64_t start) {
    const std::int64_t first = window.first_frame(start);
    const std::int64_t last = start + window.reach(window.input_steps) - 1;
    const std::int64_t frames = info.frames[static_cast<std::size_t>(recording)];
    return first >= 0 && last < frames && continuous(info, recording, first, last);
}

[[noreturn]] void fail_start(const Request& request, const Forecaster& model, const SourceInfo& info,
                             std::size_t recording) {
    const WindowOptions window = forecast_window(model);
    const std::int64_t steps = window.input_steps;
    const std::int64_t before = -window.first_frame(0);
    const std::int64_t frames = info.frames[recording];
    const std::string extra = before > 0 ? fmt::format(" after {} earlier ones for its {} baseline", before,
                                                       model.network().options().guides().front())
                                         : "";
    const std::string apart = window.frame_step > 1 ? fmt::format(" that are {} frames apart", window.frame_step) : "";
    const bool asked = request.has("--start");
    const std::int64_t last = frames - window.reach(steps);
    const bool jumps = recording < info.breaks.size() && !info.breaks[recording].empty();
    throw Error(ExitCode::data,
                fmt::format("recording {} has {} frames{}: the model needs {} input frames{}{}{}", recording, frames,
                            jumps ? fmt::format(" with {} jumps of time", info.breaks[recording].size()) : "", steps,
                            apart, extra, asked ? fmt::format(" from frame {} on", request.integer("--start")) : ""),
                info.path,
                asked && last >= before ? fmt::format("--start {} to {}", before, last) : "give a longer recording");
}

// The window that each recording's forecast starts from.
std::vector<Window> forecast_starts(const Request& request, const Forecaster& model, const SourceInfo& info) {
    const WindowOptions window = forecast_window(model);
    const auto recordings = static_cast<std::int64_t>(info.frames.size());
    const std::int64_t only = request.integer("--recording", -1);
    if (only >= recordings) {
        throw Error(ExitCode::data, fmt::format("no recording {}: there are {}", only, recordings), info.path,
                    fmt::format("--recording 0 to {}", recordings - 1));
    }
    std::vector<Window> starts;
    for (std::int64_t i = 0; i < recordings; ++i) {
        if (only >= 0 && only != i) continue;
        const auto at = static_cast<std::size_t>(i);
        const std::int64_t start =
            request.has("--start") ? request.integer("--start") : info.frames[at] - window.reach(window.input_steps);
        if (!possible(window, info, i, start)) fail_start(request, model, info, at);
        starts.push_back({i, start});
    }
    return starts;
}

torch::Tensor forecast_all(const Forecaster& model, const FrameSource& source, const std::vector<Window>& starts,
                           std::int64_t horizon) {
    const WindowOptions window = forecast_window(model);
    const auto batch = static_cast<std::ptrdiff_t>(model.config().integer("eval.batch"));
    std::vector<torch::Tensor> forecasts;
    ProgressLine progress;
    for (auto at = starts.begin(); at != starts.end();) {
        const auto end = at + std::min(batch, starts.end() - at);
        forecasts.push_back(model.forecast(read_windows(source, window, {at, end}, false).past, horizon));
        at = end;
        progress.update(fmt::format("forecast {} of {} recordings", at - starts.begin(), starts.size()));
    }
    return at::cat(forecasts);
}

// Whether the recording has one lead time more than the window, without a jump of time before it.
bool has_truth(const WindowOptions& window, const SourceInfo& info, const Window& start) {
    const std::int64_t next = start.start + window.reach(window.input_steps + window.output_steps + 1) - 1;
    return next < info.frames[static_cast<std::size_t>(start.recording)] &&
           continuous(info, start.recording, start.start, next);
}

double step_s(const SourceInfo& info, const WindowOptions& window) {
    return info.step_s * static_cast<double>(window.frame_step);
}

Forecast picture_of(const FrameSource& source, const Forecaster& model, const Window& start,
                    const torch::Tensor& frames, const std::string& title) {
    const SourceInfo& info = source.info();
    WindowOptions window = forecast_window(model);
    window.history = 0;
    const std::int64_t horizon = frames.size(0);
    window.output_steps = 0;  // becomes the lead times whose truth the recording has
    while (window.output_steps < horizon && has_truth(window, info, start)) ++window.output_steps;
    const Batch known = read_windows(source, window, {start}, window.output_steps > 0);
    return drawable({known.past[0], frames, known.target.defined() ? known.target[0] : torch::Tensor(), title,
                     step_s(info, window)});
}

Forecaster load_model(const Request& request) {
    return Forecaster::load(request.text("--model"), choose_device(request.text("--device", "auto")),
                            request.overrides());
}

int predict(const Request& request) {
    choose_threads(request);
    const bool pictures = !request.has("--no-pictures");
    std::vector<std::string> names = {"forecast.h5"};
    if (pictures) names.insert(names.end(), {"strip.png", "forecast.gif"});
    for (const std::string& name : names) check_writable(request.text("--output") + "/" + name, request.has("--force"));

    std::error_code ignored;
    if (std::filesystem::equivalent(request.text("--output") + "/forecast.h5", request.text("--input"), ignored)) {
        throw Error(ExitCode::output, fmt::format("the forecast would replace its input {}", request.text("--input")),
                    "", "choose another --output");
    }

    const Forecaster model = load_model(request);
    const auto source = open_input(request, model);
    const SourceInfo& info = source->info();
    const std::int64_t horizon = request.integer("--horizon", model.data().window.output_steps);
    const std::vector<Window> starts = forecast_starts(request, model, info);
    log_info(describe(model.device()));
    const torch::Tensor frames = forecast_all(model, *source, starts, horizon);
    log_engines();

    const WindowOptions& window = model.data().window;
    ForecastRecord record{info.units, step_s(info, window),    info.path,
                          {},         request.text("--model"), request.command_line};
    for (const Window& start : starts) {
        record.last_input.push_back(static_cast<double>(start.start + window.reach(window.input_steps) - 1));
    }
    OutputFolder folder(request.text("--output"));
    std::string written;
    const auto output = [&](const std::string& name) {
        const std::string path = folder.add(name);
        written += path + "\n";
        return path;
    };
    write_forecast(output("forecast.h5"), frames, record);
    if (pictures) {
        const std::string title =
            info.frames.size() > 1 ? fmt::format("recording {}", starts.front().recording) : std::string();
        const Forecast picture = picture_of(*source, model, starts.front(), frames[0], title);
        const ColourScale scale = colour_scale(picture, info.units);
        write_strip(output("strip.png"), picture, scale);
        write_gif(output("forecast.gif"), picture, scale);
    }
    folder.commit();
    log_info(fmt::format("forecast {} frame{} of {} recording{} from {}", horizon, horizon == 1 ? "" : "s",
                         starts.size(), starts.size() == 1 ? "" : "s", info.path));
    const nlohmann::ordered_json report = {{"schema", "nowcell.predict/1"},
                                           {"recordings", starts.size()},
                                           {"horizon", horizon},
                                           {"units", info.units},
                                           {"output", request.text("--output")}};
    deliver(request, written, json_text(report));
    return 0;
}

// The part of the data to score, and why.
struct ChosenPart {
    Part part;
    std::string why;
};

ChosenPart choose_part(const Request& request, const Forecaster& model, const SourceInfo& info) {
    const bool own = model.trained_on().is(info);
    if (request.has("--split")) {
        return {part_from(request.text("--split")),
                own ? "as asked, of the run's own data" : "as asked, of other data"};
    }
    if (own) return {Part::test, "the run's own data: the part it never saw"};
    return {Part::all, "not the run's own data: all windows"};
}

// Baselines that look back further than the shortest input that is scored.
void leave_out_longer(std::int64_t least, std::vector<std::unique_ptr<Baseline>>& baselines) {
    const auto longer = [&](const auto& baseline) { return baseline->history() > least; };
    for (const auto& baseline : baselines) {
        if (!longer(baseline)) continue;
        log_info(fmt::format("no {} row: it needs {} frames, eval.min_input_steps = {}", baseline->name(),
                             baseline->history(), least));
    }
    baselines.erase(std::remove_if(baselines.begin(), baselines.end(), longer), baselines.end());
}

int evaluate_model(const Request& request) {
    choose_threads(request);
    const Forecaster model = load_model(request);
    const auto source = open_scored(request, model);
    const ChosenPart chosen = choose_part(request, model, source->info());
    WindowOptions window = model.data().window;
    window.stride = model.config().integer("eval.stride");
    const std::int64_t least = min_input_steps(model);
    if (least > 0) window.history = 0;
    BaselineOptions known = model.baselines();
    std::vector<Window> windows;
    try {
        windows = cut_windows(source->info(), window, model.data().split, chosen.part);
    } catch (const Error&) {  // too short for the cycle, but perhaps not for the model
        if (least > 0) throw;
        window.history = std::max<std::int64_t>(2, model.history());
        if (known.period == 0 || window.history > known.period) throw;
        windows = cut_windows(source->info(), window, model.data().split, chosen.part);
        known.period = 0;
        log_warning("recordings are too short for a period before each window: no seasonal and no anomaly row");
    }
    const EvaluationSet set{*source, window, windows, model.config().integer("eval.batch"), true, least};
    if (source->info().height != model.trained_on().height || source->info().width != model.trained_on().width) {
        known.climatology = torch::Tensor();
        log_warning("frames of another size than in training: no climatology row");
    }
    if (model.baselines().period == 0) log_info("data.period = 0: no seasonal and no anomaly row");
    auto baselines = all_baselines(known);
    if (least > 0) leave_out_longer(least, baselines);
    log_info(describe(model.device()));
    ProgressLine progress;
    const std::size_t lengths = least > 0 ? static_cast<std::size_t>(window.input_steps - least + 1) : 1;
    const ScoreTable table = evaluate(set, contenders(model, baselines), model.normalizer(), [&](std::int64_t done) {
        progress.update(fmt::format("scored {} of {} windows", done, set.windows.size() * lengths));
    });
    log_engines();
    const ScoreContext context{request.text("--model"), request.text("--input"), to_string(chosen.part), chosen.why};
    if (request.has("--csv")) write_report(request.text("--csv"), score_csv(table));
    deliver(request, score_text(table, context), score_json(table, context));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_predict(const nowcell::Request& request) { return nowcell::predict(request); }

extern "C" int nowcell_evaluate(const nowcell::Request& request) { return nowcell::evaluate_model(request); }
