#include "data/time_start.h"

#include "data/formats/calendar.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

namespace nowcell {
namespace {

// "18 hours since 2019-03-01": what is in front of the date, in seconds; 0 where there is nothing.
std::optional<double> offset_in(const std::string& text, std::size_t since) {
    if (since == std::string::npos) return 0.0;
    char* end = nullptr;
    const double count = std::strtod(text.c_str(), &end);
    const auto unit_at = static_cast<std::size_t>(end - text.c_str()) + 1;
    if (unit_at <= 1 || unit_at >= since) return {};
    const double unit_s = seconds_in(text.substr(unit_at, since - unit_at));
    if (unit_s == 0.0 || !std::isfinite(count)) return {};
    return count * unit_s;
}

}  // namespace

std::optional<double> start_seconds(const SourceInfo& info) {
    const auto calendar = calendar_of(info.calendar);
    const std::size_t since = info.start.find(" since ");
    const auto offset_s = offset_in(info.start, since);
    if (!calendar || !offset_s) return {};
    const auto date = parse_date(since == std::string::npos ? info.start : info.start.substr(since + 7), *calendar);
    if (!date) return {};
    return seconds_of(*date, *calendar) + *offset_s;
}

std::string date_text(double seconds, const SourceInfo& info) {
    constexpr double kFarthest = 1e14;
    const auto calendar = calendar_of(info.calendar);
    if (!calendar || !(std::abs(seconds) < kFarthest)) return "";
    std::string text = to_string(date_of(seconds, *calendar));  // "2019-03-01T06:30:00Z"
    if (text.size() < 3 || text.find('T') == std::string::npos) return "";
    text.pop_back();
    text[text.find('T')] = ' ';
    return text;
}

std::string frame_time(const SourceInfo& info, std::int64_t recording, std::int64_t frame) {
    const auto start = start_seconds(info);
    if (!start || info.step_s <= 0.0 || info.frames.size() != 1) return "";
    const auto index = static_cast<std::size_t>(recording);
    if (index < info.breaks.size() && !info.breaks[index].empty() && info.breaks[index].front() <= frame) return "";
    const std::string text = date_text(*start + static_cast<double>(frame) * info.step_s, info);
    const bool whole = std::fmod(info.step_s, 60.0) == 0.0 && text.size() > 3;
    return whole ? text.substr(0, text.size() - 3) : text;
}

}  // namespace nowcell
