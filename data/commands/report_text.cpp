#include "data/commands/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace nowcell {

std::string report_line(const std::string& name, const std::string& value) {
    return fmt::format("  {:<11}{}\n", name, value);
}

std::string frames_text(const SourceInfo& info) {
    const auto [least, most] = std::minmax_element(info.frames.begin(), info.frames.end());
    const std::string each = *least == *most ? fmt::format("{}", *least) : fmt::format("{} to {}", *least, *most);
    const auto recordings = static_cast<std::int64_t>(info.frames.size());
    return fmt::format("{} recording{} of {} frame{}, {} channel{}{}, {} x {} px", recordings, plural(recordings), each,
                       plural(*most), info.channels, plural(info.channels),
                       info.channel_order.empty() ? "" : " (" + info.channel_order + ")", info.height, info.width);
}

std::string time_text(const SourceInfo& info) {
    if (info.step_s <= 0.0) {
        return "unknown (lead times are counted in steps)" + (info.start.empty() ? "" : ", from " + info.start + " on");
    }
    return fmt::format("{} s{}{}", info.step_s, info.start.empty() ? "" : ", from " + info.start + " on",
                       info.calendar.empty() ? "" : ", calendar " + info.calendar);
}

std::string gaps_text(const SourceInfo& info) {
    constexpr std::size_t kShown = 5;
    std::size_t count = 0;
    std::string places;
    for (std::size_t r = 0; r < info.breaks.size(); ++r) {
        for (const std::int64_t frame : info.breaks[r]) {
            if (count++ >= kShown) continue;
            const std::string where = info.frames.size() > 1 ? fmt::format(" of recording {}", r) : "";
            places += fmt::format("{}{}{}", places.empty() ? "" : ", ", frame, where);
        }
    }
    if (count == 0) return "none";
    return fmt::format("time jumps {} time{}, in front of frame {}{}", count, count == 1 ? "" : "s", places,
                       count > kShown ? ", ..." : "");
}

std::string size_text(double bytes) {
    if (bytes < 1e3) return fmt::format("{:.0f} bytes", bytes);
    if (bytes < 1e6) return fmt::format("{:.1f} kB", bytes / 1e3);
    if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes / 1e6);
    return fmt::format("{:.2f} GB", bytes / 1e9);
}

double stored_bytes(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::is_directory(path, error)) return static_cast<double>(fs::file_size(path, error));
    double sum = 0.0;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path, error)) {
        if (entry.is_regular_file(error)) sum += static_cast<double>(entry.file_size(error));
    }
    return sum;
}

}  // namespace nowcell
