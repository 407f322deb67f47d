// What a user can see of a configuration, as text: two configurations with the same text differ in nothing.
// Never the configuration itself.
#pragma once

#include "cells/cpu/engine_use.h"
#include "cells/cuda_graph.h"
#include "data/data_options.h"
#include "data/loader.h"
#include "data/write/hdf5_io.h"
#include "predict/forecaster.h"
#include "src/allocation_meter.h"
#include "src/checkpoint.h"
#include "src/device.h"
#include "src/error.h"
#include "src/sequence_model.h"
#include "src/verb.h"
#include "tests/data/fake_source.h"
#include "tests/support/files.h"
#include "tests/support/program.h"
#include "train/prepare.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

extern "C" int nowcell_train(const nowcell::Request& request);
extern "C" int nowcell_evaluate(const nowcell::Request& request);

namespace nowcell::effects {

/// "key=value"; '@' stands for the folder of the data.
using Overrides = std::vector<std::string>;
using Observe = std::string (*)(const Overrides&);

inline void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

inline std::string read_text(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// (n,t,side,side) of a square that moves and grows brighter over a noisy ground; 0..1.
inline torch::Tensor moving_square(std::int64_t n, std::int64_t t, std::int64_t side) {
    at::manual_seed(17);
    torch::Tensor frames = at::rand({n, t, side, side}) * 0.3;
    for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t k = 0; k < t; ++k) {
            const double value = 0.4 + 0.6 * static_cast<double>((i + k) % 7) / 6.0;
            frames[i][k].narrow(0, i % 5, 5).narrow(1, (k + i) % (side - 4), 4).fill_(value);
        }
    }
    return frames;
}

/// The files and the configuration that every row starts from: 12 recordings of 9 frames of 12x12, 8 of them to learn
/// from, 4 steps of training.
class Folder {
 public:
    Folder() {
        const auto write = [&](const std::string& name, std::vector<Hdf5Dataset> datasets) {
            write_hdf5(path(name), datasets, {});
        };
        const torch::Tensor frames = moving_square(12, 9, 12);
        write("frames.h5", {{"/frames", frames}});
        write("other.h5", {{"/frames", 1.0 - frames}});
        write("two.h5", {{"/a", frames}, {"/b", 1.0 - frames}});
        write("long.h5", {{"/frames", moving_square(4, 60, 12)}});
        write("holes.h5", {{"/frames", at::where(at::rand(frames.sizes()) < 0.2, std::nanf(""), frames)}});
        write("huge.h5", {{"/frames", at::zeros({1, 1, 2100, 2100}), {1, 1, 2100, 2100}}});
        write_text(
            path("base.toml"),
            "[data]\npath = \"frames.h5\"\ntrust = \"direct\"\ninput_steps = 4\noutput_steps = 2\nstride = 2\n"
            "split_by = \"sequence\"\nsplit = { train = [0, 8], validation = [8, 10], test = [10, 12] }\n"
            "[[model.layers]]\nfilters = 3\n[optim]\nlr = 0.01\n[train]\nepochs = 2\nbatch = 8\ndevice = \"cpu\"\n");
    }

    std::string path(const std::string& name = "") const { return folder_.path(name); }

    Overrides resolved(Overrides overrides) const {
        for (std::string& one : overrides) {
            if (const auto at = one.find('@'); at != std::string::npos) one.replace(at, 1, path() + "/");
        }
        return overrides;
    }

 private:
    TemporaryFolder folder_;
};

inline const Folder& folder() {
    static const Folder one;
    return one;
}

inline Config config_of(const Overrides& overrides) {
    return Config::load(folder().path("base.toml"), folder().resolved(overrides));
}

/// Nothing is written to the terminal while it lives.
class Silence {
 public:
    Silence() {
        std::fflush(nullptr);
        const int nothing = ::open("/dev/null", O_WRONLY);
        for (std::size_t i = 0; i < 2; ++i) {
            kept_[i] = ::dup(static_cast<int>(i) + 1);
            ::dup2(nothing, static_cast<int>(i) + 1);
        }
        ::close(nothing);
    }
    ~Silence() {
        std::fflush(nullptr);
        for (std::size_t i = 0; i < 2; ++i) {
            ::dup2(kept_[i], static_cast<int>(i) + 1);
            ::close(kept_[i]);
        }
    }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;

 private:
    int kept_[2];
};

