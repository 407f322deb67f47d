// The handler of data info.
#include "data/commands/report_text.h"
#include "data/commands/source_request.h"
#include "data/frame_blocks.h"
#include "data/moments.h"
#include "data/read_cost.h"
#include "src/json.h"
#include "src/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace nowcell {
namespace {

// What reading every frame tells.
struct Survey {
    bool done = false;
    Moments moments;
    std::int64_t missing = 0;
};

Survey survey(const FrameSource& source) {
    Survey result;
    for_each_block(source, "reading", [&](const FrameBlock& block) {
        const double before = result.moments.count;
        result.moments.add(block.frames);
        result.missing += block.frames.numel() - static_cast<std::int64_t>(result.moments.count - before);
    });
    result.done = true;
    return result;
}

std::string storage_text(const SourceInfo& info) {
    const bool pictures = info.layout.find('t') == std::string::npos && info.chunk_shape.empty();
    const std::string pieces = info.chunk_shape.empty() ? std::string(pictures ? "one frame a file" : "contiguous")
                                                        : fmt::format("chunks [{}]", fmt::join(info.chunk_shape, ", "));
    const bool plain = info.filters.empty() || info.filters == "none";
    return fmt::format("{}, {}{}", info.stored_type, pieces,
                       plain ? (pictures ? "" : ", not compressed") : ", " + info.filters);
}

std::string repack_command(const SourceInfo& info, const Request& request, std::int64_t window) {
    std::string flags = fmt::format("--window {}", window);
    const std::int64_t longest = *std::max_element(info.frames.begin(), info.frames.end());
    if (longest > window) flags += fmt::format(" --chunk {}", short_chunk(window));
    for (const char* flag : {"--dataset", "--layout", "--rows", "--columns"}) {
        if (request.has(flag)) flags += fmt::format(" {} {}", flag, request.text(flag));
    }
    const std::string stem = std::filesystem::path(info.path).stem().string();
    return fmt::format("nowcell data repack {} {} -o {}_repacked.h5", info.path, flags, stem);
}

std::string cost_text(const SourceInfo& info, const Request& request, std::int64_t window) {
    const auto factor = read_amplification(info, window);
    if (!factor) return "frames are decoded in order from the beginning";
    return fmt::format("{:.2f} values read per value used, for windows of {} frames{}", *factor, window,
                       *factor > kHighAmplification ? "; better: " + repack_command(info, request, window) : "");
}

std::string values_text(const SourceInfo& info) {
    const bool plain = info.scale == 1.0 && info.offset == 0.0;
    const bool has_fill = info.has_fill && std::isfinite(info.fill);
    return (plain ? "as stored" : fmt::format("stored x {} + {}", info.scale, info.offset)) +
           (has_fill ? fmt::format(", {} is missing", info.fill) : "");
}

std::string missing_text(const Survey& values) {
    if (values.missing == 0) return "none";
    const double all = values.moments.count + static_cast<double>(values.missing);
    return fmt::format("{} values ({:.2f} %)", values.missing, 100.0 * static_cast<double>(values.missing) / all);
}

std::string info_text(const Request& request, const SourceInfo& info, const Survey& values, std::int64_t window) {
    std::string out = fmt::format("{}{}{}\n", info.path, info.dataset.empty() ? "" : "  ", info.dataset);
    out += report_line("format", fmt::format("{}, {}{}", info.format.empty() ? "frames" : info.format,
                                             info.files == 1 ? "" : fmt::format("{} files, ", info.files),
                                             size_text(stored_bytes(info.path))));
    out += report_line("layout", fmt::format("{} [{}]", info.layout, fmt::join(info.stored_shape, ", ")));
    out += report_line("frames", frames_text(info));
    out += report_line("stored", storage_text(info));
    out += report_line("values", values_text(info));
    out += report_line("time step", time_text(info));
    out += report_line("gaps", gaps_text(info));
    out += report_line("units", info.units);
    if (values.moments.count > 0) {
        out += report_line("range", fmt::format("{:.6g} to {:.6g}, mean {:.6g}", values.moments.min, values.moments.max,
                                                values.moments.mean));
    }
    out += report_line("missing", values.done ? missing_text(values) : "not counted (--quick)");
    out += report_line("reading", cost_text(info, request, window));
    for (const std::string& note : info.notes) out += report_line("note", note);
    return out;
}

std::string info_json(const SourceInfo& info, const Survey& values, std::int64_t window) {
    nlohmann::ordered_json report = {{"schema", "nowcell.data_info/2"},
                                     {"path", info.path},
                                     {"dataset", info.dataset},
                                     {"format", info.format},
                                     {"files", info.files},
                                     {"layout", info.layout},
                                     {"shape", info.stored_shape},
                                     {"chunk", info.chunk_shape},
                                     {"type", info.stored_type},
                                     {"filters", info.filters},
                                     {"recordings", info.frames.size()},
                                     {"frames", info.frames},
                                     {"channels", info.channels},
                                     {"channel_order", info.channel_order},
                                     {"height", info.height},
                                     {"width", info.width},
                                     {"first_row", info.first_row},
                                     {"first_column", info.first_column},
                                     {"units", info.units},
                                     {"scale", info.scale},
                                     {"offset", info.offset},
                                     {"step_s", info.step_s},
                                     {"start", info.start},
                                     {"calendar", info.calendar},
                                     {"gaps", info.breaks},
                                     {"notes", info.notes},
                                     {"window", window},
                                     {"fingerprint", info.fingerprint}};
    if (info.has_fill) report["fill"] = info.fill;
    if (const auto factor = read_amplification(info, window)) report["read_amplification"] = *factor;
    if (values.done) report["missing"] = values.missing;
    if (values.moments.count > 0) {
        report["min"] = values.moments.min;
        report["max"] = values.moments.max;
        report["mean"] = values.moments.mean;
    }
    return json_text(report);
}

int show_info(const Request& request) {
    const auto source = open_source(source_options(request));
    const Survey values = request.has("--quick") ? Survey{} : survey(*source);
    const std::int64_t window = request.integer("--window", 20);
    deliver(request, info_text(request, source->info(), values, window), info_json(source->info(), values, window));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_data_info(const nowcell::Request& request) { return nowcell::show_info(request); }
