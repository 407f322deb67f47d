#include "predict/pictures/ticks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace nowcell {
namespace {

std::string printed(const char* format, double value, int decimals = 0) {
    char text[64];
    std::snprintf(text, sizeof text, format, decimals, value);
    return text;
}

std::string fixed(double value, int decimals) {
    std::string text = printed("%.*f", value, decimals);
    // "-0.0" is a rounding artefact that nobody wants to read.
    if (text.find_first_of("123456789") == std::string::npos && text.front() == '-') text.erase(0, 1);
    return text;
}

double power_of_ten_below(double value) { return std::pow(10.0, std::floor(std::log10(value) + 1e-9)); }

std::vector<double> multiples(double step, double low, double high) {
    std::vector<double> ticks;
    const double slack = 1e-9 * (high - low), first = std::ceil((low - slack) / step);
    const int count = static_cast<int>(std::min(std::floor((high + slack) / step) - first + 1, 1000.0));
    for (int i = 0; i < count; ++i) ticks.push_back((first + i) * step + 0.0);  // + 0.0: no negative zero
    return ticks;
}

template <typename Value>
std::vector<Value> every_nth(const std::vector<Value>& values, int at_most) {
    const std::size_t n = (values.size() + static_cast<std::size_t>(at_most) - 1) / static_cast<std::size_t>(at_most);
    std::vector<Value> some;
    for (std::size_t i = 0; i < values.size(); i += n) some.push_back(values[i]);
    return some;
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int at_most) {
    // Numbers this close to each other would all be written alike.
    if (!(high - low > 1e-12 * std::max(std::abs(low), std::abs(high)))) return {low};
    const std::size_t most = static_cast<std::size_t>(std::max(at_most, 2));
    double power = power_of_ten_below((high - low) / static_cast<double>(most)) / 10;
    std::vector<double> best;
    for (; best.empty(); power *= 10) {
        for (double factor : {1.0, 2.0, 5.0, 10.0}) {
            auto ticks = multiples(factor * power, low, high);
            if (ticks.size() > most) continue;
            // 25 reads worse than 20 or 50, but better than an axis with two numbers.
            if (ticks.size() < 3 && factor == 5.0) {
                auto finer = multiples(2.5 * power, low, high);
                if (finer.size() <= most) return finer;
            }
            return ticks;
        }
    }
    return best;
}

std::vector<double> log_ticks(double low, double high, int at_most) {
    const int most = std::max(at_most, 2);
    for (const std::vector<double>& factors : {std::vector<double>{1, 2, 5}, {1, 3}, {1}}) {
        std::vector<double> ticks;
        const int last = static_cast<int>(std::floor(std::log10(high)));
        for (int e = static_cast<int>(std::floor(std::log10(low))); e <= last; ++e) {
            for (double factor : factors) {
                const double tick = factor * std::pow(10.0, e);
                if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
            }
        }
        if (static_cast<int>(ticks.size()) <= most) return ticks;
        if (factors.size() == 1) return every_nth(ticks, most);
    }
    return {};
}

double round_up(double value) {
    if (!(value > 0)) return 1.0;
    const double power = power_of_ten_below(value);
    for (double factor : {1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0}) {
        if (factor * power >= value * (1 - 1e-9)) return factor * power;
    }
    return 10 * power;
}

std::vector<std::string> tick_labels(const std::vector<double>& ticks) {
    double largest = 0;
    for (double tick : ticks) largest = std::max(largest, std::abs(tick));
    std::vector<std::string> labels;
    if (largest >= 1e6 || (largest > 0 && largest < 1e-3)) {
        for (double tick : ticks) labels.push_back(tick == 0 ? "0" : printed("%.*g", tick, 3));
        return labels;
    }
    int decimals = 0;
    const auto round_enough = [&](double tick) {
        const double scaled = tick * std::pow(10.0, decimals);
        return std::abs(scaled - std::round(scaled)) < 1e-6 * std::max(1.0, std::abs(scaled));
    };
    while (decimals < 8 && !std::all_of(ticks.begin(), ticks.end(), round_enough)) ++decimals;
    double smallest = largest;
    for (double tick : ticks) smallest = tick == 0 ? smallest : std::min(smallest, std::abs(tick));
    // Ticks of a logarithmic scale: each with the decimals it needs.
    const bool wide = smallest > 0 && largest / smallest > 20;
    for (double tick : ticks) {
        if (tick == 0)
            labels.push_back("0");
        else
            labels.push_back(wide ? printed("%.*g", tick, 6) : fixed(tick, decimals));
    }
    return labels;
}

std::vector<std::string> number_labels(const std::vector<double>& values) {
    double largest = 0;
    for (double value : values) {
        if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
    }
    const int decimals = largest > 0 ? std::max(0, 2 - static_cast<int>(std::floor(std::log10(largest)))) : 0;
    std::vector<std::string> labels;
    for (double value : values) {
        if (!std::isfinite(value))
            labels.push_back("-");
        else if (decimals > 5 || largest >= 1e6)
            labels.push_back(value == 0 ? "0" : printed("%.*e", value, 1));
        else
            labels.push_back(fixed(value, decimals));
    }
    return labels;
}

TimeUnit time_unit(double step_s) {
    TimeUnit unit;
    for (const TimeUnit& larger : {TimeUnit{60, "min"}, TimeUnit{3600, "h"}, TimeUnit{86400, "d"}}) {
        if (std::fmod(step_s, larger.seconds) == 0) unit = larger;
    }
    return unit;
}

std::string lead_label(std::int64_t steps, double step_s) {
    const std::string sign = steps > 0 ? "+" : "";
    if (steps == 0) return "0";
    if (!(step_s > 0)) return sign + std::to_string(steps);
    const TimeUnit unit = time_unit(step_s);
    return sign + printed("%.*g", static_cast<double>(steps) * step_s / unit.seconds, 6) + " " + unit.name;
}

std::vector<std::int64_t> thinned(std::int64_t count, std::int64_t at_most) {
    std::vector<std::int64_t> kept;
    if (count < 1) return kept;
    if (at_most <= 1) return {count - 1};
    const std::int64_t n = std::min(count, at_most);
    if (n == 1) return {0};
    for (std::int64_t i = 0; i < n; ++i) kept.push_back((2 * i * (count - 1) + n - 1) / (2 * (n - 1)));
    return kept;
}

}  // namespace nowcell