inline std::string numbers_of(const torch::Tensor& tensor) {
    const torch::Tensor exact = tensor.to(at::kDouble).nan_to_num(-777.0).flatten();
    const torch::Tensor places = at::arange(1, exact.numel() + 1, at::kDouble).sqrt();
    return fmt::format("[{}] {} {}\n", fmt::join(tensor.sizes(), ","), exact.sum().item<double>(),
                       (exact * places).sum().item<double>());
}

/// metrics.csv without what a clock wrote.
inline std::string timeless(const std::string& csv) {
    std::istringstream in(csv);
    std::string out, line;
    std::vector<bool> kept;
    while (std::getline(in, line)) {
        std::istringstream cells(line);
        std::string cell;
        for (std::size_t i = 0; std::getline(cells, cell, ','); ++i) {
            if (kept.size() <= i) kept.push_back(cell.find("second") == std::string::npos && !cell.ends_with("_s"));
            if (kept[i]) out += cell + ",";
        }
        out += "\n";
    }
    return out;
}

inline std::string engines() {
    std::string out;
    for (const EngineUse& use : engine_uses()) {
        out +=
            fmt::format("{}: {} {} {} {}\n", use.layer, use.engine, use.reason, use.forward_calls, use.backward_calls);
    }
    return out;
}

inline std::string message(const Error& error) {
    return fmt::format("error {}: {}", static_cast<int>(error.code()), error.what());
}

/// Trains as `nowcell train` does, into `run`. Returns how that ended.
inline std::string train_into(const std::string& run, const Overrides& overrides) {
    const Silence silence;
    forget_engine_uses();
    Request request{.verb = "train", .values = {}, .command_line = "test"};
    request.values = {{"--config", {folder().path("base.toml")}},
                      {"--set", folder().resolved(overrides)},
                      {"--output", {run}},
                      {"--threads", {"1"}},
                      {"--json", {run + ".json"}}};
    try {
        return fmt::format("exit {}\n", nowcell_train(request));
    } catch (const Error& error) {
        return message(error);
    }
}

/// The names of a run's files; TensorBoard's have the time in theirs.
inline std::string files_of(const std::string& run) {
    std::string names;
    for (const std::string& name : tree(run)) {
        const auto time = name.find(".tfevents.");
        names += name.substr(0, time) + (time == std::string::npos ? " " : ".tfevents ");
    }
    return names;
}

/// The files of a run and how many lines events.jsonl has.
inline std::string records(const Overrides& overrides) {
    const TemporaryFolder place;
    const std::string run = place.path("run");
    train_into(run, overrides);
    const std::string events = read_text(run + "/events.jsonl");
    return fmt::format("{}{} lines", files_of(run), std::count(events.begin(), events.end(), '\n'));
}

/// Whether LibTorch refuses what may differ from run to run.
inline std::string strictness(const Overrides& overrides) {
    const TemporaryFolder place;
    const std::string end = train_into(place.path("run"), overrides);
    const bool strict = at::globalContext().deterministicAlgorithms();
    at::globalContext().setDeterministicAlgorithms(false, false);
    return end + (strict ? "strict" : "as it comes");
}

/// The whole of a run: its files, numbers, weights, and what computed them.
inline std::string trajectory(const Overrides& overrides) {
    const TemporaryFolder place;
    const std::string run = place.path("run");
    std::string out = train_into(run, overrides);
    out += engines();
    if (!std::filesystem::exists(run)) return out;
    out += files_of(run) + timeless(read_text(run + "/metrics.csv"));
    for (const char* which : {"best", "last"}) {
        const Checkpoint checkpoint = Checkpoint::load(run + "/checkpoints/" + which + ".safetensors");
        for (const auto& [name, tensor] : checkpoint.tensors) out += name + " " + numbers_of(tensor);
    }
    return out;
}

/// Training as a whole, and why it ended.
inline std::string ending(const Overrides& overrides) {
    const TemporaryFolder place;
    train_into(place.path("run"), overrides);
    const std::string report = read_text(place.path("run") + ".json");
    return report.substr(report.find("ended_by"), 30);
}

/// What `nowcell evaluate` says of the trained network.
inline std::string evaluation(const Overrides& overrides) {
    const TemporaryFolder place;
    const std::string run = place.path("run");
    train_into(run, overrides);
    forget_engine_uses();
    Request request{.verb = "evaluate", .values = {}, .command_line = "test"};
    const std::string scores = place.path("scores.csv");
    request.values = {
        {"--model", {run}}, {"--input", {folder().path("frames.h5")}}, {"--csv", {scores}}, {"--threads", {"1"}}};
    {
        const Silence silence;
        nowcell_evaluate(request);
    }
    return read_text(scores) + engines();
}

