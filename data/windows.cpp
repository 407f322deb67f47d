#include "data/windows.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

// A part of something with `count` steps or recordings, as whole numbers.
struct Range {
    std::int64_t begin;
    std::int64_t end;
};

struct NamedPart {
    Part part;
    const std::vector<double>& range;
};

std::vector<NamedPart> parts_of(const SplitOptions& split) {
    return {{Part::train, split.train}, {Part::validation, split.validation}, {Part::test, split.test}};
}

std::string key(Part part) { return "data.split." + to_string(part); }

std::string numbers(const std::vector<double>& range) { return fmt::format("[{}, {}]", range[0], range[1]); }

[[noreturn]] void refuse(Part part, const std::string& why, const std::string& hint) {
    throw Error(ExitCode::usage, fmt::format("{} {}", key(part), why), "", hint);
}

void check_numbers(const NamedPart& named) {
    const std::vector<double>& range = named.range;
    const std::string form = "two fractions such as [0.0, 0.8], or two whole numbers such as [0, 456]";
    if (range.size() != 2) refuse(named.part, fmt::format("has {} numbers, expected {}", range.size(), form), "");
    const bool ordered = range[0] >= 0 && range[0] <= range[1] && std::isfinite(range[1]);
    const bool whole = range[1] <= 1 || (range[0] == std::floor(range[0]) && range[1] == std::floor(range[1]));
    if (!ordered || !whole) refuse(named.part, fmt::format("is {}, expected {}", numbers(range), form), "");
}

Range resolve(const NamedPart& named, std::int64_t count, const std::string& what) {
    check_numbers(named);
    const std::vector<double>& range = named.range;
    if (range[1] <= 1) {
        // 0.29 * 100 is a little less than 29 in binary, and 29 is what is meant.
        const auto at = [&](double part) {
            return static_cast<std::int64_t>(std::floor(part * static_cast<double>(count) + 1e-6));
        };
        return {at(range[0]), at(range[1])};
    }
    if (range[1] > static_cast<double>(count)) {
        refuse(named.part, fmt::format("= {} reaches beyond the {} {}", numbers(range), count, what),
               fmt::format("the last number is at most {}", count));
    }
    return {static_cast<std::int64_t>(range[0]), static_cast<std::int64_t>(range[1])};
}

void check_overlaps(const SplitOptions& split, std::int64_t count, const std::string& what) {
    const std::vector<NamedPart> parts = parts_of(split);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const Range a = resolve(parts[i], count, what);
        for (std::size_t j = 0; j < i; ++j) {
            const Range b = resolve(parts[j], count, what);
            if (std::max(a.begin, b.begin) >= std::min(a.end, b.end)) continue;
            const bool selection = parts[i].part == Part::test && parts[j].part == Part::validation;
            refuse(parts[i].part,
                   fmt::format("= {} overlaps {} = {} (of {} {}){}", numbers(parts[i].range), key(parts[j].part),
                               numbers(parts[j].range), count, what,
                               selection ? ": the best epoch would be chosen on the test part" : ""),
                   "parts that overlap make scores too good; give each its own range");
        }
    }
}

// Overlaps are looked for in every distinct length, once.
Range checked(const SplitOptions& split, Part part, std::int64_t count, const std::string& what) {
    check_overlaps(split, count, what);
    const std::vector<NamedPart> parts = parts_of(split);
    return resolve(*std::find_if(parts.begin(), parts.end(), [&](const auto& named) { return named.part == part; }),
                   count, what);
}

bool splits_time(const SourceInfo& info, const SplitOptions& split) {
    if (split.by == "auto") return info.frames.size() == 1;
    if (split.by == "time" || split.by == "sequence" || split.by == "file") return split.by == "time";
    throw Error(ExitCode::usage,
                fmt::format("data.split_by: got '{}', expected auto, time, sequence or file", split.by));
}

void check_files(const SourceInfo& info) {
    if (info.files > 1 && info.frames.size() > 1) return;
    const std::string what = info.files > 1 ? fmt::format("its {} files are one recording", info.files)
                                            : fmt::format("it is one file of {} recordings", info.frames.size());
    throw Error(ExitCode::usage, fmt::format("data.split_by = \"file\" cannot split {}: {}", info.path, what), "",
                info.frames.size() > 1 ? "data.split_by = \"sequence\"" : "data.split_by = \"time\"");
}

std::vector<Span> by_time(const SourceInfo& info, const SplitOptions& split, Part part) {
    std::vector<Span> out;
    Range range{0, 0};
    std::int64_t length = -1;
    for (std::size_t i = 0; i < info.frames.size(); ++i) {
        if (info.frames[i] != length) {
            length = info.frames[i];
            range = checked(split, part, length, "frames of " + info.dataset);
        }
        out.push_back({static_cast<std::int64_t>(i), range.begin, range.end});
    }
    return out;
}

std::vector<Span> by_sequence(const SourceInfo& info, const SplitOptions& split, Part part) {
    if (split.by == "file") check_files(info);
    const auto count = static_cast<std::int64_t>(info.frames.size());
    const Range range = checked(split, part, count, "sequences of " + info.dataset);
    std::vector<Span> out;
    for (std::int64_t i = range.begin; i < range.end; ++i)
        out.push_back({i, 0, info.frames[static_cast<std::size_t>(i)]});
    return out;
}

