// Which frames a network can read.
#pragma once

#include "src/error.h"
#include "src/model_options.h"

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace nowcell {

/// Pixels along the axes of a frame.
struct FrameSize {
    std::int64_t height = 0;
    std::int64_t width = 0;

    bool operator==(const FrameSize&) const = default;
    std::string text() const;  ///< "HEIGHTxWIDTH"
};

/// frames: (...,H,W).
FrameSize size_of(const torch::Tensor& frames);

/// Size that a layer's `downsample` makes of frames of a size.
FrameSize scaled_size(const LayerOptions& layer, const FrameSize& frame);

/// Size of a layer's hidden state for (scaled) frames of a size; 0 along an axis where the kernel does not fit.
FrameSize hidden_size(const LayerOptions& layer, const FrameSize& frame);

/// Why a network cannot read frames of a size: they are not of the size it was built for (nothing: built for any), no
/// multiple of the patch, or too small for a kernel without padding. Nothing when it can.
std::optional<Problem> misfit(const ModelOptions& options, const FrameSize& frame,
                              const std::optional<FrameSize>& built_for);

}  // namespace nowcell
