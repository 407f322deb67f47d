// The handler of stream.
#include "predict/model_input.h"
#include "predict/stream/service.h"
#include "src/device.h"
#include "src/engine_log.h"
#include "src/error.h"
#include "src/log.h"

#include <fmt/format.h>

#include <charconv>

namespace nowcell {
namespace {

double number(const Request& request, const std::string& flag, double fallback) {
    return request.has(flag) ? std::stod(request.text(flag)) : fallback;
}

// "128x96": height and width.
FrameSize size_of(const std::string& text) {
    FrameSize size{};
    const std::size_t by = text.find('x');
    const auto read = [&](std::size_t from, std::size_t to, std::int64_t& out) {
        const auto result = std::from_chars(text.data() + from, text.data() + to, out);
        return result.ec == std::errc() && result.ptr == text.data() + to && out > 0;
    };
    if (by != std::string::npos && read(0, by, size.height) && read(by + 1, text.size(), size.width)) return size;
    throw Error(ExitCode::usage, fmt::format("--size must be HEIGHTxWIDTH in px, got '{}'", text), "", "--size 128x96");
}

StreamOptions stream_options(const Request& request) {
    StreamOptions out;
    out.horizon = request.integer("--horizon");
    out.context = request.text("--context", out.context);
    out.min_input = request.integer("--min-input");
    out.gap = request.text("--gap", out.gap);
    out.longest_gap = request.integer("--longest-gap", out.longest_gap);
    out.most_missing = number(request, "--max-missing", out.most_missing);
    out.step = number(request, "--step", out.step);
    if (request.has("--size")) out.frame = size_of(request.text("--size"));
    return out;
}

ServiceOptions service_options(const Request& request) {
    ServiceOptions out;
    out.input = request.text("--input");
    out.output = request.text("--output");
    out.status = request.text("--status");
    out.state = request.text("--state");
    out.dataset = request.text("--dataset");
    out.layout = request.text("--layout");
    out.save_every = request.integer("--save-every", out.save_every);
    out.keep = request.integer("--keep");
    out.every_forecast = request.text("--on-lag", "every") == "every";
    out.max_frames = request.integer("--max-frames");
    out.until_idle_s = number(request, "--until-idle", 0.0);
    out.max_ahead_s = number(request, "--max-ahead", 0.0);
    out.watch.poll_s = number(request, "--poll", out.watch.poll_s);
    out.watch.settle_s = number(request, "--settle", out.watch.settle_s);
    out.force = request.has("--force");
    out.model = request.text("--model");
    out.command_line = request.command_line;
    if (out.output == "-" && out.status == "-") {
        throw Error(ExitCode::usage, "--output - and --status - both ask for standard output", "",
                    "write the status to a file: --status FILE");
    }
    return out;
}

int stream(const Request& request) {
    choose_threads(request);
    const ServiceOptions options = service_options(request);
    const Forecaster model = load_model(request, request.text("--model"));
    Stream frames(model, stream_options(request));
    log_info(describe(model.device()));
    Service service(model, frames, options);
    const int signal = service.run();
    log_engines();
    log_info(fmt::format("{}{} frames, {} forecasts{}", signal == 0 ? "" : "stopped: ", service.frames(),
                         service.forecasts(), options.state.empty() ? "" : "; state saved in " + options.state));
    return static_cast<int>(exit_code_of(signal));
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_stream(const nowcell::Request& request) { return nowcell::stream(request); }
