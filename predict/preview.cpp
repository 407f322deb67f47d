// The handler of data preview. It stands here and not in data/ because pictures are made here.
#include "data/commands/source_request.h"
#include "data/frame_source.h"
#include "data/time_start.h"
#include "predict/pictures/preview_pictures.h"
#include "predict/pictures/ticks.h"
#include "src/error.h"
#include "src/files.h"
#include "src/json.h"
#include "src/report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kYear = 5;                               // letters of "2019-"; the title names the year
constexpr std::int64_t kMostValues = std::int64_t{256} << 20;  // 1 GiB of float32

bool is_gif(const std::string& path) {
    const std::string end = fs::path(path).extension().string();
    if (end == ".gif" || end == ".png") return end == ".gif";
    throw Error(ExitCode::usage, fmt::format("--output {}: got the ending '{}', expected .png or .gif", path, end));
}

// The frames that --recording, --start and --frames name.
FrameRange chosen(const Request& request, const SourceInfo& info, std::int64_t fallback) {
    const auto recordings = static_cast<std::int64_t>(info.frames.size());
    FrameRange range{request.integer("--recording", 0), request.integer("--start", 0), 0};
    if (range.recording >= recordings) {
        throw Error(ExitCode::data, fmt::format("no recording {}: there are {}", range.recording, recordings),
                    info.path, fmt::format("--recording 0 to {}", recordings - 1));
    }
    const std::int64_t frames = info.frames[static_cast<std::size_t>(range.recording)];
    if (range.first >= frames) {
        throw Error(ExitCode::data,
                    fmt::format("no frame {}: recording {} has {}", range.first, range.recording, frames), info.path,
                    fmt::format("--start 0 to {}", frames - 1));
    }
    range.count = std::min(request.integer("--frames", fallback), frames - range.first);
    if (range.count * info.channels * info.height * info.width > kMostValues) {
        throw Error(ExitCode::usage, fmt::format("{} frames of this size are over 1 GiB", range.count), "",
                    "choose fewer with --frames, or a part with --rows and --columns");
    }
    return range;
}

// Whether time jumps between the first frame shown and this one.
bool behind_gap(const SourceInfo& info, const FrameRange& range, std::int64_t t) {
    const auto r = static_cast<std::size_t>(range.recording);
    if (r >= info.breaks.size()) return false;
    return std::any_of(info.breaks[r].begin(), info.breaks[r].end(),
                       [&](std::int64_t gap) { return gap > range.first && gap <= t; });
}

std::string label_of(const SourceInfo& info, const FrameRange& range, std::int64_t t) {
    const std::string time = frame_time(info, range.recording, t);
    if (time.size() > kYear) return time.substr(kYear);
    if (behind_gap(info, range, t)) return fmt::format("{}, after a gap", t);
    return info.step_s > 0.0 ? fmt::format("{} ({})", t, lead_label(t - range.first, info.step_s)) : std::to_string(t);
}

FrameSequence sequence_of(const FrameSource& source, const FrameRange& range) {
    const SourceInfo& info = source.info();
    FrameSequence out{source.read(range.recording, range.first, range.count), {}, ""};
    if (info.channels != 3) out.frames = out.frames.narrow(1, 0, 1);
    for (std::int64_t t = 0; t < range.count; ++t) out.labels.push_back(label_of(info, range, range.first + t));
    out.title = fs::path(info.path).filename().string();
    if (out.title.empty()) out.title = fs::path(info.path).parent_path().filename().string();
    if (info.frames.size() > 1) out.title += fmt::format(", recording {}", range.recording);
    out.title += fmt::format(", frame {} on", range.first);
    const std::string first = frame_time(info, range.recording, range.first);
    if (!first.empty()) out.title += ", " + first;
    if (info.channels > 1 && info.channels != 3) out.title += fmt::format(", channel 0 of {}", info.channels);
    return out;
}

int preview(const Request& request) {
    const std::string path = request.text("--output");
    const bool gif = is_gif(path);
    check_not_input(path, request.text("PATH"));
    check_writable(path, request.has("--force"));
    const auto source = open_source(source_options(request));
    const SourceInfo& info = source->info();
    const FrameRange range = chosen(request, info, gif ? 60 : 12);
    const FrameSequence sequence = sequence_of(*source, range);
    const ColourScale scale = frames_scale(sequence.frames, info.units);
    make_parent(path);
    if (gif) {
        write_frames_gif(path, sequence, scale);
    } else {
        write_sheet(path, sequence, scale);
    }
    const nlohmann::ordered_json report = {{"schema", "nowcell.data_preview/1"},
                                           {"path", info.path},
                                           {"output", path},
                                           {"recording", range.recording},
                                           {"start", range.first},
                                           {"frames", range.count},
                                           {"min", scale.min},
                                           {"max", scale.max},
                                           {"units", info.units}};
    deliver(request, path + "\n", json_text(report));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_data_preview(const nowcell::Request& request) { return nowcell::preview(request); }
