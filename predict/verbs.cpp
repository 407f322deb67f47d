#include "predict/verbs.h"

#include "data/verbs.h"

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

Flag tile_flag() {
    return {.name = "--tile",
            .value = "HxW|N",
            .help = "compute in tiles of that size, px, for frames larger than memory; 0: whole frames",
            .key = "eval.tile"};
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

}  // namespace

std::vector<Verb> predict_verbs() {
    Flag folder = output_flag("folder for forecast.h5, strip.png and forecast.gif");
    folder.required = true;
    return {
        {.name = "predict",
         .summary = "Forecast the frames that follow; no later frames are needed.",
         .handler = "nowcell_predict",
         .flags = {model_flag(),
                   input_flag(),
                   {.name = "--horizon",
                    .type = FlagType::integer,
                    .value = "N",
                    .help = "frames to forecast; default: the output steps of training",
                    .min = 1,
                    .max = 10000},
                   {.name = "--start",
                    .type = FlagType::integer,
                    .value = "T",
                    .help = "index of the first input frame; default: the last input steps of each recording",
                    .min = 0},
                   {.name = "--recording",
                    .type = FlagType::integer,
                    .value = "N",
                    .help = "forecast only this recording, counted from 0; default: all",
                    .min = 0},
                   folder,
                   dataset_flag(),
                   missing_flag(),
                   {.name = "--no-pictures", .type = FlagType::none, .value = "", .help = "write forecast.h5 only"},
                   tile_flag(),
                   force_flag(),
                   device_flag(),
                   algorithm_flag(),
                   threads_flag(),
                   json_flag()},
         .examples = {"nowcell predict --model runs/radar --input radar.h5 --horizon 12 --output forecast",
                      "nowcell predict --model runs/radar --input radar.h5 --start 40 --output past-case"}},
        {.name = "evaluate",
         .summary = "Score a model and every baseline on the same windows, per lead time.",
         .handler = "nowcell_evaluate",
         .flags = {model_flag(),
                   input_flag(),
                   {.name = "--split",
                    .value = "PART",
                    .help = "part to score; default: test when the input is the run's own data, else all",
                    .choices = {"train", "validation", "test", "all"}},
                   {.name = "--target",
                    .value = "DATA",
                    .help = "of pairs: file of what is to be forecast; default: as in training",
                    .key = "data.target_path"},
                   json_flag(),
                   {.name = "--csv", .value = "FILE", .help = "write the rows as CSV", .report = true},
                   report_flag(),
                   dataset_flag(),
                   missing_flag(),
                   tile_flag(),
                   force_flag(),
                   device_flag(),
                   algorithm_flag(),
                   threads_flag()},
         .examples = {"nowcell evaluate --model runs/radar --input radar.h5",
                      "nowcell evaluate --model runs/radar --input other.h5 --json scores.json --csv scores.csv"}},
        preview_verb(),
        model_info_verb(),
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
