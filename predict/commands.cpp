// The handler of predict.
#include "data/loader.h"
#include "predict/forecast_file.h"
#include "predict/model_input.h"
#include "predict/pictures/pictures.h"
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

    const Forecaster model = load_model(request, request.text("--model"));
    const auto source = open_input(input_choice(request), model);
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

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_predict(const nowcell::Request& request) { return nowcell::predict(request); }
