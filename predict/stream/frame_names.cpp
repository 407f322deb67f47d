#include "predict/stream/frame_names.h"

#include "data/formats/file_kind.h"
#include "data/formats/name_times.h"
#include "data/time_start.h"

#include <filesystem>

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

bool earlier_name(const std::string& a, const std::string& b) {
    const auto one = date_of_name(a), other = date_of_name(b);
    if (one.has_value() != other.has_value()) return one.has_value();
    if (one && *one != *other) return *one < *other;
    return natural_less(a, b);
}

}  // namespace nowcell
