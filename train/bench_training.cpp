// `nowcell bench training`: where the time of a training step goes.
#include "data/synthetic/bouncing_digits.h"
#include "src/device.h"
#include "src/error.h"
#include "src/json.h"
#include "src/log.h"
#include "src/presets.h"
#include "src/report.h"
#include "src/surface.h"
#include "train/prepare.h"
#include "train/scratch.h"
#include "train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nowcell {
namespace {

constexpr double kMostOutside = 0.05;
constexpr std::int64_t kLargestBatch = 4;  // of networks that take seconds a step: what is outside then weighs more

/// Frames like those that a preset is made for.
struct Shape {
    std::string name;
    std::int64_t recordings = 24;
    std::int64_t frames = 0;  ///< of a recording; 0: as many as a window
    std::int64_t channels = 1;
    std::int64_t height = 0;
    std::int64_t width = 0;
    double step_s = 0.0;
    bool recipe = false;  ///< trained in minutes, at its own batch
};

// Of presets that name no frame size, as they are recipes for data of one kind.
const Shape kRecipes[] = {
    {"bouncing-digits", 400, 0, 1, 32, 32, 0.0, true},
    {"era5-t2m", 1, 744, 1, 33, 49, 3600.0, true},
    {"knmi-radar", 1, 92, 1, 208, 208, 300.0, true},
    {"moving-squares", 1200, 0, 1, 40, 40, 0.0, true},
};

std::vector<Shape> shapes() {
    std::vector<Shape> all(std::begin(kRecipes), std::end(kRecipes));
    for (const Preset& preset : all_presets()) {
        const std::vector<std::int64_t> frame = preset.frame();
        const bool known = std::any_of(all.begin(), all.end(), [&](const Shape& s) { return s.name == preset.name; });
        if (!frame.empty() && !known) all.push_back({preset.name, 24, 0, frame[2], frame[0], frame[1]});
    }
    return all;
}

// Frames in memory: digits that bounce, in as many channels as asked for.
class MemorySource : public FrameSource {
 public:
    explicit MemorySource(const Shape& preset) {
        const std::int64_t side = std::max(preset.height, preset.width);
        const torch::Tensor digits = make_bouncing_digits(
            {.size = side, .frames = preset.frames, .count = preset.recordings * preset.channels, .seed = 1});
        frames_ = digits.view({preset.recordings, preset.channels, preset.frames, side, side})
                      .transpose(1, 2)
                      .slice(3, 0, preset.height)
                      .slice(4, 0, preset.width)
                      .to(at::kFloat)
                      .div(255.0)
                      .contiguous();
        info_.path = info_.fingerprint = "memory";
        info_.dataset = "/frames";
        info_.units = "1";
        info_.frames.assign(static_cast<std::size_t>(preset.recordings), preset.frames);
        info_.channels = preset.channels;
        info_.height = preset.height;
        info_.width = preset.width;
        info_.step_s = preset.step_s;
    }

    const SourceInfo& info() const override { return info_; }

    torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const override {
        return frames_[recording].narrow(0, first, count).clone();
    }

