#include "predict/report/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <string_view>

namespace nowcell {

std::vector<std::string> column_texts(const std::vector<double>& values) {
    double largest = 0;
    for (const double value : values) largest = std::isfinite(value) ? std::max(largest, std::abs(value)) : largest;
    const int decimals = largest > 0 ? std::max(0, 3 - static_cast<int>(std::floor(std::log10(largest)))) : 0;
    std::vector<std::string> texts;
    for (const double value : values) {
        if (!std::isfinite(value))
            texts.emplace_back("-");
        else if (decimals > 7 || largest >= 1e7)
            texts.push_back(fmt::format("{:.3e}", value));
        else
            texts.push_back(fmt::format("{:.{}f}", value, decimals));
    }
    return texts;
}

std::string grouped(const std::string& digits) {
    std::string out;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) out += "\u202f";
        out += digits[i];
    }
    return out;
}

std::vector<bool> best_of(const std::string& metric, const std::vector<double>& values) {
    if (!has_best(metric)) return std::vector<bool>(values.size(), false);
    double best = std::nan("");
    std::size_t known = 0;
    for (const double value : values) {
        if (!std::isfinite(value)) continue;
        ++known;
        if (!(badness(metric, value) >= best)) best = badness(metric, value);
    }
    std::vector<bool> marks;
    for (const double value : values)
        marks.push_back(known > 1 && std::isfinite(value) && badness(metric, value) == best);
    return marks;
}

std::string metric_name(const std::string& metric) {
    constexpr std::array<std::string_view, 7> words = {"bias", "fair", "rank", "area", "mean", "hit", "rate"};
    constexpr std::array<std::string_view, 2> long_shorts = {"drmse", "ralsd"};
    const auto one_of = [](const auto& list, const std::string& word) {
        return std::find(list.begin(), list.end(), word) != list.end();
    };
    std::string name, word;
    for (const char c : metric + "-") {
        if (c != '-' && c != ' ' && c != '_') {
            word += c;
            continue;
        }
        const bool plain = (word.size() > 4 && !one_of(long_shorts, word)) || one_of(words, word);
        if (!plain) {
            std::transform(word.begin(), word.end(), word.begin(),
                           [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
        }
        name += (name.empty() ? "" : " ") + word;
        word.clear();
    }
    if (!name.empty()) name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
    return name;
}

std::string quantity_name(const Quantity& quantity, const std::string& units) {
    std::string name = metric_name(quantity.metric);
    if (quantity.threshold) {
        name += fmt::format(" \u2265 {:g}", *quantity.threshold);
        if (!units.empty() && units != "1") name += " " + units;
    }
    return quantity.scale > 0 ? name + fmt::format(", {} px", quantity.scale) : name;
}

}  // namespace nowcell