void check(const WindowOptions& window) {
    const auto positive = [](const char* name, std::int64_t value) {
        if (value > 0) return;
        throw Error(ExitCode::usage, fmt::format("data.{} must be at least 1, got {}", name, value));
    };
    positive("input_steps", window.input_steps);
    positive("output_steps", window.output_steps);
    positive("stride", window.stride);
    positive("frame_step", window.frame_step);
    if (window.paired && window.frame_step > 1) {
        throw Error(
            ExitCode::usage,
            fmt::format("data.frame_step = {}, but a target belongs to the frame right before it", window.frame_step),
            "", "data.frame_step = 1, or no data.target");
    }
}

// Where the history of a part may begin in a recording, which a test part that lies before it closes. `closed` has
// one span a recording, or none.
std::int64_t history_floor(const std::vector<Span>& closed, const Span& span) {
    if (closed.empty()) return 0;
    const Span& test = closed[static_cast<std::size_t>(span.recording)];
    return test.begin < test.end && test.end <= span.begin ? test.end : 0;
}

// What training and selection may not read, where it can lie in the recordings that they do read.
std::vector<Span> closed_spans(const SourceInfo& info, const SplitOptions& split, Part part) {
    const bool choosing = part == Part::train || part == Part::validation;
    return choosing && splits_time(info, split) ? by_time(info, split, Part::test) : std::vector<Span>();
}

[[noreturn]] void fail_without_windows(const SourceInfo& info, const WindowOptions& window,
                                       const std::vector<Span>& spans, const std::vector<Span>& closed, Part part) {
    if (spans.empty()) {
        throw Error(
            ExitCode::data,
            fmt::format("the {} part has no sequences; {} has {}", to_string(part), info.dataset, info.frames.size()),
            "",
            fmt::format("widen data.split.{}, or split one recording by time: --set data.split_by=time",
                        to_string(part)));
    }
    const Span& span = *std::max_element(
        spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.end - a.begin < b.end - b.begin; });
    const bool whole = span.begin == 0 && span.end == info.frames[static_cast<std::size_t>(span.recording)];
    const std::string holder = whole ? fmt::format("sequence {}", span.recording)
                                     : fmt::format("the {} part of sequence {}", to_string(part), span.recording);
    const std::int64_t extra = std::max<std::int64_t>(0, history_floor(closed, span) - window.first_frame(span.begin));
    const std::int64_t needed = window.reach(window.steps()) + extra;
    const std::string apart = window.frame_step > 1 ? fmt::format(", {} frames apart,", window.frame_step) : "";
    const std::string history = extra > 0 ? fmt::format(" after {} more frames of history", extra) : "";
    const bool broken = span.end - span.begin >= needed;
    throw Error(ExitCode::data,
                fmt::format("{} has {} frames{}; input_steps {} + output_steps {}{}{}{} need {}", holder,
                            span.end - span.begin, broken ? ", but time jumps between them" : "", window.input_steps,
                            window.output_steps, window.paired ? " - 1" : "", apart, history, needed),
                "", "lower data.input_steps or data.output_steps, or name a longer part");
}

}  // namespace

std::string to_string(Part part) {
    switch (part) {
        case Part::train: return "train";
        case Part::validation: return "validation";
        case Part::test: return "test";
        case Part::all: return "all";
    }
    return "all";
}

Part part_from(const std::string& name) {
    for (const Part part : {Part::train, Part::validation, Part::test, Part::all}) {
        if (to_string(part) == name) return part;
    }
    throw Error(ExitCode::usage, fmt::format("split: got '{}', expected train, validation, test or all", name), "",
                did_you_mean(name, {"train", "validation", "test", "all"}));
}

std::vector<Span> part_spans(const SourceInfo& info, const SplitOptions& split, Part part) {
    if (part != Part::all)
        return splits_time(info, split) ? by_time(info, split, part) : by_sequence(info, split, part);
    std::vector<Span> out;
    for (std::size_t i = 0; i < info.frames.size(); ++i)
        out.push_back({static_cast<std::int64_t>(i), 0, info.frames[i]});
    return out;
}

bool continuous(const SourceInfo& info, std::int64_t recording, std::int64_t first, std::int64_t last) {
    if (static_cast<std::size_t>(recording) >= info.breaks.size()) return true;
    const std::vector<std::int64_t>& breaks = info.breaks[static_cast<std::size_t>(recording)];
    const auto next = std::upper_bound(breaks.begin(), breaks.end(), first);
    return next == breaks.end() || *next > last;
}

std::vector<Window> cut_windows(const SourceInfo& info, const WindowOptions& window, const SplitOptions& split,
                                Part part) {
    check(window);
    const std::vector<Span> spans = part_spans(info, split, part);
    const std::vector<Span> closed = closed_spans(info, split, part);
    const std::int64_t length = window.reach(window.steps());
    std::vector<Window> out;
    for (const Span& span : spans) {
        const std::int64_t floor = history_floor(closed, span);
        // Starts stay on the grid of the part, so that more history drops windows but moves none.
        for (std::int64_t start = span.begin; start + length <= span.end; start += window.stride) {
            const std::int64_t first = window.first_frame(start);
            const bool whole = continuous(info, span.recording, first, start + length - 1);
            if (first >= floor && whole) out.push_back({span.recording, start});
        }
    }
    if (out.empty()) fail_without_windows(info, window, spans, closed, part);
    return out;
}

}  // namespace nowcell
