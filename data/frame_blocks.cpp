#include "data/frame_blocks.h"

#include "src/error.h"
#include "src/log.h"
#include "src/stop_signal.h"

#include <fmt/format.h>

#include <algorithm>

namespace nowcell {
namespace {

constexpr std::int64_t kBlockValues = 4 << 20;

std::int64_t block_frames(const SourceInfo& info, std::int64_t multiple) {
    const std::int64_t frame = std::max<std::int64_t>(1, info.channels * info.height * info.width);
    return std::max(multiple, kBlockValues / frame / multiple * multiple);
}

// Throws when a signal has come: what is being written is then cleaned up on the way out.
void leave_if_asked(const StopSignal& stop) {
    if (stop.received() == 0) return;
    throw Error(exit_code_of(stop.received()), "stopped by a signal");
}

// A signal from a terminal ends the reader processes too: then it is the reason.
torch::Tensor read_unless_asked(const FrameSource& source, const FrameRange& range, const StopSignal& stop) {
    try {
        return source.read(range.recording, range.first, range.count);
    } catch (const Error&) {
        leave_if_asked(stop);
        throw;
    }
}

}  // namespace

void for_each_block(const FrameSource& source, const std::vector<FrameRange>& ranges, std::int64_t multiple,
                    const std::string& doing, const UseBlock& use) {
    const std::int64_t step = block_frames(source.info(), multiple);
    std::int64_t all = 0;
    for (const FrameRange& range : ranges) all += range.count;
    std::int64_t done = 0;
    const StopSignal stop;
    ProgressLine progress;
    for (const FrameRange& range : ranges) {
        for (std::int64_t at = 0; at < range.count; at += step) {
            const FrameRange part{range.recording, range.first + at, std::min(step, range.count - at)};
            use({part, read_unless_asked(source, part, stop)});
            leave_if_asked(stop);
            done += part.count;
            progress.update(fmt::format("{} {}: {} of {} frames", doing, source.info().path, done, all));
        }
    }
}

void for_each_block(const FrameSource& source, const std::string& doing, const UseBlock& use) {
    std::vector<FrameRange> ranges;
    for (const std::int64_t frames : source.info().frames) {
        ranges.push_back({static_cast<std::int64_t>(ranges.size()), 0, frames});
    }
    for_each_block(source, ranges, 1, doing, use);
}

std::vector<FrameRange> unbroken(const SourceInfo& info) {
    std::vector<FrameRange> out;
    for (std::size_t r = 0; r < info.frames.size(); ++r) {
        std::int64_t first = 0;
        std::vector<std::int64_t> ends = r < info.breaks.size() ? info.breaks[r] : std::vector<std::int64_t>{};
        ends.push_back(info.frames[r]);
        for (const std::int64_t end : ends) {
            if (end > first) out.push_back({static_cast<std::int64_t>(r), first, end - first});
            first = std::max(first, end);
        }
    }
    return out;
}

}  // namespace nowcell
