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
#include <optional>

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

// How far rounding moves a time that is stored with 24 bits.
double rounding(const std::vector<double>& times, StoredType type) {
    if (type != StoredType::f32) return 0.0;
    const double largest = std::max(std::abs(times.front()), std::abs(times.back()));
    return 2.0 * largest * static_cast<double>(std::numeric_limits<float>::epsilon());
}

// NetCDF's convention: a vector of times with units such as "hours since 2019-03-01 00:00".
struct Axis {
    std::vector<double> seconds;  // since 1970 when dated, else since whatever the units name; empty: unit unknown
    double tolerance_s = 0.0;
    std::optional<Calendar> calendar;  // none: the axis gives no dates
    std::string calendar_name;
    std::string first;  // "6 hours since 2019-03-01"
};

std::optional<Axis> load_axis(const Hdf5File& file, const std::string& name, std::int64_t frames) {
    if (name.empty() || !file.has(name)) return std::nullopt;
    const Hdf5Description data = file.describe(name);
    const std::string units = file.text(name, "units").value_or("");
    const std::size_t since = units.find(" since ");
    constexpr std::int64_t kMostTimes = 1 << 24;
    const bool fits = data.numeric && data.shape == std::vector<std::int64_t>{frames} && frames <= kMostTimes;
    if (!fits || frames == 0 || since == std::string::npos) return std::nullopt;
    Axis out;
    out.seconds = file.vector(name);
    out.first = fmt::format("{} {}", out.seconds.front(), units);
    out.calendar_name = file.text(name, "calendar").value_or("");
    std::transform(out.calendar_name.begin(), out.calendar_name.end(), out.calendar_name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    const double unit_s = seconds_in(units.substr(0, since));
    out.tolerance_s = rounding(out.seconds, data.stored) * unit_s;
    if (unit_s <= 0) out.seconds.clear();
    const auto calendar = calendar_of(out.calendar_name);
    const auto reference = calendar.has_value() ? parse_date(units.substr(since + 7), *calendar) : std::nullopt;
    double origin_s = 0.0;
    if (reference.has_value() && unit_s > 0) out.calendar = calendar, origin_s = seconds_of(*reference, *calendar);
    for (double& time : out.seconds) time = origin_s + time * unit_s;
    return out;
}

void read_axis(const Hdf5File& file, const std::string& name, SourceInfo& info) {
    const std::optional<Axis> axis = load_axis(file, name, info.frames.front());
    if (!axis.has_value()) return;
    info.calendar = axis->calendar_name;
    constexpr double kMost = 1e13;
    const bool dated = axis->calendar.has_value() && std::abs(axis->seconds.front()) < kMost;
    info.start = dated ? to_string(date_of(axis->seconds.front(), *axis->calendar)) : axis->first;
    if (!dated) info.notes.push_back(fmt::format("'{}' in {} gives no date in its calendar", axis->first, name));
    const TimeAxis steps = find_steps(axis->seconds, axis->tolerance_s);
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

std::vector<double> frame_times(const Hdf5File& file, const std::string& axis, std::int64_t frames) {
    const std::optional<Axis> found = load_axis(file, axis, frames);
    return found.has_value() && found->calendar.has_value() ? found->seconds : std::vector<double>{};
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
