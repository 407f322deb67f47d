// One walk through all frames of a source, in bounded memory.
#pragma once

#include "data/frame_source.h"

#include <functional>
#include <string>

namespace nowcell {

/// Neighbouring frames of one recording.
struct FrameBlock {
    FrameRange range;
    torch::Tensor frames;  ///< (count,C,H,W)
};

using UseBlock = std::function<void(const FrameBlock&)>;

/// Calls `use` with every frame of the ranges, in order, in blocks of about 16 MiB of float32. Blocks hold a multiple
/// of `multiple` frames, except at the end of a range. `doing` begins the progress line: "reading" gives "reading
/// radar.h5: 1200 of 5000 frames".
/// Throws Error(interrupted) or Error(terminated) after the block in which a signal came.
void for_each_block(const FrameSource& source, const std::vector<FrameRange>& ranges, std::int64_t multiple,
                    const std::string& doing, const UseBlock& use);

/// The same with every frame of the source.
void for_each_block(const FrameSource& source, const std::string& doing, const UseBlock& use);

/// The recordings of a source, cut where time jumps.
std::vector<FrameRange> unbroken(const SourceInfo& info);

}  // namespace nowcell
