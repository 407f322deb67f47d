// A recurrent layer from its options.
#pragma once

#include "cells/recurrent_layer.h"
#include "src/frame_size.h"

#include <memory>
#include <optional>

namespace nowcell {

/// frame: what the layer will read, needed where options.tie() is not empty.
/// Throws c10::ValueError on options that make no layer.
std::shared_ptr<RecurrentLayer> make_layer(const LayerOptions& options, std::int64_t input_channels,
                                           const std::optional<FrameSize>& frame);

}  // namespace nowcell
