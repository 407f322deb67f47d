// Maps physical values to what a network likes, and back.
#pragma once

#include "data/frame_source.h"
#include "data/windows.h"

#include <string>

namespace nowcell {

/// An invertible map of values, fitted on the training part only and stored in the checkpoint.
struct Normalizer {
    std::string kind = "minmax";  ///< "minmax" | "zscore" | "log1p" | "none"
    double min = 0.0;             ///< of the training part, physical units
    double max = 1.0;
    double mean = 0.0;
    double deviation = 1.0;  ///< standard deviation, > 0

    /// Fits on the frames of the training part. A constant field gets a range of 1.
    static Normalizer fit(const std::string& kind, const FrameSource& source, const SplitOptions& split);

    torch::Tensor apply(const torch::Tensor& physical) const;     ///< any shape; physical to model units
    torch::Tensor invert(const torch::Tensor& normalized) const;  ///< the inverse of apply
    double scale() const;  ///< physical units of one model unit; NaN where that depends on the value (log1p)
    torch::Tensor unit_range(
        const torch::Tensor& physical) const;  ///< to 0..1 by min and max whatever the kind, not clipped
};

/// Mean of each pixel over the training part: (C,H,W) float32, physical units.
torch::Tensor training_mean(const FrameSource& source, const SplitOptions& split);

}  // namespace nowcell
