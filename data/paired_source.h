// Pairs of frames: what is seen, and what is to be forecast from it.
#pragma once

#include "data/frame_source.h"

#include <memory>

namespace nowcell {

/// Frames of `input` whose target() is `target`. Its info is that of `input`.
/// Throws Error(data) unless both have the same recordings, lengths, channels and frame size.
std::unique_ptr<FrameSource> pair_sources(std::unique_ptr<FrameSource> input, std::unique_ptr<FrameSource> target);

}  // namespace nowcell
