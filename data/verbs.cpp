#include "data/verbs.h"

namespace nowcell {
namespace {

Flag count_flag(const std::string& name, const std::string& help, const std::string& fallback, double min) {
    return {.name = name, .type = FlagType::integer, .value = "N", .help = help, .fallback = fallback, .min = min};
}

Flag switch_flag(const std::string& name, const std::string& help) {
    return {.name = name, .type = FlagType::none, .value = "", .help = help};
}

Flag window_flag() {
    return {.name = "--window",
            .type = FlagType::integer,
            .value = "T",
            .help = "frames that are read together: input and output steps",
            .fallback = "20",
            .min = 1,
            .max = 100000};
}

Flag chunk_flag() {
    return {.name = "--chunk",
            .type = FlagType::integer,
            .value = "N",
            .help = "frames of a chunk; default: the window",
            .min = 1,
            .max = 100000};
}

Flag required_output(const std::string& help) {
    Flag output = output_flag(help);
    output.required = true;
    return output;
}

std::vector<Flag> with_source_flags(std::vector<Flag> flags) {
    for (Flag& flag : source_flags()) flags.push_back(std::move(flag));
    return flags;
}

std::vector<Argument> path_argument() {
    return {{.name = "PATH", .help = "a file or a folder of frames, in any format that is read"}};
}

Verb make_verb() {
    Flag seed = count_flag("--seed", "the same seed makes the same numbers on every machine", "0", 0);
    seed.max = 4294967295.0;
    return {
        .name = "data make",
        .summary = "Make a synthetic data set.",
        .handler = "nowcell_data_make",
        .arguments = {{.name = "KIND",
                       .help = "glyphs that bounce; MNIST's digits that bounce; the squares of Keras' example",
                       .choices = {"bouncing-digits", "moving-mnist", "moving-squares"}}},
        .flags = {required_output("HDF5 file to write: /frames, a chunk per sequence"),
                  count_flag("--count", "sequences", "100; moving-squares: 1200", 1),
                  count_flag("--frames", "frames of a sequence", "20; moving-squares: 15", 2),
                  count_flag("--size", "side of a frame, px; moving-squares has 40", "64", 16),
                  count_flag("--digits", "digits of a sequence", "2", 1),
                  {.name = "--images",
                   .value = "FILE",
                   .help = "of moving-mnist: idx file of digits, such as train-images-idx3-ubyte.gz"},
                  count_flag("--first-image", "of moving-mnist: draw digits from this image of the file on", "0", 0),
                  count_flag("--last-image", "of moving-mnist: draw digits up to this image, included", "the last", 0),
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

Verb info_verb() {
    return {.name = "data info",
            .summary = "Say what a file or folder of frames holds: layout, units, range, gaps, missing values.",
            .handler = "nowcell_data_info",
            .arguments = path_argument(),
            .flags = with_source_flags({window_flag(), switch_flag("--quick", "do not read the frames: no range"),
                                        report_flag(), json_flag(), force_flag(), threads_flag()}),
            .examples = {"nowcell data info radar.h5", "nowcell data info frames/ --rows 220:637 --columns 160:579",
                         "nowcell data info radar.h5 --dataset /frames --json -"}};
}

Verb check_verb() {
    return {
        .name = "data check",
        .summary = "Read every frame of files and folders: usable or refused, and why. Ends with 3 if any is refused.",
        .handler = "nowcell_data_check",
        .arguments = {{.name = "PATH", .help = "files and folders of frames", .repeated = true}},
        .flags = with_source_flags({switch_flag("--each", "take each file of a folder by itself"), report_flag(),
                                    json_flag(), force_flag(), threads_flag()}),
        .examples = {"nowcell data check downloads/", "nowcell data check a.h5 b.nc pictures/ --json report.json"}};
}

Verb stats_verb() {
    return {.name = "data stats",
            .summary = "Percentiles, histogram, missing values and odd frames, per channel.",
            .handler = "nowcell_data_stats",
            .arguments = path_argument(),
            .flags = with_source_flags({report_flag(), json_flag(), force_flag(), threads_flag()}),
            .examples = {"nowcell data stats radar.h5", "nowcell data stats frames/ --json stats.json"}};
}

Verb convert_verb() {
    return {.name = "data convert",
            .summary = "Write any source of frames as HDF5 or NumPy, losing no value.",
            .handler = "nowcell_data_convert",
            .arguments = path_argument(),
            .flags = with_source_flags({required_output("file to write: .h5, .hdf5, .nc or .npy"), window_flag(),
                                        chunk_flag(), json_flag(), force_flag(), threads_flag()}),
            .examples = {"nowcell data convert frames/ -o frames.h5", "nowcell data convert radar.h5 -o radar.npy"}};
}

Verb repack_verb() {
    return {.name = "data repack",
            .summary = "Write a source again so that a window is read at once: chunk = window, compressed, checksums.",
            .handler = "nowcell_data_repack",
            .arguments = path_argument(),
            .flags = with_source_flags({required_output("HDF5 file to write"), window_flag(), chunk_flag(), json_flag(),
                                        force_flag(), threads_flag()}),
            .examples = {"nowcell data repack radar.h5 --window 18 -o radar_repacked.h5"}};
}

}  // namespace

std::vector<Flag> source_flags() {
    return {
        {.name = "--dataset",
         .value = "NAME",
         .help = "which dataset, or image type of SEVIR; default: the only one that fits"},
        {.name = "--layout",
         .value = "LAYOUT",
         .help = "order of the axes as stored: thw, nthw, tnhw, nhwt, ...",
         .fallback = "auto"},
        {.name = "--rows", .value = "A:B", .help = "rows A to B - 1 of each frame; default: all"},
        {.name = "--columns", .value = "A:B", .help = "columns A to B - 1 of each frame; default: all"},
        {.name = "--trust",
         .value = "WHERE",
         .help = "readers: files are decoded in processes of their own, so that none can crash or exhaust this one; "
                 "direct: here",
         .fallback = "readers",
         .choices = {"readers", "direct"}}};
}

std::vector<Verb> data_verbs() {
    return {make_verb(), info_verb(), check_verb(), stats_verb(), convert_verb(), repack_verb()};
}

std::vector<Key> data_keys() {
    const auto range = [](const std::string& name, const std::string& of) {
        return Key{.name = name,
                   .type = KeyType::numbers,
                   .fallback = "[]",
                   .help = "[begin, end) of the " + of + " of each frame; empty: all",
                   .min = 0};
    };
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
         .help = "a file of frames, or a folder: HDF5, NetCDF-4, SEVIR, NumPy, pictures, GIF, video",
         .aliases = {"data.file", "data.train"},
         .required = true},
        {.name = "data.dataset",
         .type = KeyType::text,
         .fallback = "\"\"",
         .help = "dataset in the file; empty: the only one that fits"},
        {.name = "data.target",
         .type = KeyType::text,
         .fallback = "\"\"",
         .help =
             "pairs: dataset whose frame t is to be forecast after the input's frame t; empty: the input's own next "
             "frames"},
        {.name = "data.target_path",
         .type = KeyType::path,
         .fallback = "",
         .help = "file or folder of data.target; left out: data.path"},
        {.name = "data.layout",
         .type = KeyType::text,
         .fallback = "\"auto\"",
         .help = "order of the stored axes as letters, such as \"nthw\": n recordings, t time, c channels, h rows, w "
                 "columns"},
        range("data.rows", "rows"),
        range("data.columns", "columns"),
        {.name = "data.trust",
         .type = KeyType::text,
         .fallback = "\"readers\"",
         .help =
             "where files are decoded: in reader processes, whose end by a damaged or hostile file is an error about "
             "that file; or directly in this one",
         .choices = {"readers", "direct"}},
        {.name = "data.readers",
         .type = KeyType::integer,
         .fallback = "0",
         .help = "reader processes; 0: one per core, at most 4",
         .min = 0,
         .max = 64},
        {.name = "data.limits.memory",
         .type = KeyType::bytes,
         .fallback = "\"1GiB\"",
         .help = "what a reader may allocate, and the largest frame",
         .min = 16 << 20},
        {.name = "data.limits.request_s",
         .type = KeyType::number,
         .fallback = "8.0",
         .help = "seconds after which a reader that does not answer is given up",
         .min = 0.1,
         .max = 3600},
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
        {.name = "data.frame_step",
         .type = KeyType::integer,
         .fallback = "1",
         .help = "a window has every n-th frame: input, forecast and history",
         .min = 1,
         .max = 10000},
        {.name = "data.step",
         .type = KeyType::duration,
         .fallback = "",
         .help = "time between frames where the file does not say it, such as \"1h\" or \"5m\""},
        {.name = "data.period",
         .type = KeyType::integer,
         .fallback = "",
         .help = "steps of the cycle in the data, 24 for hourly data with a day in it; 0: none; left out: a day or a "
                 "year of the time axis, where training has two. The seasonal and the anomaly baseline need it.",
         .min = 0},
        {.name = "data.normalize",
         .type = KeyType::text,
         .fallback = "\"minmax\"",
         .help = "map of values, fitted on the training part",
         .choices = {"minmax", "zscore", "log1p", "none"}},
        {.name = "data.missing",
         .type = KeyType::text,
         .fallback = "\"error\"",
         .help = "what a missing or non-finite value does: stop, read as 0, or take no part in loss and scores, while "
                 "the network sees the training mean (mask) or the pixel's last known value (hold)",
         .choices = {"error", "zero", "mask", "hold"}},
        {.name = "data.split_by",
         .type = KeyType::text,
         .fallback = "\"auto\"",
         .help = "parts are ranges of time, of recordings, or of the recordings of several files; auto: time when "
                 "there is one recording",
         .choices = {"auto", "time", "sequence", "file"}},
        part("train", "[0.0, 0.8]"),
        part("validation", "[0.8, 0.9]"),
        part("test", "[0.9, 1.0]"),
        {.name = "data.augment",
         .type = KeyType::texts,
         .fallback = "[]",
         .help = "other views of training sequences, each drawn with even odds",
         .choices = {"flip-horizontal", "flip-vertical", "rotate90", "reverse-time"}},
        {.name = "data.augment_crop",
         .type = KeyType::per_axis,
         .fallback = "0",
         .help = "[height, width] of training frames, cut out anywhere, px; 0: whole frames",
         .min = 0},
        {.name = "data.prefetch",
         .type = KeyType::integer,
         .fallback = "2",
         .help = "training batches read ahead",
         .min = 1,
         .max = 64},
    };
}

}  // namespace nowcell
