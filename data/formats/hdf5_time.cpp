#include "data/formats/hdf5_time.h"

#include "data/formats/calendar.h"
#include "data/formats/hdf5_values.h"
#include "data/formats/time_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace nowcell {
namespace {

// The first of some attributes, on the dataset or on the file.
std::string first_text(const Hdf5File& file, const std::string& dataset, const std::vector<std::string>& names) {
    for (const std::string& object : {dataset, std::string("/")}) {
        for (const std::string& name : names) {
            if (const auto text = file.text(object, name)) return *text;
        }
    }
    return "";
}

double positive_number(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0' && std::isfinite(value) && value > 0 ? value : 0.0;
}

// "start" as a date of the calendar, or as the file writes it where that cannot be.
void read_start(double first, const std::string& units, std::size_t since, SourceInfo& info) {
    const auto calendar = calendar_of(info.calendar);
    const double unit_s = seconds_in(units.substr(0, since));
    const auto reference =
        calendar.has_value() ? parse_date(units.substr(since + 7), *calendar) : std::optional<Date>();
    constexpr double kMost = 1e13;
    if (reference.has_value() && unit_s > 0 && std::abs(first * unit_s) < kMost) {
        info.start = to_string(date_of(seconds_of(*reference, *calendar) + first * unit_s, *calendar));
        return;
    }
    info.start = fmt::format("{} {}", first, units);
    info.notes.push_back(fmt::format("the time axis is in '{}', calendar '{}', which gives no date", units,
                                     info.calendar.empty() ? "standard" : info.calendar));
}

// How far rounding moves a time that is stored with 24 bits.
double rounding(const std::vector<double>& times, StoredType type) {
    if (type != StoredType::f32) return 0.0;
    const double largest = std::max(std::abs(times.front()), std::abs(times.back()));
    return 2.0 * largest * static_cast<double>(std::numeric_limits<float>::epsilon());
}

// NetCDF's convention: a vector of times with units such as "hours since 2019-03-01 00:00".
void read_axis(const Hdf5File& file, const std::string& name, SourceInfo& info) {
    if (name.empty() || !file.has(name)) return;
    const Hdf5Description axis = file.describe(name);
    const std::string units = file.text(name, "units").value_or("");
    const std::size_t since = units.find(" since ");
    constexpr std::int64_t kMostTimes = 1 << 24;
    if (!axis.numeric || axis.shape.size() != 1 || axis.shape[0] != info.frames.front() || axis.shape[0] > kMostTimes ||
        since == std::string::npos) {
        return;
    }
    std::vector<double> times = file.vector(name);
    info.calendar = file.text(name, "calendar").value_or("");
    std::transform(info.calendar.begin(), info.calendar.end(), info.calendar.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    read_start(times.front(), units, since, info);
    const double unit_s = seconds_in(units.substr(0, since));
    if (unit_s <= 0) {
        info.notes.push_back(fmt::format("'{}' is no unit of a fixed length: the time step is unknown", units));
        return;
    }
    const double tolerance_s = rounding(times, axis.stored) * unit_s;
    for (double& time : times) time *= unit_s;
    const TimeAxis steps = find_steps(times, tolerance_s);
    info.step_s = steps.step_s;
    if (!steps.breaks.empty()) info.breaks.assign(info.frames.size(), steps.breaks);
    if (steps.backwards) info.notes.push_back(fmt::format("times in {} repeat or go backwards", name));
}

// "26-AUG-2010;00:00:00.000" as seconds since 1970; NaN when it is none.
double knmi_seconds(const std::string& text) {
    static constexpr std::array<const char*, 12> kMonths = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                            "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
    if (text.size() < 20 || text[2] != '-' || text[6] != '-' || text[11] != ';') return std::nan("");
    const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(3, 3));
    const auto date = parse_date(
        fmt::format("{}-{}-{} {}", text.substr(7, 4), month - kMonths.begin() + 1, text.substr(0, 2), text.substr(12)),
        Calendar::standard);
    return date.has_value() ? seconds_of(*date, Calendar::standard) : std::nan("");
}

// ODIM's "20100826" and "000500".
double odim_seconds(const Hdf5File& file, const std::string& group, const std::string& date, const std::string& time) {
    const std::string day = file.text(group, date).value_or("");
    const std::string clock = file.text(group, time).value_or("");
    return day.empty() || clock.empty() ? std::nan("") : time_in_name(day + "_" + clock);
}

FileTime knmi_time(const Hdf5File& file) {
    const double start = knmi_seconds(file.text("/overview", "product_datetime_start").value_or(""));
    const double end = knmi_seconds(file.text("/overview", "product_datetime_end").value_or(""));
    return {end, end - start};
}

}  // namespace

void read_time(const Hdf5File& file, const std::string& axis, SourceInfo& info) {
    read_axis(file, axis, info);
    const double step =
        positive_number(first_text(file, info.dataset, {"step_s", "dt_seconds", "time_step_s", "time_step"}));
    if (step > 0) info.step_s = step;
    const std::string start = first_text(file, info.dataset, {"start", "start_time", "time_start"});
    if (!start.empty()) info.start = start;
    const std::string calendar = first_text(file, info.dataset, {"calendar"});
    if (!calendar.empty()) info.calendar = calendar;
}

FileTime time_of_file(const Hdf5File& file, const std::string& dataset) {
    const FileTime knmi = knmi_time(file);
    if (!std::isnan(knmi.end_s)) return knmi;
    for (std::string group = parent_of(dataset); !group.empty(); group = parent_of(group)) {
        const std::string what = group + "/what";
        const double end = odim_seconds(file, what, "enddate", "endtime");
        if (!std::isnan(end)) return {end, end - odim_seconds(file, what, "startdate", "starttime")};
    }
    return {odim_seconds(file, "/what", "date", "time"), std::nan("")};
}

std::string units_over(const std::string& units, double span_s) {
    const double minutes = span_s / 60.0;
    if (units != "mm" || !(minutes >= 1.0) || minutes != std::floor(minutes)) return units;
    return fmt::format("mm per {:g} min", minutes);
}

}  // namespace nowcell
