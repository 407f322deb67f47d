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
            refuse(parts[i].part,
                   fmt::format("= {} overlaps {} = {} (of {} {})", numbers(parts[i].range), key(parts[j].part),
                               numbers(parts[j].range), count, what),
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
    if (split.by == "time" || split.by == "sequence") return split.by == "time";
    throw Error(ExitCode::usage, fmt::format("data.split_by: got '{}', expected auto, time or sequence", split.by));
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
}

[[noreturn]] void fail_without_windows(const SourceInfo& info, const WindowOptions& window,
                                       const std::vector<Span>& spans, Part part) {
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
    const std::int64_t extra = std::max<std::int64_t>(0, window.history - window.input_steps - span.begin);
    const std::string history = extra > 0 ? fmt::format(" after {} more frames of history", extra) : "";
    throw Error(
        ExitCode::data,
        fmt::format("{} has {} frames; input_steps {} + output_steps {}{} need {}", holder, span.end - span.begin,
                    window.input_steps, window.output_steps, history, window.input_steps + window.output_steps + extra),
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

std::vector<Window> cut_windows(const SourceInfo& info, const WindowOptions& window, const SplitOptions& split,
                                Part part) {
    check(window);
    const std::vector<Span> spans = part_spans(info, split, part);
    const std::int64_t earliest = std::max<std::int64_t>(0, window.history - window.input_steps);
    std::vector<Window> out;
    for (const Span& span : spans) {
        // Starts stay on the grid of the part, so that more history drops windows but moves none.
        const std::int64_t last = span.end - window.input_steps - window.output_steps;
        for (std::int64_t start = span.begin; start <= last; start += window.stride) {
            if (start >= earliest) out.push_back({span.recording, start});
        }
    }
    if (out.empty()) fail_without_windows(info, window, spans, part);
    return out;
}

}  // namespace nowcell
