#include "data/formats/calendar.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <map>

namespace nowcell {
namespace {

constexpr double kDay = 86400.0;
constexpr std::int64_t kSwitch = -141427;  // 1582-10-15 of the Gregorian calendar, the day after 1582-10-04

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

bool is_leap(std::int64_t year, Calendar calendar) {
    if (calendar == Calendar::all_leap) return true;
    if (calendar == Calendar::noleap || calendar == Calendar::day_360 || year % 4 != 0) return false;
    const bool julian = calendar == Calendar::julian || (calendar == Calendar::standard && year <= 1582);
    return julian || year % 100 != 0 || year % 400 == 0;
}

int days_in_month(std::int64_t year, int month, Calendar calendar) {
    constexpr std::array<int, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (calendar == Calendar::day_360) return 30;
    return days[static_cast<std::size_t>(month - 1)] + (month == 2 && is_leap(year, calendar) ? 1 : 0);
}

// Days from 1970-01-01 to January 1st; of the standard calendar by the rule that holds at the start of the year.
std::int64_t year_start(std::int64_t year, Calendar calendar) {
    const auto leaps = [](std::int64_t y) { return floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400); };
    switch (calendar) {
        case Calendar::noleap: return 365 * (year - 1970);
        case Calendar::all_leap: return 366 * (year - 1970);
        case Calendar::day_360: return 360 * (year - 1970);
        // On the same count of days as the Gregorian calendar, 13 days behind in 1970.
        case Calendar::julian: return 365 * (year - 1970) + floor_div(year - 1, 4) - 492 + 13;
        case Calendar::standard:
            if (year <= 1582) return year_start(year, Calendar::julian);
            [[fallthrough]];
        case Calendar::proleptic_gregorian: break;
    }
    return 365 * (year - 1970) + leaps(year - 1) - 477;
}

bool exists(const Date& date, Calendar calendar) {
    constexpr std::int64_t kMostYears = 1000000;
    if (std::abs(date.year) > kMostYears || date.month < 1 || date.month > 12 || date.day < 1 ||
        date.day > days_in_month(date.year, date.month, calendar)) {
        return false;
    }
    const bool skipped =
        calendar == Calendar::standard && date.year == 1582 && date.month == 10 && date.day > 4 && date.day < 15;
    return !skipped;
}

// Reads a text from the left.
class Scanner {
 public:
    explicit Scanner(std::string_view text) : text_(text) {}

