#include "data/time_start.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace nowcell {
namespace {

struct Moment {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0;
    double second = 0.0;
};

bool in_range(const Moment& at) {
    return at.year > 0 && at.month >= 1 && at.month <= 12 && at.day >= 1 && at.day <= 31 && at.hour >= 0 &&
           at.hour < 24 && at.minute >= 0 && at.minute < 60 && at.second >= 0.0 && at.second < 60.0;
}

// Hours, minutes and seconds behind the date; anything but "Z" or "UTC" after them is a zone or a riddle.
bool read_clock(const char* text, Moment& at) {
    while (*text == ' ' || *text == 'T' || *text == ';') ++text;
    int used = 0;
    if (std::sscanf(text, "%2d:%2d:%lf%n", &at.hour, &at.minute, &at.second, &used) < 3 || used == 0) {
        at.second = 0.0;
        used = 0;
        if (std::sscanf(text, "%2d:%2d%n", &at.hour, &at.minute, &used) < 2) used = 0;
    }
    std::string rest = text + used;
    rest.erase(std::remove(rest.begin(), rest.end(), ' '), rest.end());
    return rest.empty() || rest == "Z" || rest == "UTC";
}

std::optional<Moment> read_date(const std::string& text) {
    Moment at;
    int used = 0;
    if (std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &at.year, &at.month, &at.day, &used) < 3 || used == 0) {
        char name[4] = "";
        if (std::sscanf(text.c_str(), "%2d-%3[A-Za-z]-%4d%n", &at.day, name, &at.year, &used) < 3) return {};
        const std::string months = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
        for (char& letter : name) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
        const std::size_t found = months.find(name);
        if (found == std::string::npos || found % 3 != 0) return {};
        at.month = static_cast<int>(found / 3) + 1;
    }
    const auto size = static_cast<std::size_t>(used);
    if (size < text.size() && std::string(" T;Z").find(text[size]) == std::string::npos) return {};
    if (!read_clock(text.c_str() + size, at) || !in_range(at)) return {};
    return at;
}

double seconds_in(const std::string& unit) {
    const auto is = [&](const char* name) { return unit == name || unit == name + std::string("s"); };
    if (is("second") || is("sec") || unit == "s") return 1;
    if (is("minute") || is("min")) return 60;
    if (is("hour") || is("hr") || unit == "h") return 3600;
    return is("day") || unit == "d" ? 86400 : 0;
}

bool ordinary(const std::string& calendar) {
    return calendar.empty() || calendar == "standard" || calendar == "gregorian" || calendar == "proleptic_gregorian";
}

}  // namespace

std::optional<TimeStart> time_start(const std::string& text) {
    TimeStart out;
    std::string date = text;
    if (const std::size_t since = text.find(" since "); since != std::string::npos) {
        char* end = nullptr;
        const double count = std::strtod(text.c_str(), &end);
        const auto unit_at = static_cast<std::size_t>(end - text.c_str()) + 1;
        if (unit_at <= 1 || unit_at >= since) return {};
        const double unit_s = seconds_in(text.substr(unit_at, since - unit_at));
        if (unit_s == 0 || !std::isfinite(count)) return {};
        out.offset_s = count * unit_s;
        date = text.substr(since + 7);
    }
    const auto at = read_date(date);
    if (!at) return {};
    const double whole = std::floor(at->second);
    out.offset_s += at->second - whole;
    out.date = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02.0f}", at->year, at->month, at->day, at->hour, at->minute,
                           whole);
    return out;
}

std::string frame_time(const SourceInfo& info, std::int64_t recording, std::int64_t frame, bool with_year) {
    const auto start = time_start(info.start);
    if (!start || info.step_s <= 0.0 || !ordinary(info.calendar) || info.frames.size() != 1) return "";
    const auto index = static_cast<std::size_t>(recording);
    if (index < info.breaks.size() && !info.breaks[index].empty() && info.breaks[index].front() <= frame) return "";
    const Moment at = *read_date(start->date);
    const auto day = std::chrono::sys_days(std::chrono::year(at.year) / at.month / at.day);
    const double after =
        start->offset_s + static_cast<double>(frame) * info.step_s + 3600.0 * at.hour + 60.0 * at.minute + at.second;
    if (std::abs(after) > 1e11) return "";
    const auto time = std::chrono::time_point_cast<std::chrono::seconds>(day) +
                      std::chrono::seconds(static_cast<std::int64_t>(std::llround(after)));
    const std::time_t seconds = time.time_since_epoch().count();
    return fmt::format(fmt::runtime(with_year ? "{:%Y-%m-%d %H:%M}" : "{:%m-%d %H:%M}"), fmt::gmtime(seconds));
}

}  // namespace nowcell
