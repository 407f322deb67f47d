#include "data/verbs.h"

namespace nowcell {
namespace {

Verb make_verb() {
    const auto number = [](const std::string& name, const std::string& help, const std::string& fallback, double min) {
        return Flag{
            .name = name, .type = FlagType::integer, .value = "N", .help = help, .fallback = fallback, .min = min};
    };
    Flag output = output_flag("HDF5 file to write: /frames, a chunk per sequence");
    output.required = true;
    Flag seed = number("--seed", "the same seed makes the same numbers on every machine", "0", 0);
    seed.max = 4294967295.0;
    return {
        .name = "data make",
        .summary = "Make a synthetic data set.",
        .handler = "nowcell_data_make",
        .arguments = {{.name = "KIND",
                       .help = "glyphs that bounce; MNIST's digits that bounce; the squares of Keras' example",
                       .choices = {"bouncing-digits", "moving-mnist", "moving-squares"}}},
        .flags = {output,
                  number("--count", "sequences", "100; moving-squares: 1200", 1),
                  number("--frames", "frames of a sequence", "20; moving-squares: 15", 2),
                  number("--size", "side of a frame, px; moving-squares has 40", "64", 16),
                  number("--digits", "digits of a sequence", "2", 1),
                  {.name = "--images",
                   .value = "FILE",
                   .help = "of moving-mnist: idx file of digits, such as train-images-idx3-ubyte.gz"},
                  number("--first-image", "of moving-mnist: draw digits from this image of the file on", "0", 0),
                  number("--last-image", "of moving-mnist: draw digits up to this image, included", "the last", 0),
                  {.name = "--shifted",
                   .value = "FILE",
                   .help =
                       "of moving-squares: HDF5 file for the frames' successors without noise, the targets in Keras"},
                  seed,
                  force_flag(),
                  threads_flag()},
        .examples = {
            "nowcell data make bouncing-digits --output digits.h5 --size 64 --frames 20 --count 1000 --seed 1",
            "nowcell data make moving-mnist --images train-images-idx3-ubyte.gz --output mnist.h5 --count 10000",
            "nowcell data make moving-squares --output squares.h5 --shifted truth.h5 --seed 0"}};
}

}  // namespace

std::vector<Verb> data_verbs() {
    return {
        make_verb(),
        {.name = "data info",
         .summary = "Say what a file of frames holds: layout, units, range, missing values.",
         .handler = "nowcell_data_info",
         .arguments = {{.name = "FILE", .help = "a file of frames (HDF5, NetCDF-4)"}},
         .flags = {{.name = "--dataset", .value = "NAME", .help = "which dataset; default: the only one that fits"},
                   report_flag(),
                   json_flag(),
                   force_flag(),
                   threads_flag()},
         .examples = {"nowcell data info radar.h5", "nowcell data info radar.h5 --dataset /frames --json -"}},
    };
}

std::vector<Key> data_keys() {
    const auto part = [](const std::string& name, const std::string& fallback) {
        return Key{.name = "data.split." + name,
                   .type = KeyType::numbers,
                   .fallback = fallback,
                   .help = "[begin, end): fractions of the whole up to 1.0, else time steps or recordings",
                   .min = 0};
    };
    return {
        {.name = "data.path",
         .type = KeyType::path,
         .fallback = "",
         .help = "the file of frames",
         .aliases = {"data.file", "data.train"},
         .required = true},
        {.name = "data.dataset",
         .type = KeyType::text,
         .fallback = "\"\"",
         .help = "dataset in the file; empty: the only one that fits"},
        {.name = "data.layout",
         .type = KeyType::text,
         .fallback = "\"auto\"",
         .help = "order of the stored axes as letters, such as \"nthw\": n recordings, t time, c channels, h rows, w "
                 "columns"},
        {.name = "data.input_steps",
         .type = KeyType::integer,
         .fallback = "10",
         .help = "input frames T_in",
         .min = 1,
         .max = 10000},
        {.name = "data.output_steps",
         .type = KeyType::integer,
         .fallback = "10",
         .help = "forecast frames T_out",
         .min = 1,
         .max = 10000},
        {.name = "data.stride",
         .type = KeyType::integer,
         .fallback = "1",
         .help = "frames between the starts of neighbouring training windows",
         .min = 1},
        {.name = "data.step",
         .type = KeyType::duration,
         .fallback = "",
         .help = "time between frames where the file does not say it, such as \"1h\" or \"5m\""},
        {.name = "data.period",
         .type = KeyType::integer,
         .fallback = "0",
         .help = "steps of the cycle in the data, 24 for hourly data with a day in it; 0: none. The seasonal and the "
                 "anomaly baseline need it.",
         .min = 0},
        {.name = "data.normalize",
         .type = KeyType::text,
         .fallback = "\"minmax\"",
         .help = "map of values, fitted on the training part",
         .choices = {"minmax", "zscore", "log1p", "none"}},
        {.name = "data.missing",
         .type = KeyType::text,
         .fallback = "\"error\"",
         .help = "what a missing or non-finite value does",
         .choices = {"error", "zero"}},
        {.name = "data.split_by",
         .type = KeyType::text,
         .fallback = "\"auto\"",
         .help = "parts are ranges of time or of recordings; auto: time when there is one recording",
         .choices = {"auto", "time", "sequence"}},
        part("train", "[0.0, 0.8]"),
        part("validation", "[0.8, 0.9]"),
        part("test", "[0.9, 1.0]"),
    };
}

}  // namespace nowcell