 private:
    torch::Tensor frames_;  // (N,T,C,H,W)
    SourceInfo info_;
};

struct Row {
    std::string name;
    std::int64_t parameters = 0;
    std::int64_t batch = 0;
    std::int64_t steps = 0;
    StepClock clock;
};

// changes: "key=value" of the user's.
Config config_of(const Shape& shape, std::int64_t steps, std::vector<std::string> changes) {
    const std::string& text = find_preset(shape.name).text;
    const std::vector<std::string> own = {"data.path=memory",           "data.target=\"\"",   "data.target_path=\"\"",
                                          "data.dataset=\"\"",          "train.max_time=20s", "train.epochs=1",
                                          "eval.validation_stride=1000"};
    changes.insert(changes.begin(), own.begin(), own.end());
    if (!shape.recipe) {
        for (const char* part : {"train=[0.0,0.5]", "validation=[0.5,0.75]", "test=[0.75,1.0]"}) {
            changes.insert(changes.begin(), std::string("data.split.") + part);
        }
        changes.insert(changes.begin(), "data.split_by=sequence");
    }
    std::int64_t batch = Config::parse(text, shape.name, changes).integer("train.batch");
    if (!shape.recipe) batch = std::min(batch, kLargestBatch);
    changes.push_back(fmt::format("train.batch={}", batch));
    changes.push_back(fmt::format("train.epoch_windows={}", steps * batch));
    return Config::parse(text, shape.name, changes);
}

// A run of one epoch as `nowcell train` does it, in a folder that goes.
Row measure(Shape preset, const Config& config, const torch::Device& device) {
    const DataOptions data = DataOptions::from(config);
    if (preset.frames == 0) preset.frames = data.window.input_steps + data.window.output_steps;
    const MemorySource source(preset);
    const Scratch scratch;
    const TrainingWindows windows = cut_training_windows(config, source.info());
    Forecaster forecaster = prepare_forecaster(config, source, windows.training, device);
    const RunDirectory run = RunDirectory::create(scratch.path("run"), "", config, false);
    Trainer trainer({source, windows.training, windows.validation}, forecaster, run);
    const TrainResult result = trainer.run();
    return {preset.name, forecaster.network().parameter_count(), config.integer("train.batch"), result.state.step,
            result.clock};
}

std::vector<Shape> chosen(const Request& request) {
    const std::vector<Shape> all = shapes();
    std::vector<std::string> names;
    for (const Shape& shape : all) names.push_back(shape.name);
    std::vector<Shape> wanted;
    for (const std::string& word : request.all("[PRESET]")) {
        const auto found = std::find(names.begin(), names.end(), word);
        if (found == names.end()) {
            throw Error(ExitCode::usage,
                        fmt::format("unknown preset '{}', expected one of {}", word, fmt::join(names, ", ")), "",
                        did_you_mean(word, names));
        }
        wanted.push_back(all[static_cast<std::size_t>(found - names.begin())]);
    }
    return wanted.empty() ? all : wanted;
}

std::string text_of(const std::vector<Row>& rows, const torch::Device& device) {
    std::string text = fmt::format(
        "Training steps on {}, {} threads, frames in memory\n\n{:<22} {:>10} {:>6} {:>6} "
        "{:>9} {:>7} {:>10} {:>8} {:>7} {:>8}\n",
        device.str(), at::get_num_threads(), "preset", "parameters", "batch", "steps", "ms/step", "model", "optimiser",
        "waiting", "other", "outside");
    for (const Row& row : rows) {
        const double total = row.clock.total_s();
        const auto percent = [&](double part) { return fmt::format("{:.2f} %", 100.0 * part / total); };
        text += fmt::format("{:<22} {:>10} {:>6} {:>6} {:>9.1f} {:>7} {:>10} {:>8} {:>7} {:>8}\n", row.name,
                            row.parameters, row.batch, row.steps, 1e3 * total / static_cast<double>(row.steps),
                            percent(row.clock.model_s), percent(row.clock.optimizer_s), percent(row.clock.data_s),
                            percent(row.clock.other_s), percent(row.clock.outside() * total));
    }
    return text +
           "\nmodel: forward, loss, backward; optimiser: the update; waiting: for the loader; other: preparing "
           "batches,\n"
           "clipping, averaging, logging; outside: waiting and other\n";
}

nlohmann::ordered_json report_of(const std::vector<Row>& rows, const torch::Device& device) {
    nlohmann::ordered_json report = {{"schema", "nowcell.bench_training/1"},
                                     {"device", device.str()},
                                     {"threads", at::get_num_threads()},
                                     {"rows", nlohmann::ordered_json::array()}};
    for (const Row& row : rows) {
        report["rows"].push_back({{"preset", row.name},
                                  {"parameters", row.parameters},
                                  {"batch", row.batch},
                                  {"steps", row.steps},
                                  {"model_s", row.clock.model_s},
                                  {"optimizer_s", row.clock.optimizer_s},
                                  {"waiting_s", row.clock.data_s},
                                  {"other_s", row.clock.other_s},
                                  {"outside", row.clock.outside()}});
    }
    return report;
}

// Throws Error(gate).
void judge(const std::vector<Row>& rows) {
    std::vector<Problem> problems;
    for (const Row& row : rows) {
        if (row.clock.outside() <= kMostOutside) continue;
        problems.push_back(
            {fmt::format("{:.1f} % of a training step is spent outside the model, expected at most {:.0f} %",
                         100.0 * row.clock.outside(), 100.0 * kMostOutside),
             row.name, fmt::format("nowcell bench training {} --steps 200, with nothing else running", row.name)});
    }
    if (!problems.empty()) throw Error(ExitCode::gate, problems);
}

int bench_training(const Request& request) {
    choose_threads(request);
    const torch::Device device = choose_device(request.text("--device", "auto"));
    std::vector<Row> rows;
    for (const Shape& preset : chosen(request)) {
        log_verbose(fmt::format("training {}", preset.name));
        make_deterministic(1);
        const Config config = config_of(preset, request.integer("--steps", 40), request.all("--set"));
        check_config(config);
        rows.push_back(measure(preset, config, device));
    }
    deliver(request, text_of(rows, device), json_text(report_of(rows, device)));
    if (request.has("--guard")) judge(rows);
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_bench_training(const nowcell::Request& request) { return nowcell::bench_training(request); }
