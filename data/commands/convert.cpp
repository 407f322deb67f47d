// The handlers of data convert and data repack.
#include "data/commands/report_text.h"
#include "data/commands/source_request.h"
#include "data/read_cost.h"
#include "data/write/frame_file.h"
#include "src/error.h"
#include "src/files.h"
#include "src/json.h"
#include "src/log.h"
#include "src/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

bool is_npy(const std::string& path) { return fs::path(path).extension() == ".npy"; }

void check_name(const std::string& path, bool npy_too) {
    const std::vector<std::string> known = {".h5", ".hdf5", ".he5", ".nc", ".nc4"};
    const std::string end = fs::path(path).extension().string();
    if (std::find(known.begin(), known.end(), end) != known.end() || (npy_too && is_npy(path))) return;
    throw Error(ExitCode::usage, fmt::format("--output {}: got the ending '{}', expected {}{}", path, end,
                                             fmt::join(known, ", "), npy_too ? " or .npy" : ""));
}

std::string cost_text(const std::optional<double>& factor) {
    return factor ? fmt::format("{:.2f}", *factor) : std::string("in order");
}

std::string convert_text(const std::string& path, const SourceInfo& info, const FrameFile& file, std::int64_t window) {
    const std::string datasets = file.datasets.empty() ? ""
                                 : file.datasets.size() == 1
                                     ? file.datasets[0] + " "
                                     : fmt::format("{} to {} ", file.datasets.front(), file.datasets.back());
    std::string out = path + "\n";
    out +=
        report_line("stored", fmt::format("{}[{}] {}{}", datasets, fmt::join(file.shape, ", "), file.stored_type,
                                          file.chunk.empty() ? ""
                                                             : fmt::format(", chunks [{}], shuffle, gzip 4, fletcher32",
                                                                           fmt::join(file.chunk, ", "))));
    out +=
        report_line("size", fmt::format("{} -> {}", size_text(stored_bytes(info.path)), size_text(stored_bytes(path))));
    out += report_line("reading", fmt::format("{} -> {} values read per value used, for windows of {} frames",
                                              cost_text(read_amplification(info, window)),
                                              cost_text(file.read_amplification), window));
    return out;
}

std::string convert_json(const std::string& path, const SourceInfo& info, const FrameFile& file, std::int64_t window) {
    nlohmann::ordered_json report = {{"schema", "nowcell.data_convert/1"},
                                     {"input", info.path},
                                     {"output", path},
                                     {"datasets", file.datasets},
                                     {"shape", file.shape},
                                     {"chunk", file.chunk},
                                     {"type", file.stored_type},
                                     {"window", window},
                                     {"bytes_before", stored_bytes(info.path)},
                                     {"bytes_after", stored_bytes(path)},
                                     {"read_amplification_after", file.read_amplification}};
    if (const auto before = read_amplification(info, window)) report["read_amplification_before"] = *before;
    return json_text(report);
}

// Windows slide over long recordings: one that begins inside a chunk reads two.
void advise(const SourceInfo& info, const FrameFile& file, const ChunkOptions& chunk) {
    constexpr double kTolerated = 1.5;
    const std::int64_t better = short_chunk(chunk.window);
    if (file.read_amplification <= kTolerated || file.chunk.empty() || chunk.frames <= better) return;
    log_info(
        fmt::format("recordings of {} are longer than a window, and one that begins inside a chunk reads two: "
                    "--chunk {} reads less",
                    info.path, better));
}

int convert(const Request& request, bool npy_too) {
    const std::string path = request.text("--output");
    check_name(path, npy_too);
    check_not_input(path, request.text("PATH"));
    check_writable(path, request.has("--force"));
    const auto source = open_source(source_options(request));
    const SourceInfo& info = source->info();
    const std::int64_t window = request.integer("--window", 20);
    const ChunkOptions chunk{window, request.integer("--chunk", window)};
    for (const std::string& note : info.notes) log_info(note);
    if (gaps_text(info) != "none") log_info("recordings are cut where time jumps");
    // A folder that is made for the file goes again if writing fails.
    const fs::path parent = fs::path(path).parent_path();
    OutputFolder folder(parent.empty() ? "." : parent.string());
    const FrameFile file =
        is_npy(path) ? write_frames_npy(path, *source) : write_frames_hdf5(path, *source, chunk, request.command_line);
    folder.commit();
    if (is_npy(path) && info.units != "1") log_info("NumPy files carry no units: values are in " + info.units);
    if (file.datasets.size() > 1) log_info("read it with --dataset '/recording_*'");
    advise(info, file, chunk);
    deliver(request, convert_text(path, info, file, window), convert_json(path, info, file, window));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_data_convert(const nowcell::Request& request) { return nowcell::convert(request, true); }

extern "C" int nowcell_data_repack(const nowcell::Request& request) { return nowcell::convert(request, false); }
