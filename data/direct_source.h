// Frames read in this process.
#pragma once

#include "data/frame_source.h"

#include <memory>

namespace nowcell {

/// A source that calls open_frames itself, one read at a time. Throws as open_source does.
std::unique_ptr<FrameSource> open_direct(const SourceOptions& options);

}  // namespace nowcell
