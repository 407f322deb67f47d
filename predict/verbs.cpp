#include "predict/verbs.h"

#include "data/verbs.h"
#include "predict/stream/verbs.h"

namespace nowcell {
namespace {

Flag model_flag() {
    return {.name = "--model",
            .value = "RUN|FILE",
            .help = "a run directory (its best checkpoint) or a checkpoint",
            .aliases = {"-m"},
            .required = true};
}

Flag input_flag() {
    return {.name = "--input", .value = "DATA", .help = "file of frames", .aliases = {"-i"}, .required = true};
}

Flag dataset_flag() {
    return {.name = "--dataset",
            .value = "NAME",
            .help = "dataset in the file; default: as in training, else the only one"};
}

Flag missing_flag() {
    return {.name = "--missing",
            .value = "POLICY",
            .help = "what a missing value does; default: as in training",
            .choices = {"error", "zero", "mask", "hold"},
            .key = "data.missing"};
}

Verb preview_verb() {
    Flag output = output_flag("picture to write: .png, or .gif for an animation");
    output.required = true;
    const auto count = [](const std::string& name, const std::string& help, double min) {
        return Flag{.name = name, .type = FlagType::integer, .value = "N", .help = help, .min = min};
    };
    std::vector<Flag> flags = {output, count("--recording", "which recording, counted from 0; default: 0", 0),
                               count("--start", "first frame; default: 0", 0),
                               count("--frames", "how many; default: 12 in a PNG, 60 in a GIF", 1)};
    for (Flag& flag : source_flags()) flags.push_back(std::move(flag));
    flags.insert(flags.end(), {force_flag(), threads_flag(), json_flag()});
    flags[3].max = 1000;
    return {.name = "data preview",
            .summary = "Draw frames of a file or folder: a PNG sheet or a GIF.",
            .handler = "nowcell_data_preview",
            .arguments = {{.name = "PATH", .help = "a file or a folder of frames, in any format that is read"}},
            .flags = flags,
            .examples = {"nowcell data preview radar.h5 -o radar.png",
                         "nowcell data preview frames/ --start 40 --frames 24 -o frames.gif"}};
}

Flag tile_flag() {
    return {.name = "--tile",
            .value = "HxW|N",
            .help = "compute in tiles of that size, px, for frames larger than memory; 0: whole frames",
            .key = "eval.tile"};
}

Verb evaluate_verb() {
    const std::vector<std::string> other_modes = {"--forecast", "--suite", "--schema"};
    Flag model = model_flag();
    model.value = "[NAME=]RUN|FILE";
    model.help = "a run directory (its best checkpoint) or a checkpoint; again for more rows";
    model.repeated = true;
    model.unless = other_modes;
    Flag input = input_flag();
    input.unless = other_modes;
    const auto text = [](const std::string& name, const std::string& value, const std::string& help) {
        return Flag{.name = name, .value = value, .help = help};
    };
    Flag forecast = text("--forecast", "[NAME=]FILE",
                         "instead of models: forecasts that any tool wrote, sample by sample; again for more rows");
    forecast.repeated = true;
    Flag gate = text("--fail-if", "BAR",
                     "end with code 10 when a model or forecast misses a bar: METRIC[@THRESHOLD][/SCALE][:LEAD] and <, "
                     "<=, > or >= a number; may be repeated");
    gate.repeated = true;
    const auto report = [](const std::string& name, const std::string& help) {
        return Flag{.name = name, .value = "FILE", .help = help, .report = true};
    };
    return {
        .name = "evaluate",
        .summary =
            "Score models, or forecasts of any other tool, beside every baseline on the same windows, per lead time.",
        .handler = "nowcell_evaluate",
        .flags =
            {model,
             input,
             {.name = "--split",
              .value = "PART",
              .help = "part to score; default: test when the input is the run's own data, else all",
              .choices = {"train", "validation", "test", "all"}},
             {.name = "--horizon",
              .type = FlagType::integer,
              .value = "N",
              .help = "lead times to score; default: the output steps of training",
              .min = 1,
              .max = 10000},
             {.name = "--target",
              .value = "DATA",
              .help = "of pairs: file of what is to be forecast; default: as in training",
              .key = "data.target_path"},
             forecast,
             text("--truth", "FILE",
                  "what happened: as many samples, with the lead times of the forecasts, or more frames, of which the "
                  "last ones are scored and those before feed the baselines"),
             {.name = "--truth-start",
              .type = FlagType::integer,
              .value = "N",
              .help = "frame of the truth that lead 1 is; default: so that the last frame is the last lead",
              .min = 0},
             text("--forecast-dataset", "NAME", "dataset in the files of --forecast; default: the only one"),
             text("--forecast-layout", "DIMS",
                  "dimensions of --forecast in their stored order, such as nthw; default: as they suggest themselves"),
             text("--truth-layout", "DIMS", "the same of --truth"),
             text("--units", "UNITS", "of the arrays, such as mm/h, where the file of the truth names none"),
             {.name = "--ensemble",
              .type = FlagType::none,
              .value = "",
              .help =
                  "several models are members of an ensemble, as one more row; of --forecast the channels are members"},
             text("--suite", "FILE", "many models on many data sets: a TOML file with [[model]], [[data]] and [eval]"),
             {.name = "--dialect",
              .value = "NAME",
              .help = "whose definitions of the scores; predict/scores/README.md has them",
              .key = "eval.dialect"},
             text("--metrics", "A,B,...", "scores by name instead of the dialect's own: key eval.metrics"),
             text("--thresholds", "X,Y,...",
                  "of contingency scores and FSS, in the units of the data: key eval.thresholds"),
             text("--baselines", "A,B,...", "only these baselines: key eval.baselines"),
             gate,
             json_flag(),
             report("--csv", "write the rows as CSV"),
             report("--per-sample", "write the scores of each window as CSV"),
             text("--folder", "DIR",
                  "write scores.json, CSV files, curves, diagrams, strips and animations of the best, median and worst "
                  "window"),
             report_flag(),
             {.name = "--schema",
              .type = FlagType::none,
              .value = "",
              .help = "print the JSON Schema of --json, and do nothing else"},
             set_flag(),
             dataset_flag(),
             missing_flag(),
             tile_flag(),
             force_flag(),
             device_flag(),
             algorithm_flag(),
             threads_flag()},
        .examples = {
            "nowcell evaluate --model runs/radar --input radar.h5 --thresholds 0.1,1 --folder scores",
            "nowcell evaluate --model a=runs/a --model b=runs/b --ensemble --input radar.h5 --json scores.json",
            "nowcell evaluate --forecast theirs.npy --truth radar.h5 --dialect pysteps --fail-if 'csi@1<0.3'",
            "nowcell evaluate --suite suite.toml --folder scores"}};
}

Verb model_info_verb() {
    Flag model = model_flag();
    model.required = false;
    const auto count = [](const std::string& name, const std::string& help) {
        return Flag{.name = name, .type = FlagType::integer, .value = "N", .help = help, .min = 1, .max = 1e6};
    };
    return {.name = "model info",
            .summary =
                "Say what a network is made of: layers, shapes, parameters, multiplications, receptive field, and "
                "the memory of a training step. Of a configuration, a preset or a trained model.",
            .handler = "nowcell_model_info",
            .flags = {config_flag(),
                      set_flag(),
                      model,
                      {.name = "--preset", .value = "NAME", .help = "a configuration that config presets lists"},
                      {.name = "--size", .value = "HxW", .help = "frames, px; default: those of model, preset or data"},
                      count("--channels", "of a frame; default likewise"),
                      count("--batch", "windows of a training step; default: train.batch"),
                      report_flag(),
                      force_flag(),
                      threads_flag(),
                      json_flag()},
            .examples = {"nowcell model info --preset moving-mnist",
                         "nowcell model info --config my.toml --size 128x128 --channels 3 --batch 4",
                         "nowcell model info --model runs/digits --json -"}};
}

Verb predict_verb() {
    Flag folder = output_flag("folder for the outputs; with several inputs for a folder of each");
    folder.required = true;
    Flag input = input_flag();
    input.help =
        "file or folder of frames, or a quoted pattern such as 'radar/*.h5'; may be given several times, and "
        "what fails is reported while the others go on";
    input.repeated = true;
    return {
        .name = "predict",
        .summary = "Forecast the frames that follow; no later frames are needed.",
        .handler = "nowcell_predict",
        .flags = {model_flag(),
                  input,
                  {.name = "--horizon",
                   .type = FlagType::integer,
                   .value = "N",
                   .help = "frames to forecast; default: the output steps of training. Memory does not depend on it",
                   .min = 1,
                   .max = 1e6},
                  {.name = "--start",
                   .type = FlagType::integer,
                   .value = "T",
                   .help = "index of the first input frame; default: the last input steps of each recording",
                   .min = 0},
                  {.name = "--context",
                   .value = "KIND",
                   .help = "window: the forecast is made from the input steps; all: from every frame of the "
                           "recording up to the last of these, read one by one, as stream --context all does",
                   .fallback = "window",
                   .choices = {"window", "all"}},
                  {.name = "--recording",
                   .type = FlagType::integer,
                   .value = "N",
                   .help = "forecast only this recording, counted from 0; default: all",
                   .min = 0},
                  folder,
                  {.name = "--as",
                   .value = "FORMAT[,FORMAT]",
                   .help = "what is written: h5 (NetCDF-4 reads it), npy, png (a file per lead time whose pixels "
                           "are values, see its scale.json), and of the first recording strip, gif, mp4",
                   .fallback = "h5,strip,gif",
                   .repeated = true},
                  dataset_flag(),
                  missing_flag(),
                  {.name = "--no-pictures",
                   .type = FlagType::none,
                   .value = "",
                   .help = "write forecast.h5 only, as --as h5"},
                  {.name = "--skip-existing",
                   .type = FlagType::none,
                   .value = "",
                   .help = "pass over inputs whose outputs are all there; make the others, incomplete ones again"},
                  tile_flag(),
                  force_flag(),
                  device_flag(),
                  algorithm_flag(),
                  threads_flag(),
                  json_flag()},
        .examples = {"nowcell predict --model runs/radar --input radar.h5 --horizon 12 --output forecast",
                     "nowcell predict --model runs/radar --input radar.h5 --start 40 --output past-case",
                     "nowcell predict --model runs/radar --input 'days/*.h5' --as h5,npy --output forecasts"}};
}

Verb report_verb() {
    return {.name = "report",
            .summary =
                "Write one HTML page about runs and evaluations: it holds all it shows, runs no script and asks "
                "for nothing.",
            .handler = "nowcell_report",
            .arguments = {{.name = "PATH",
                           .help = "a run, a folder of nowcell evaluate --folder, or a file of its scores",
                           .repeated = true}},
            .flags = {output_flag("page to write; default: report.html"),
                      {.name = "--title", .value = "TEXT", .help = "heading; default: the name of the only PATH"},
                      force_flag(),
                      threads_flag(),
                      json_flag()},
            .examples = {"nowcell report runs/radar -o radar.html",
                         "nowcell report runs/a runs/b scores.json --title Rain"}};
}

}  // namespace

std::vector<Verb> predict_verbs() {
    return {
        predict_verb(), evaluate_verb(), stream_verb(),     bench_stream_verb(),
        preview_verb(), report_verb(),   model_info_verb(),
    };
}

std::vector<Key> predict_keys() {
    return {
        {.name = "eval.stride",
         .type = KeyType::integer,
         .fallback = "1",
         .help = "frames between the starts of neighbouring test windows",
         .min = 1},
        {.name = "eval.validation_stride",
         .type = KeyType::integer,
         .fallback = "1",
         .help = "the same for validation windows",
         .min = 1},
        {.name = "eval.min_input_steps",
         .type = KeyType::integer,
         .fallback = "0",
         .help = "score each window after every input frame from this one on, as a stream forecasts from the few that "
                 "it has at first; baselines that need more frames are left out. 0: after the last input frame alone",
         .min = 0},
        {.name = "eval.dialect",
         .type = KeyType::text,
         .fallback = "\"standard\"",
         .help = "whose definitions of the scores; predict/scores/README.md has them",
         .choices = {"standard", "openstl", "hko7", "sevir", "pysteps"}},
        {.name = "eval.metrics",
         .type = KeyType::texts,
         .fallback = "[]",
         .help = "scores by name, which predict/scores/README.md lists; empty: those of the dialect"},
        {.name = "eval.thresholds",
         .type = KeyType::numbers,
         .fallback = "[]",
         .help = "of contingency scores and FSS, in the units of the data; empty: those of the dialect, else none"},
        {.name = "eval.fss_scales",
         .type = KeyType::numbers,
         .fallback = "[1, 2, 4, 8, 16, 32]",
         .help = "sides of the windows of FSS, px",
         .min = 1,
         .max = 100000},
        {.name = "eval.csi_pools",
         .type = KeyType::numbers,
         .fallback = "[4, 16]",
         .help = "sides of the blocks of pooled CSI, px",
         .min = 1,
         .max = 100000},
        {.name = "eval.range",
         .type = KeyType::numbers,
         .fallback = "[]",
         .help = "[min, max]: what SSIM, PSNR and the dialects on 0..1 call 0 and 1; empty: the range of the training "
                 "part"},
        {.name = "eval.baselines",
         .type = KeyType::texts,
         .fallback = "[]",
         .help = "forecasts without learning that are scored beside the network, in this order; []: all that the data "
                 "allow",
         .choices = {"persistence", "seasonal", "anomaly", "climatology", "linear-trend", "optical-flow", "farneback",
                     "s-prog"}},
        {.name = "eval.batch",
         .type = KeyType::integer,
         .fallback = "16",
         .help = "windows scored at a time",
         .min = 1},
        {.name = "eval.tile",
         .type = KeyType::per_axis,
         .fallback = "0",
         .help = "side of the tiles that forecasts are computed in, px, for frames larger than memory: the same "
                 "forecast, with the memory of frames, states and one tile. Best 256 or more. 0: whole frames",
         .min = 0},
    };
}

}  // namespace nowcell
