#include "data/formats/calendar.h"
#include "data/formats/time_axis.h"
#include "tests/support/catch.h"

#include <cmath>

using namespace nowcell;

namespace {

std::string shifted(const std::string& start, double seconds, const std::string& calendar) {
    const Calendar kind = calendar_of(calendar).value();
    return to_string(date_of(seconds_of(parse_date(start, kind).value(), kind) + seconds, kind));
}

bool is_date(const std::string& text, const std::string& calendar = "standard") {
    return parse_date(text, calendar_of(calendar).value()).has_value();
}

std::string normal(const std::string& text) {
    const auto date = parse_date(text, Calendar::standard);
    return date.has_value() ? to_string(*date) : "none";
}

}  // namespace

// Expected dates: cftime 1.6.
TEST_CASE("days are counted by the rules of each calendar") {
    constexpr double kDay = 86400.0;
    CHECK(shifted("2000-02-28", kDay, "standard") == "2000-02-29T00:00:00Z");
    CHECK(shifted("2000-02-28", kDay, "noleap") == "2000-03-01T00:00:00Z");
    CHECK(shifted("2001-02-28", kDay, "366_day") == "2001-02-29T00:00:00Z");
    CHECK(shifted("2000-02-29", kDay, "360_day") == "2000-02-30T00:00:00Z");
    CHECK(shifted("2000-02-30", kDay, "360_day") == "2000-03-01T00:00:00Z");
    CHECK(shifted("2000-12-30", 1.5 * kDay, "360_day") == "2001-01-01T12:00:00Z");
    CHECK(shifted("1900-02-28", kDay, "julian") == "1900-02-29T00:00:00Z");
    CHECK(shifted("1900-02-28", kDay, "standard") == "1900-03-01T00:00:00Z");
    CHECK(shifted("1582-10-04", kDay, "standard") == "1582-10-15T00:00:00Z");
    CHECK(shifted("1582-10-04", kDay, "proleptic_gregorian") == "1582-10-05T00:00:00Z");
    CHECK(shifted("1582-10-15", -kDay, "gregorian") == "1582-10-04T00:00:00Z");
    CHECK(shifted("1582-12-31", kDay, "gregorian") == "1583-01-01T00:00:00Z");
    CHECK(shifted("0001-01-01", 738157 * kDay, "standard") == "2022-01-01T00:00:00Z");
    CHECK(shifted("0001-01-01", 738155 * kDay, "proleptic_gregorian") == "2022-01-01T00:00:00Z");
    CHECK(shifted("1970-01-01", -0.5, "standard") == "1969-12-31T23:59:59.500Z");
    CHECK(shifted("1900-01-01 00:00:0.0", 1043120 * 3600.0, "standard") == "2018-12-31T08:00:00Z");
}

TEST_CASE("a date and its number belong together on every day") {
    for (const char* name : {"standard", "proleptic_gregorian", "noleap", "all_leap", "360_day", "julian"}) {
        const Calendar calendar = calendar_of(name).value();
        INFO(name);
        int wrong = 0;
        Date before = date_of(-160000 * 86400.0, calendar);
        for (std::int64_t day = -159999; day < 20000; ++day) {
            const Date date = date_of(static_cast<double>(day) * 86400.0, calendar);
            wrong += day_number(date, calendar) == day && date.second == 0.0 ? 0 : 1;
            const bool next = date.day == before.day + 1 || date.day == 1 || date.day == before.day + 11;
            wrong += next ? 0 : 1;
            before = date;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("dates are read in the forms that files use") {
    CHECK(normal("2019-03-01") == "2019-03-01T00:00:00Z");
    CHECK(normal("2019-3-1 6:30") == "2019-03-01T06:30:00Z");
    CHECK(normal("2019-03-01T00:00:00Z") == "2019-03-01T00:00:00Z");
    CHECK(normal("2019-03-01 00:00:0.0 UTC") == "2019-03-01T00:00:00Z");
    CHECK(normal("2019-03-01 00:30 +01:00") == "2019-02-28T23:30:00Z");
    CHECK(normal("2019-03-01 00:30:00 -0130") == "2019-03-01T02:00:00Z");
    for (const char* text : {"", "2019", "2019-13-01", "2019-02-29", "2019-03-01 25:00", "2019-03-01 six", "1582-10-10",
                             "99999999-01-01", "2019-03-01 00:00 +99", "x2019-03-01"}) {
        INFO(text);
        CHECK_FALSE(is_date(text));
    }
    CHECK(is_date("1582-10-10", "proleptic_gregorian"));
    CHECK(is_date("2019-02-30", "360_day"));
    CHECK_FALSE(is_date("2019-01-31", "360_day"));
    CHECK_FALSE(calendar_of("mayan").has_value());
}

TEST_CASE("units of time have a length, or none") {
    CHECK(seconds_in("hours") == 3600);
    CHECK(seconds_in("day") == 86400);
    CHECK(seconds_in("min") == 60);
    CHECK(seconds_in("mins") == 60);
    CHECK(seconds_in("s") == 1);
    CHECK(seconds_in("milliseconds") == 1e-3);
    CHECK(seconds_in("months") == 0);
    CHECK(seconds_in("") == 0);
}

TEST_CASE("the usual step is found, and where time jumps") {
    using Breaks = std::vector<std::int64_t>;
    CHECK(find_steps({}).step_s == 0);
    CHECK(find_steps({5}).step_s == 0);
    CHECK(find_steps({0, 300, 600}).step_s == 300);
    CHECK(find_steps({0, 300, 600}).breaks.empty());
    CHECK(find_steps({0, 300, 900, 1200}).breaks == Breaks{2});
    CHECK(find_steps({0, 300, 300, 600}).breaks == Breaks{2});
    CHECK(find_steps({0, 300, 300, 600}).backwards);
    CHECK(find_steps({0, 300, 100, 400, 700}).breaks == Breaks{2});
    CHECK_FALSE(find_steps({0, 300, 900, 1200}).backwards);
    CHECK(find_steps({0, 300, 600.2, 900}).breaks.empty());
    CHECK(find_steps({0, 300, 610, 900}, 30).breaks.empty());
    CHECK(find_steps({5, 5, 5}).step_s == 0);
}

TEST_CASE("times are found in the names of files") {
    const auto name = [](const std::string& text) {
        const double seconds = time_in_name(text);
        return std::isnan(seconds) ? "none" : to_string(date_of(seconds, Calendar::standard));
    };
    CHECK(name("/a/20200101/RAD_NL25_RAP_5min_201008260005.h5") == "2010-08-26T00:05:00Z");
    CHECK(name("20100826_0005.h5") == "2010-08-26T00:05:00Z");
    CHECK(name("x-20100826T000530Z.nc") == "2010-08-26T00:05:30Z");
    CHECK(name("20100826000530.png") == "2010-08-26T00:05:30Z");
    CHECK(name("201313260005.h5") == "none");
    CHECK(name("frame_0001.h5") == "none");
    CHECK(name("20100826.h5") == "none");
}
