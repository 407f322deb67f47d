#include "predict/stream/verbs.h"

namespace nowcell {
namespace {

Flag count(const std::string& name, const std::string& help, double min = 1, double max = 1e9) {
    return {.name = name, .type = FlagType::integer, .value = "N", .help = help, .min = min, .max = max};
}

Flag seconds(const std::string& name, const std::string& help) {
    return {.name = name, .type = FlagType::number, .value = "S", .help = help, .max = 1e9};
}

std::vector<Flag> policy_flags() {
    return {{.name = "--context",
             .value = "KIND",
             .help = "window: each forecast is made from the last input steps, as predict does; all: from every frame "
                     "since the start, at the cost of one",
             .fallback = "window",
             .choices = {"window", "all"}},
            count("--min-input", "steps before the first forecast; default: the input steps of training"),
            {.name = "--gap",
             .value = "POLICY",
             .help = "missing steps: fill them by the model's own forecast, hold the last frame, or reset: start over",
             .fallback = "fill",
             .choices = {"fill", "hold", "reset"}},
            count("--longest-gap",
                  "steps in a row that are filled or held; after more the stream starts over; default: 3", 0),
            {.name = "--max-missing",
             .type = FlagType::number,
             .value = "SHARE",
             .help = "a frame with this share of missing values, or more, is a missing frame; default: 1",
             .max = 1},
            {.name = "--step",
             .type = FlagType::number,
             .value = "S",
             .help = "time between frames, s, or difference of their numbers; default: the step of training, else the "
                     "least difference",
             .max = 1e9},
            {.name = "--size", .value = "HxW", .help = "of the frames, px; default: that of training"},
            seconds("--max-ahead", "reject frames dated more than this many seconds after now; default: take them")};
}

std::vector<Flag> service_flags() {
    return {
        {.name = "--state",
         .value = "FILE",
         .help = "keep the state here; a stream that ended or was killed goes on from it"},
        count("--save-every", "frames between two saves of the state; default: 1"),
        {.name = "--status", .value = "FILE|-", .help = "append a JSON line about every frame"},
        count("--keep", "forecast files that stay, the newest; default: all"),
        {.name = "--on-lag",
         .value = "POLICY",
         .help = "when the next frame is there already: forecast from every frame, or from the newest only",
         .fallback = "every",
         .choices = {"every", "forecast-newest"}},
        seconds("--poll",
                "seconds between looks at the whole folder, for what the system does not report (network "
                "file systems); default: 5"),
        seconds("--settle", "a file whose writing is not reported is complete when unchanged for so long; default: 1"),
        count("--max-frames", "end after so many frames"),
        seconds("--until-idle", "end when no frame has come for so many seconds")};
}

}  // namespace

Verb stream_verb() {
    Flag output = output_flag("folder for a forecast file per frame, or - for .npy arrays on standard output");
    output.required = true;
    std::vector<Flag> flags = {
        {.name = "--model",
         .value = "RUN|FILE",
         .help = "a run directory (its best checkpoint) or a checkpoint",
         .aliases = {"-m"},
         .required = true},
        {.name = "--input",
         .value = "DIR|-",
         .help = "folder to watch for files of frames, or - for .npy arrays on standard input",
         .aliases = {"-i"},
         .required = true},
        output,
        count("--horizon", "frames to forecast; default: the output steps of training", 1, 10000)};
    const auto add = [&](std::vector<Flag> more) { flags.insert(flags.end(), more.begin(), more.end()); };
    add(policy_flags());
    add(service_flags());
    add({{.name = "--dataset",
          .value = "NAME",
          .help = "dataset in the files; default: as in training, else the only one"},
         {.name = "--layout",
          .value = "DIMS",
          .help = "dimensions of the files in their order, such as hw, chw or thw"},
         {.name = "--missing",
          .value = "POLICY",
          .help = "what a missing value does; default: as in training; error: such frames are missing frames",
          .choices = {"error", "zero", "mask", "hold"},
          .key = "data.missing"},
         force_flag(),
         device_flag(),
         algorithm_flag(),
         threads_flag()});
    return {.name = "stream",
            .summary = "Forecast as frames come in: a folder is watched or standard input read, until it is stopped.",
            .handler = "nowcell_stream",
            .flags = flags,
            .examples = {"nowcell stream --model runs/radar --input incoming/ --output forecasts/ --state radar.state",
                         "nowcell stream --model runs/radar --input incoming/ --output forecasts/ --state radar.state "
                         "--status status.jsonl --keep 100",
                         "nowcell stream --model runs/radar --input - --output -"}};
}

Verb bench_stream_verb() {
    return {.name = "bench stream",
            .summary =
                "Time a stream frame by frame, with a window and with all frames as context, and measure whether "
                "its memory grows.",
            .handler = "nowcell_bench_stream",
            .flags = {report_flag(), json_flag(), force_flag(),
                      count("--frames", "frames of the memory test; default: 10000", 1000, 1e8),
                      count("--timed", "frames that are timed; default: 500", 100, 1e6), threads_flag()},
            .examples = {"nowcell bench stream", "nowcell bench stream --frames 100000 --json -"}};
}

}  // namespace nowcell