    template <typename T>
    bool number(T& value) {
        const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
        if (error != std::errc()) return false;
        text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
        return true;
    }
    bool skip(std::string_view any_of) {
        if (text_.empty() || any_of.find(text_.front()) == std::string_view::npos) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool skip_word(std::string_view word) {
        if (text_.substr(0, word.size()) != word) return false;
        text_.remove_prefix(word.size());
        return true;
    }
    bool at_end() const { return text_.empty(); }
    char next() const { return text_.empty() ? '\0' : text_.front(); }

 private:
    std::string_view text_;
};

// "6:30:00.5" as seconds of a day.
bool scan_clock(Scanner& in, double& second) {
    int hour = 0, minute = 0;
    double rest = 0.0;
    if (!in.number(hour)) return false;
    if (in.skip(":") && !in.number(minute)) return false;
    if (in.skip(":") && !in.number(rest)) return false;
    second = 3600.0 * hour + 60.0 * minute + rest;
    return hour >= 0 && hour <= 24 && minute >= 0 && minute < 60 && rest >= 0 && rest < 61;
}

// "Z", "UTC", "+01:00", "-0730" as seconds east of Greenwich.
bool scan_zone(Scanner& in, double& east_s) {
    while (in.skip(" ")) continue;
    if (in.skip("Z") || in.skip_word("UTC") || in.skip_word("GMT") || in.at_end()) return in.at_end();
    const double sign = in.next() == '-' ? -1.0 : 1.0;
    int hours = 0, minutes = 0;
    if (!in.skip("+-") || !in.number(hours)) return false;
    if (in.skip(":") && !in.number(minutes)) return false;
    if (hours > 99) minutes = hours % 100, hours /= 100;
    east_s = sign * (3600.0 * hours + 60.0 * minutes);
    return in.at_end() && hours >= 0 && hours <= 14 && minutes >= 0 && minutes < 60;
}

}  // namespace

std::optional<Calendar> calendar_of(const std::string& name) {
    static const std::map<std::string, Calendar> known = {
        {"", Calendar::standard},          {"standard", Calendar::standard},
        {"gregorian", Calendar::standard}, {"proleptic_gregorian", Calendar::proleptic_gregorian},
        {"noleap", Calendar::noleap},      {"no_leap", Calendar::noleap},
        {"365_day", Calendar::noleap},     {"all_leap", Calendar::all_leap},
        {"366_day", Calendar::all_leap},   {"360_day", Calendar::day_360},
        {"julian", Calendar::julian}};
    const auto found = known.find(name);
    return found == known.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Date> parse_date(std::string_view text, Calendar calendar) {
    Scanner in(text);
    Date date;
    double east_s = 0.0;
    while (in.skip(" ")) continue;
    if (!in.number(date.year) || !in.skip("-") || !in.number(date.month) || !in.skip("-") || !in.number(date.day) ||
        !exists(date, calendar)) {
        return std::nullopt;
    }
    if (in.skip("T ") && in.next() >= '0' && in.next() <= '9' && !scan_clock(in, date.second)) return std::nullopt;
    if (!scan_zone(in, east_s)) return std::nullopt;
    return date_of(seconds_of(date, calendar) - east_s, calendar);
}

std::int64_t day_number(const Date& date, Calendar calendar) {
    std::int64_t day = year_start(date.year, calendar) + date.day - 1;
    for (int month = 1; month < date.month; ++month) day += days_in_month(date.year, month, calendar);
    const bool after_switch = calendar == Calendar::standard && date.year == 1582 && day - 10 >= kSwitch;
    return after_switch ? day - 10 : day;
}

double seconds_of(const Date& date, Calendar calendar) {
    return static_cast<double>(day_number(date, calendar)) * kDay + date.second;
}

Date date_of(double seconds, Calendar calendar) {
    const double rounded = std::round(seconds * 1000.0) / 1000.0;
    const auto day = static_cast<std::int64_t>(std::floor(rounded / kDay));
    Date out;
    out.second = std::round((rounded - static_cast<double>(day) * kDay) * 1000.0) / 1000.0;
    out.year = 1970 + floor_div(day, 366);
    if (day < 0) out.year = 1970 + floor_div(day, 360);
    while (day < day_number({out.year}, calendar)) --out.year;
    while (day >= day_number({out.year + 1}, calendar)) ++out.year;
    while (out.month < 12 && day >= day_number({out.year, out.month + 1}, calendar)) ++out.month;
    out.day = static_cast<int>(day - day_number({out.year, out.month}, calendar)) + 1;
    const bool after_switch = calendar == Calendar::standard && out.year == 1582 && out.month == 10 && out.day > 4;
    if (after_switch) out.day += 10;
    return out;
}

std::string to_string(const Date& date) {
    const auto whole = static_cast<std::int64_t>(date.second);
    const auto thousandths = static_cast<int>(std::lround((date.second - static_cast<double>(whole)) * 1000.0));
    const std::string fraction = thousandths == 0 ? "" : fmt::format(".{:03}", thousandths);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z", date.year, date.month, date.day, whole / 3600,
                       whole / 60 % 60, whole % 60, fraction);
}

double seconds_in(const std::string& unit) {
    static const std::map<std::string, double> known = {
        {"millisecond", 1e-3}, {"msec", 1e-3},    {"ms", 1e-3},   {"second", 1}, {"sec", 1},  {"s", 1},
        {"minute", 60},        {"min", 60},       {"hour", 3600}, {"hr", 3600},  {"h", 3600}, {"day", kDay},
        {"d", kDay},           {"week", 7 * kDay}};
    auto found = known.find(unit);
    if (found == known.end() && unit.size() > 2 && unit.back() == 's')
        found = known.find(unit.substr(0, unit.size() - 1));
    return found == known.end() ? 0.0 : found->second;
}

}  // namespace nowcell
