#include "data/formats/name_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>

namespace nowcell {
namespace {

struct Run {
    std::size_t at = 0;
    std::string digits;
};

std::string stem_of(const std::string& path) { return std::filesystem::path(path).stem().string(); }

std::vector<Run> digit_runs(const std::string& stem) {
    std::vector<Run> out;
    for (std::size_t i = 0; i < stem.size(); ++i) {
        if (stem[i] < '0' || stem[i] > '9') continue;
        if (out.empty() || out.back().at + out.back().digits.size() != i) out.push_back({i, ""});
        out.back().digits += stem[i];
    }
    return out;
}

std::optional<std::int64_t> seconds_of(const std::string& digits) {
    namespace time = std::chrono;
    const auto part = [&](std::size_t at, std::size_t size) {
        return digits.size() < at + size ? 0 : std::stoi(digits.substr(at, size));
    };
    const time::year_month_day day(time::year(part(0, 4)), time::month(static_cast<unsigned>(part(4, 2))),
                                   time::day(static_cast<unsigned>(part(6, 2))));
    const int hour = part(8, 2);
    const int minute = part(10, 2);
    const int second = part(12, 2);
    if (!day.ok() || part(0, 4) < 1900 || part(0, 4) > 2100 || hour > 23 || minute > 59 || second > 60) return {};
    const std::int64_t days = time::sys_days(day).time_since_epoch().count();
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

// A date that begins at a run of digits: one long run, or year, month, day, hour ... with a character between them.
std::optional<std::int64_t> date_at(const std::string& stem, const std::vector<Run>& runs, std::size_t first) {
    const std::string& start = runs[first].digits;
    if (start.size() == 12 && runs[first].at >= 3 && stem.compare(runs[first].at - 3, 3, "RAD") == 0) {
        return seconds_of("20" + start);
    }
    if (start.size() == 14 || start.size() == 12 || start.size() == 10) return seconds_of(start);
    if (start.size() != 8 && start.size() != 4) return {};
    std::string digits;
    for (std::size_t i = first; i < runs.size() && digits.size() < 14; ++i) {
        const bool apart = i > first && runs[i].at != runs[i - 1].at + runs[i - 1].digits.size() + 1;
        const std::size_t size = runs[i].digits.size();
        const bool fits = i == first || size == 2 || (digits.size() == 8 && (size == 4 || size == 6));
        if (apart || !fits) break;
        digits += runs[i].digits;
    }
    if (digits.size() < 8) return {};
    return seconds_of(digits);
}

using Numbers = std::vector<std::int64_t>;

// The same run of digits of every name is a date, or there are none.
Numbers dates_of(const std::vector<std::string>& stems) {
    const std::size_t runs = digit_runs(stems.front()).size();
    for (std::size_t run = 0; run < runs; ++run) {
        Numbers out;
        for (const std::string& stem : stems) {
            const std::vector<Run> here = digit_runs(stem);
            const auto date = run < here.size() ? date_at(stem, here, run) : std::nullopt;
            if (!date) break;
            out.push_back(*date);
        }
        if (out.size() == stems.size()) return out;
    }
    return {};
}

Numbers last_numbers(const std::vector<std::string>& stems) {
    Numbers out;
    for (const std::string& stem : stems) {
        const std::vector<Run> runs = digit_runs(stem);
        if (runs.empty() || runs.back().digits.size() > 15) return {};
        out.push_back(std::stoll(runs.back().digits));
    }
    return out;
}

// The most common difference, when at least half of them are that; 0 when numbers do not ascend.
std::int64_t step_of(const Numbers& numbers) {
    std::map<std::int64_t, std::size_t> counts;
    for (std::size_t i = 1; i < numbers.size(); ++i) {
        const std::int64_t difference = numbers[i] - numbers[i - 1];
        if (difference <= 0) return 0;
        ++counts[difference];
    }
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == counts.end() || 2 * most->second < numbers.size() - 1 ? 0 : most->first;
}

std::vector<std::int64_t> jumps(const Numbers& numbers, std::int64_t step) {
    std::vector<std::int64_t> out;
    for (std::size_t i = 1; i < numbers.size(); ++i) {
        if (numbers[i] - numbers[i - 1] != step) out.push_back(static_cast<std::int64_t>(i));
    }
    return out;
}

std::string text_of(std::int64_t seconds) {
    namespace time = std::chrono;
    const time::sys_seconds moment{time::seconds(seconds)};
    const auto midnight = time::floor<time::days>(moment);
    const time::year_month_day day(midnight);
    const time::hh_mm_ss clock(moment - midnight);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", int{day.year()}, unsigned{day.month()},
                       unsigned{day.day()}, clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string gap_note(const std::vector<std::string>& paths, const std::vector<std::int64_t>& breaks) {
    if (breaks.empty()) return "";
    const auto at = static_cast<std::size_t>(breaks.front());
    const auto name = [&](std::size_t i) { return std::filesystem::path(paths[i]).filename().string(); };
    return fmt::format("{} {} in the names, the first between {} and {}", breaks.size(),
                       breaks.size() == 1 ? "gap" : "gaps", name(at - 1), name(at));
}

}  // namespace

NameTimes times_of(const std::vector<std::string>& paths) {
    std::vector<std::string> stems;
    for (const std::string& path : paths) stems.push_back(stem_of(path));
    NameTimes out;
    if (stems.empty()) return out;
    const Numbers dates = dates_of(stems);
    const Numbers numbers = dates.empty() ? last_numbers(stems) : dates;
    const std::int64_t step = step_of(numbers);
    if (!dates.empty()) {
        out.start = text_of(dates.front());
        out.step_s = static_cast<double>(step);
        if (step == 0 && dates.size() > 1) out.note = "the times in the names have no common step";
    }
    if (step == 0) return out;
    out.breaks = jumps(numbers, step);
    out.note = gap_note(paths, out.breaks);
    return out;
}

}  // namespace nowcell
