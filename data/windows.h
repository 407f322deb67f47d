// Which frames make a sample: windows cut from recordings, and the three parts of a data set.
#pragma once

#include "data/frame_source.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// The parts of a data set; `all` ignores the split.
enum class Part { train, validation, test, all };

std::string to_string(Part part);
Part part_from(const std::string& name);  ///< Throws Error(usage) on an unknown name.

/// Where each part lies. A part is [begin, end): fractions of the whole when `end` <= 1, else steps or recordings.
/// "file" is "sequence" for recordings that come from several files.
struct SplitOptions {
    std::string by = "auto";  ///< "time" | "sequence" | "file" | "auto" (time for a single recording)
    std::vector<double> train = {0.0, 0.8};
    std::vector<double> validation = {0.8, 0.9};
    std::vector<double> test = {0.9, 1.0};
};

/// The shape of a window. A step of it is `frame_step` frames of the recording.
struct WindowOptions {
    std::int64_t input_steps = 10;   ///< T_in > 0
    std::int64_t output_steps = 10;  ///< T_out > 0
    std::int64_t stride = 1;         ///< frames between the starts of neighbouring windows, > 0
    std::int64_t history = 0;        ///< past steps a sample needs at least; more than T_in reaches before the window
    std::int64_t frame_step = 1;     ///< frames from one step to the next, > 0
    bool paired = false;             ///< FrameSource::target has the targets: lead k is its frame T_in - 1 + k - 1

    /// Steps of a window, from its first input to its last target.
    std::int64_t steps() const { return input_steps + output_steps - (paired ? 1 : 0); }
    std::int64_t past_steps() const { return input_steps > history ? input_steps : history; }
    /// Frames of a recording from the first to the last of so many steps, both included.
    std::int64_t reach(std::int64_t steps) const { return (steps - 1) * frame_step + 1; }
    /// The frame of the recording where the past of a window starts.
    std::int64_t first_frame(std::int64_t start) const { return start - (past_steps() - input_steps) * frame_step; }
};

/// One window: input frames start, start + frame_step, ... (T_in of them), the targets follow in the same step. Of
/// pairs the targets are frames of the other source: start + T_in - 1 and those after it.
struct Window {
    std::int64_t recording;
    std::int64_t start;
};

/// Frames [begin, end) of a recording.
struct Span {
    std::int64_t recording;
    std::int64_t begin;
    std::int64_t end;
};

/// The frames of one part, recording by recording; a span may be empty.
/// Throws Error(usage) on a bad split: wrong numbers, parts that overlap, or a range beyond what there is.
std::vector<Span> part_spans(const SourceInfo& info, const SplitOptions& split, Part part);

/// Whether time does not jump between two frames of a recording: info.breaks has none in (first, last].
bool continuous(const SourceInfo& info, std::int64_t recording, std::int64_t first, std::int64_t last);

/// All windows of one part. Input and target frames lie inside the part and inside one recording; the extra history
/// that a baseline looks back at lies inside the recording, and may lie before the part: the past is never a leak.
/// Only the test part is closed to it, so that training and selection read nothing of that. No window, history
/// included, reaches across a time jump. Starts are at begin, begin + stride, ... of the part; more history drops
/// windows and moves none. Throws Error(data) when the part holds no window, with the numbers that do not fit;
/// Error(usage) on a bad split.
std::vector<Window> cut_windows(const SourceInfo& info, const WindowOptions& window, const SplitOptions& split,
                                Part part);

}  // namespace nowcell
