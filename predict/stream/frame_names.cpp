#include "predict/stream/frame_names.h"

#include "data/formats/file_kind.h"
#include "data/formats/name_times.h"
#include "data/time_start.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

namespace nowcell {
namespace {

// Longer ones are no counters.
constexpr std::size_t kMostDigits = 15;

std::optional<FrameTime> last_number(const std::string& stem) {
    const auto is_digit = [&](std::size_t at) { return stem[at] >= '0' && stem[at] <= '9'; };
    std::size_t end = stem.size();
    while (end > 0 && !is_digit(end - 1)) --end;
    std::size_t begin = end;
    while (begin > 0 && is_digit(begin - 1)) --begin;
    if (begin == end || end - begin > kMostDigits) return {};
    return FrameTime{static_cast<double>(std::stoll(stem.substr(begin, end - begin))), false};
}

std::optional<double> date_of_name(const std::string& path) {
    SourceInfo info;
    info.start = times_of({path}).start;
    return info.start.empty() ? std::nullopt : start_seconds(info);
}

}  // namespace

std::optional<FrameTime> time_of_name(const std::string& path) {
    if (const auto date = date_of_name(path)) return FrameTime{*date, true};
    return last_number(std::filesystem::path(path).stem().string());
}

void sort_names(std::vector<std::string>& names) {
    constexpr double kNever = std::numeric_limits<double>::infinity();
    std::vector<std::pair<double, std::string>> dated;
    for (std::string& name : names) {
        const double date = date_of_name(name).value_or(kNever);
        dated.emplace_back(date, std::move(name));
    }
    std::sort(dated.begin(), dated.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first < b.first : natural_less(a.second, b.second);
    });
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = std::move(dated[i].second);
}

}  // namespace nowcell
