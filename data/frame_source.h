// Random access to recordings of frames, whatever file they come from.
#pragma once

#include "data/formats/source_info.h"
#include "data/reader/frame_fetcher.h"

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// Recordings of frames. Reading is lazy and thread-safe.
class FrameSource {
 public:
    virtual ~FrameSource() = default;

    virtual const SourceInfo& info() const = 0;

    /// Frames [first, first + count) of a recording: (count,C,H,W) float32 in physical units.
    /// A missing value follows SourceOptions::missing.
    /// Throws Error(data) on an unreadable file, or with the position of the first missing value.
    virtual torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const = 0;

    /// Ranges of one count at once: (N,count,C,H,W). Reader processes share the work; the bytes do not depend on it.
    virtual torch::Tensor read_batch(const std::vector<FrameRange>& ranges) const;

    /// What is to be forecast instead of these frames: its frame t after frame t of these. Null: their own next frames.
    virtual const FrameSource* target() const { return nullptr; }
};

/// Opens a file or folder of frames: HDF5, NetCDF-4, SEVIR, NumPy, pictures, GIF, video (data/formats). With
/// options.trust "readers" no byte of it is decoded in this process. Throws as open_frames does, and Error(data) when a
/// reader process dies, hangs or needs more than options.limits.
std::unique_ptr<FrameSource> open_source(const SourceOptions& options);

/// Where a value stands in its file: "/frames[12,3,4]". t, c, y, x count in the recording and in the cropped frame.
std::string position_text(const SourceInfo& info, std::int64_t recording, std::int64_t t, std::int64_t c,
                          std::int64_t y, std::int64_t x);

}  // namespace nowcell
