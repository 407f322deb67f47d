// Dates in the calendars of climate models, and the units of time axes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nowcell {

/// Source: CF conventions 1.11, section 4.4.2. `standard` is Julian up to 1582-10-04 and Gregorian from 1582-10-15 on.
enum class Calendar { standard, proleptic_gregorian, noleap, all_leap, day_360, julian };

/// Names of CF and their aliases: "gregorian", "365_day", ...; "" is the standard one; nullopt: not known.
std::optional<Calendar> calendar_of(const std::string& name);

/// A point in time in some calendar, UTC.
struct Date {
    std::int64_t year = 0;
    int month = 1;
    int day = 1;
    double second = 0.0;  ///< of the day, 0 to 86400
};

/// "2019-03-01", "2019-3-1 6:30", "2019-03-01T00:00:00.5Z", "... UTC", "... +01:00"; nullopt: no date, or one that the
/// calendar does not have.
std::optional<Date> parse_date(std::string_view text, Calendar calendar);

/// Days since 1970-01-01 of the calendar; the date exists in it.
std::int64_t day_number(const Date& date, Calendar calendar);

/// Seconds since 1970-01-01T00:00 of the calendar.
double seconds_of(const Date& date, Calendar calendar);

/// The inverse, to the millisecond. |seconds| < 1e14.
Date date_of(double seconds, Calendar calendar);

/// "2019-03-01T06:30:00Z"
std::string to_string(const Date& date);

/// Seconds in a unit of time: "hours", "h", "min", ...; 0: none that has a fixed length.
double seconds_in(const std::string& unit);

}  // namespace nowcell