/// What is read: the shape, units and times of the data, and every frame.
inline std::string reading(const Overrides& overrides) {
    try {
        const auto source = open_source(DataOptions::from(config_of(overrides)).source);
        const SourceInfo& info = source->info();
        std::string out = fmt::format("{} frames of {}x{}x{} {} step {}\n", fmt::join(info.frames, ","), info.channels,
                                      info.height, info.width, info.units, info.step_s);
        for (std::size_t i = 0; i < info.frames.size(); ++i) {
            out += numbers_of(source->read(static_cast<std::int64_t>(i), 0, info.frames[i]));
        }
        return out;
    } catch (const Error& error) {
        return message(error);
    }
}

/// With a reader program that never answers.
inline std::string hanging_reading(const Overrides& overrides) {
    ::setenv("NOWCELL_READER", stub_reader().c_str(), 1);
    const std::string out = reading(overrides);
    ::unsetenv("NOWCELL_READER");
    return out;
}

/// How many processes decode files, once there has been work for them.
inline std::string reader_processes(const Overrides& overrides) {
    const auto source = open_source(DataOptions::from(config_of(overrides)).source);
    std::vector<FrameRange> ranges;
    for (int i = 0; i < 60; ++i) ranges.push_back({i % 12, 0, 9});
    source->read_batch(ranges);
    std::size_t readers = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::istringstream children(read_text(task.path() / "children"));
        for (std::string child; children >> child;) ++readers;
    }
    return fmt::format("{} readers", readers);
}

/// The windows of every part.
inline std::string windows(const Overrides& overrides) {
    Config config = config_of(overrides);
    const auto source = open_source(DataOptions::from(config).source);
    settle_period(config, source->info());
    const DataOptions data = DataOptions::from(config);
    std::string out = fmt::format("{} frames before a window\n", data.window.history);
    const auto add = [&](const char* name, const std::vector<Window>& cut) {
        out += name;
        for (const Window& window : cut) out += fmt::format(" {}:{}", window.recording, window.start);
    };
    const TrainingWindows learning = cut_training_windows(config, source->info());
    add("\ntraining", learning.training);
    add("\nvalidation", learning.validation);
    add("\ntest", cut_windows(source->info(), data.window, data.split, Part::test));
    return out;
}

/// How many batches are read before anyone asks for one.
inline std::string read_ahead(const Overrides& overrides) {
    const DataOptions data = DataOptions::from(config_of(overrides));
    const FakeSource source({numbered_frames(0, 60)});
    std::vector<Window> all;
    for (std::int64_t start = 0; start < 40; ++start) all.push_back({0, start});
    Loader loader(source, data.window, all, {.batch = 2, .prefetch = data.prefetch});
    loader.start_epoch(0);
    const auto pause = std::chrono::milliseconds(5);
    for (int wait = 0; wait < 1000 && source.batches() < data.prefetch; ++wait) std::this_thread::sleep_for(pause);
    std::this_thread::sleep_for(10 * pause);
    return fmt::format("{} batches", source.batches());
}

/// The bytes that a training step holds at once.
inline std::string step_memory(const Overrides& overrides) {
    const auto network = make_sequence_model(1, ModelOptions::from(config_of(overrides)));
    const torch::Tensor frames = at::rand({2, 8, 1, 32, 32});
    const AllocationMeter meter;
    network->supervised({frames, frames}).prediction.sum().backward();
    return fmt::format("{} bytes", meter.peak_bytes());
}

/// Of a forecast as a trained network makes it.
inline std::string forecast_memory(const Overrides& overrides) {
    const TemporaryFolder place;
    const std::string end = train_into(place.path("run"), overrides);
    if (!std::filesystem::exists(place.path("run"))) return end;
    const Forecaster model = Forecaster::load(place.path("run"), torch::kCPU);
    const torch::Tensor past = at::rand({1, model.history(), 1, 96, 96});
    model.forecast(past, 1);  // workspaces that stay
    const AllocationMeter meter;
    model.forecast(past, 1);
    return fmt::format("{} bytes", meter.peak_bytes());
}

inline std::string cuda_graphs(const Overrides& overrides) {
    make_sequence_model(1, ModelOptions::from(config_of(overrides)));
    const bool used = cuda_graphs_used();
    use_cuda_graphs(false);
    return used ? "captured" : "launched one by one";
}

inline std::string device(const Overrides& overrides) {
    try {
        return describe(choose_device(config_of(overrides).text("train.device")));
    } catch (const Error& error) {
        return message(error);
    }
}

}  // namespace nowcell::effects
