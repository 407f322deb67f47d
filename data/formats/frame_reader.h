// Frames out of files, whatever their format. Free of LibTorch, so that a small process can do it.
#pragma once

#include "data/formats/source_info.h"

#include <cstdint>
#include <memory>

namespace nowcell {

/// One opened file or folder. Not thread-safe; reading is lazy.
class FrameReader {
 public:
    virtual ~FrameReader() = default;

    virtual const SourceInfo& info() const = 0;

    /// Decodes frames [first, first + count) of a recording into `out`, (count,C,H,W) float32 in physical units, where
    /// a missing or non-finite value becomes NaN. The range is valid. Returns how many values are missing.
    /// Throws Error(data) on an unreadable file.
    virtual std::int64_t read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) = 0;
};

/// Opens a file or a folder; what it is, its content decides. options.rows and options.columns are obeyed.
/// Throws Error(data): no such file, no known format (says what it looks like and how to convert it), no such
/// dataset (lists what is there), unfit rank, unavailable filter; Error(usage) on options that are none.
std::unique_ptr<FrameReader> open_frames(const SourceOptions& options);

}  // namespace nowcell
