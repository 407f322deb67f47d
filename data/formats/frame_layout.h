// Which dimension of a stored array is what.
#pragma once

#include "data/formats/source_info.h"
#include "data/formats/stored.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Positions of the dimensions in the stored order; -1: the array has no such dimension.
struct FrameLayout {
    std::string name;  ///< "nthw", "thwc", ...: n recordings, t time, c channels, h rows, w columns
    int n = -1;
    int t = -1;
    int h = -1;
    int w = -1;
    int c = -1;
    std::string note;  ///< says what was guessed where the shape leaves a doubt; else empty
};

/// What find_layout looks at.
struct StoredArray {
    std::string name;                               ///< for messages: "/frames"
    std::vector<std::int64_t> shape;                ///< 2 to 5 dimensions
    StoredType type = StoredType::f32;              ///< tells the distributed Moving MNIST
    std::vector<std::string> dimension_names = {};  ///< "time", "lat", ...; empty: the format has none
};

/// The layout of that name: letters of n, t, c, h, w in the stored order, each at most once, h and w among them. With
/// "auto" the names of the dimensions decide, or else the shape: thw; thwc, nhwt or nthw; nthwc or ntchw; and tnhw
/// for Moving MNIST as it is distributed, (20,N,64,64) of uint8. Throws Error(usage) on a name that is none and
/// Error(data) on an unfit rank.
FrameLayout find_layout(const std::string& name, const StoredArray& array);

/// Fills layout, stored_shape, frames, channels, height, width and notes of `info`. Throws Error(data) on a shape
/// without frames, with too many recordings, or too large to count in 64 bits.
void describe_frames(const FrameLayout& layout, const StoredArray& array, SourceInfo& info);

/// First index and size of the block that holds frames [first, first + count) of a recording, in the stored order.
struct StoredBlock {
    std::vector<std::int64_t> start;
    std::vector<std::int64_t> size;
};
StoredBlock block_of(const FrameLayout& layout, const std::vector<std::int64_t>& shape, std::int64_t recording,
                     std::int64_t first, std::int64_t count);

/// A block at `data`, in C order of its own sizes, as frames.
StoredFrames frames_of(const FrameLayout& layout, const std::vector<std::int64_t>& block, StoredType type,
                       const void* data);

/// True when the values of a block stand in the order (T,C,H,W).
bool is_frame_order(const FrameLayout& layout);

/// "[744,33,49]"
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace nowcell
