#include "data/period.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

constexpr double kDay_s = 86400.0;
constexpr std::int64_t kFreeHistory = 64 << 20;  // bytes of a window's history that are never too many

// The most frames in a row that the training part holds.
std::int64_t longest_training_run(const SourceInfo& info, const SplitOptions& split) {
    std::int64_t longest = 0;
    for (const Span& span : part_spans(info, split, Part::train)) {
        std::int64_t begin = span.begin;
        const auto recording = static_cast<std::size_t>(span.recording);
        if (recording < info.breaks.size()) {
            for (const std::int64_t at : info.breaks[recording]) {
                if (at <= begin || at >= span.end) continue;
                longest = std::max(longest, at - begin);
                begin = at;
            }
        }
        longest = std::max(longest, span.end - begin);
    }
    return longest;
}

bool leaves_windows(const SourceInfo& info, const WindowOptions& window, const SplitOptions& split, Part part) {
    try {
        cut_windows(info, window, split, part);
        return true;
    } catch (const Error& error) {
        if (error.code() != ExitCode::data) throw;
        return false;
    }
}

Period candidate(double step_s) {
    const double steps = kDay_s / step_s;
    if (std::abs(steps - std::round(steps)) < 1e-6 * steps && steps > 1.5) {
        return {std::llround(steps), "a day of the time axis"};
    }
    const double days = step_s / kDay_s;
    if (days >= 28.0 && days <= 31.0) return {12, "a year of the time axis"};
    return {0, fmt::format("no whole number of steps of {:g} s is a day", step_s)};
}

// Why a cycle is of no use to a run; empty: it is.
std::string objection(const SourceInfo& info, const DataOptions& options, const Period& found) {
    WindowOptions window = options.window;
    const std::int64_t run = longest_training_run(info, options.split);
    if (run < window.reach(2 * found.steps)) return "the training part does not hold two in a row";
    const std::int64_t frame = info.channels * info.height * info.width * 4;
    const std::int64_t own = (window.input_steps + window.output_steps) * frame;
    window.history = history_for(found.steps);
    if (window.history * frame > std::max(kFreeHistory, 4 * own)) {
        return fmt::format("its history would be {} MiB for each window", window.history * frame >> 20);
    }
    for (const Part part : {Part::train, Part::validation, Part::test}) {
        WindowOptions without = window;
        without.history = 0;
        const bool costs =
            leaves_windows(info, without, options.split, part) && !leaves_windows(info, window, options.split, part);
        if (!costs) continue;
        return fmt::format("its history would leave the {} part without a window", to_string(part));
    }
    return "";
}

}  // namespace

std::int64_t history_for(std::int64_t period) { return std::max<std::int64_t>(2, period > 0 ? period + 1 : 0); }

Period find_period(const SourceInfo& info, const DataOptions& options) {
    if (info.step_s <= 0.0) return {0, "the time step is unknown"};
    const Period found = candidate(info.step_s * static_cast<double>(options.window.frame_step));
    if (found.steps == 0) return found;
    const std::string why_not = objection(info, options, found);
    if (why_not.empty()) return found;
    return {0, fmt::format("not {} steps, {}: {}", found.steps, found.why, why_not)};
}

}  // namespace nowcell
