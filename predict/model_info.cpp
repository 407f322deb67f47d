// The handler of model info.
#include "data/data_options.h"
#include "src/checkpoint.h"
#include "src/error.h"
#include "src/json.h"
#include "src/model_summary.h"
#include "src/presets.h"
#include "src/report.h"
#include "src/run_directory.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <optional>

namespace nowcell {
namespace {

/// The network that is asked about, and frames for it where something tells them.
struct Subject {
    std::string name;
    Config config;
    std::optional<FrameShape> frame;
};

FrameSize size_from(const std::string& text) {
    long long height = 0;
    long long width = 0;
    char rest = 0;
    const int read = std::sscanf(text.c_str(), "%lldx%lld%c", &height, &width, &rest);
    if (read == 2 && height >= 1 && width >= 1 && height <= 1000000 && width <= 1000000) return {height, width};
    throw Error(ExitCode::usage, fmt::format("--size: got '{}', expected HEIGHTxWIDTH in px", text), "",
                "--size 64x64");
}

Subject trained_model(const Request& request) {
    std::string path;
    const Checkpoint checkpoint = Checkpoint::load_first(RunDirectory::resolve_model(request.text("--model")), path);
    const nlohmann::json data = checkpoint.get_json("data");
    return {path, Config::parse(checkpoint.sections.at("config"), path + " (config)", request.overrides()),
            FrameShape{data.at("channels"), {data.at("height"), data.at("width")}}};
}

Subject preset(const Request& request) {
    const Preset& found = find_preset(request.text("--preset"));
    Subject subject{found.name, Config::parse(found.text, "preset " + found.name, request.overrides()), {}};
    const std::vector<std::int64_t> frame = found.frame();
    if (!frame.empty()) subject.frame = FrameShape{frame[2], {frame[0], frame[1]}};
    return subject;
}

Subject subject_of(const Request& request) {
    const int named = int{request.has("--config")} + int{request.has("--model")} + int{request.has("--preset")};
    if (named != 1) {
        throw Error(ExitCode::usage, fmt::format("got {} of --config, --model and --preset, expected one", named), "",
                    "nowcell model info --preset moving-mnist");
    }
    if (request.has("--model")) return trained_model(request);
    if (request.has("--preset")) return preset(request);
    return {request.text("--config"), request.config(), {}};
}

FrameShape frame_of(const Request& request, const Subject& subject) {
    FrameShape frame = subject.frame.value_or(FrameShape{1, {}});
    const bool whole = subject.frame || request.has("--size");
    if (!whole) {
        const auto source = open_source(DataOptions::from(subject.config).source);
        frame = {source->info().channels, {source->info().height, source->info().width}};
    }
    if (request.has("--size")) frame.size = size_from(request.text("--size"));
    frame.channels = request.integer("--channels", frame.channels);
    return frame;
}

// 1234567 -> "1,234,567".
std::string grouped(std::int64_t value) {
    std::string text = fmt::format("{}", value);
    for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
    return text;
}

std::string bytes_text(std::int64_t bytes) {
    const double mib = static_cast<double>(bytes) / (1 << 20);
    return mib < 1024.0 ? fmt::format("{:.1f} MiB", mib) : fmt::format("{:.2f} GiB", mib / 1024.0);
}

std::string field_text(const ReceptiveField& field) {
    if (field.whole_frame) return "the whole frame";
    return fmt::format("{} px of the newest input frame, {} of the oldest; all input frames", field.newest.text(),
                       field.oldest.text());
}

std::string info_text(const Subject& subject, const ModelOptions& model, const TrainingShape& shape,
                      const ModelSummary& summary) {
    std::string out = fmt::format("{}\n{}, patch {}, frames of {}, {} -> {} steps\n\n", subject.name, model.strategy,
                                  model.patch, shape.frame.text(), shape.input_steps, shape.output_steps);
    const std::string row = "{:<19} {:<26} {:>14} {:>14} {:>13} {:>9} {:>6}\n";
    out += fmt::format(fmt::runtime(row), "part", "kind", "reads CxHxW", "gives", "parameters", "MMAC/step", "steps");
    for (const PartSummary& part : summary.parts) {
        out += fmt::format(fmt::runtime(row), part.name, part.kind, part.input.text(), part.output.text(),
                           grouped(part.parameters), fmt::format("{:.2f}", static_cast<double>(part.macs) / 1e6),
                           part.steps);
    }
    const MemoryEstimate& memory = summary.memory;
    out += fmt::format(
        "\nparameters       {}{}\n", grouped(summary.parameters),
        summary.statistics > 0 ? fmt::format(", and {} running statistics", grouped(summary.statistics)) : "");
    out += fmt::format("multiplications  {:.3f} GMAC forward per window of {} steps\n",
                       static_cast<double>(summary.macs) / 1e9, shape.input_steps + shape.output_steps);
    out += fmt::format("first forecast   sees {}\n", field_text(summary.field));
    out += fmt::format(
        "training         about {} with batch {}: weights {}, gradients {}, optimiser {}, activations {}, frames {}\n",
        bytes_text(memory.total()), shape.batch, bytes_text(memory.weights), bytes_text(memory.gradients),
        bytes_text(memory.optimizer), bytes_text(memory.activations), bytes_text(memory.frames));
    if (model.leaks()) {
        out += "warning          time_padding = \"same\" leaks: training shows the frame that is to be forecast\n";
    }
    return out;
}

using Json = nlohmann::ordered_json;

Json sizes(const FrameSize& size) { return Json::array({size.height, size.width}); }

Json shape_json(const FrameShape& shape) { return Json::array({shape.channels, shape.size.height, shape.size.width}); }

std::string info_json(const Subject& subject, const ModelOptions& model, const TrainingShape& shape,
                      const ModelSummary& summary) {
    Json parts = Json::array();
    for (const PartSummary& part : summary.parts) {
        parts.push_back({{"name", part.name},
                         {"kind", part.kind},
                         {"reads", shape_json(part.input)},
                         {"gives", shape_json(part.output)},
                         {"parameters", part.parameters},
                         {"statistics", part.statistics},
                         {"macs_per_step", part.macs},
                         {"steps", part.steps}});
    }
    const MemoryEstimate& memory = summary.memory;
    return json_text(Json{{"schema", "nowcell.model_info/1"},
                          {"name", subject.name},
                          {"strategy", model.strategy},
                          {"patch", model.patch},
                          {"frame", shape_json(shape.frame)},
                          {"batch", shape.batch},
                          {"input_steps", shape.input_steps},
                          {"output_steps", shape.output_steps},
                          {"parts", parts},
                          {"parameters", summary.parameters},
                          {"statistics", summary.statistics},
                          {"macs", summary.macs},
                          {"receptive_field",
                           {{"newest_frame", sizes(summary.field.newest)},
                            {"oldest_frame", sizes(summary.field.oldest)},
                            {"whole_frame", summary.field.whole_frame}}},
                          {"leaks", model.leaks()},
                          {"memory_bytes",
                           {{"weights", memory.weights},
                            {"gradients", memory.gradients},
                            {"optimizer", memory.optimizer},
                            {"activations", memory.activations},
                            {"frames", memory.frames},
                            {"total", memory.total()}}}});
}

int model_info(const Request& request) {
    const Subject subject = subject_of(request);
    const ModelOptions model = ModelOptions::from(subject.config);
    const TrainingShape shape{frame_of(request, subject),
                              request.integer("--batch", subject.config.integer("train.batch")),
                              subject.config.integer("data.input_steps"), subject.config.integer("data.output_steps")};
    // A trained network that is tied to a size reads that one alone.
    const bool tied = request.has("--model") && !model.tie().empty();
    const std::optional<FrameSize> built_for = tied ? std::optional(subject.frame->size) : std::nullopt;
    if (const auto problem = misfit(model, shape.frame.size, built_for)) {
        throw Error(ExitCode::data, problem->what, subject.name, problem->hint);
    }
    const ModelSummary summary = summarize(model, shape);
    deliver(request, info_text(subject, model, shape, summary), info_json(subject, model, shape, summary));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_model_info(const nowcell::Request& request) { return nowcell::model_info(request); }
