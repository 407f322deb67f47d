#include "data/formats/time_axis.h"

#include "data/formats/calendar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>

namespace nowcell {
namespace {

// "20100826" and "0005" or "000500"; NaN when they are no date.
double seconds_of_digits(const std::string& day, const std::string& clock) {
    if (day.size() != 8 || (clock.size() != 4 && clock.size() != 6)) return std::nan("");
    const std::string text =
        fmt::format("{}-{}-{} {}:{}:{}", day.substr(0, 4), day.substr(4, 2), day.substr(6), clock.substr(0, 2),
                    clock.substr(2, 2), clock.size() == 6 ? clock.substr(4) : "0");
    const auto date = parse_date(text, Calendar::standard);
    return date.has_value() && date->year >= 1800 ? seconds_of(*date, Calendar::standard) : std::nan("");
}

struct Digits {
    std::string text;
    std::size_t end = 0;
};

std::vector<Digits> digits_in(const std::string& text) {
    std::vector<Digits> out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) continue;
        if (out.empty() || out.back().end != i) out.push_back({});
        out.back().text += text[i];
        out.back().end = i + 1;
    }
    return out;
}

}  // namespace

TimeAxis find_steps(const std::vector<double>& times, double tolerance_s) {
    TimeAxis out;
    std::vector<double> steps;
    for (std::size_t i = 1; i < times.size(); ++i) steps.push_back(times[i] - times[i - 1]);
    if (steps.empty()) return out;
    std::vector<double> sorted = steps;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    const double usual = *middle;
    out.step_s = usual > 0 && std::isfinite(usual) ? usual : 0.0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const bool later = steps[i] > 0;
        out.backwards = out.backwards || !later;
        const bool regular = std::abs(steps[i] - usual) <= 1e-3 * usual + tolerance_s;
        if (!later || !regular) out.breaks.push_back(static_cast<std::int64_t>(i) + 1);
    }
    return out;
}

double time_in_name(const std::string& path) {
    const std::vector<Digits> runs = digits_in(std::filesystem::path(path).stem().string());
    for (std::size_t i = runs.size(); i-- > 0;) {
        const std::string& text = runs[i].text;
        double found = std::nan("");
        if (text.size() == 12 || text.size() == 14) found = seconds_of_digits(text.substr(0, 8), text.substr(8));
        const bool pair = i > 0 && runs[i].end - text.size() - runs[i - 1].end == 1;
        if (pair && std::isnan(found)) found = seconds_of_digits(runs[i - 1].text, text);
        if (!std::isnan(found)) return found;
    }
    return std::nan("");
}

}  // namespace nowcell
