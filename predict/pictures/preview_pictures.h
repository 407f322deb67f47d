// Frames as they are, without a forecast: a sheet of frames, an animation.
#pragma once

#include "predict/pictures/pictures.h"

#include <torch/types.h>

#include <string>
#include <vector>

namespace nowcell {

/// Neighbouring frames to look at.
struct FrameSequence {
    torch::Tensor frames;             ///< (T,C,H,W) float32, physical units, C 1 or 3 (RGB); NaN is missing
    std::vector<std::string> labels;  ///< T texts, one above each frame
    std::string title;                ///< may be empty
};

/// The range of colours for frames alone; see colour_scale(const Forecast&, ...).
ColourScale frames_scale(const torch::Tensor& frames, const std::string& units);

/// A PNG: frames from left to right and on in the next row, with labels, one colour scale and its bar. Missing values
/// are grey with stripes. Written atomically. Throws Error(output).
void write_sheet(const std::string& path, const FrameSequence& sequence, const ColourScale& scale);

/// An animated GIF of the same. Throws Error(output).
void write_frames_gif(const std::string& path, const FrameSequence& sequence, const ColourScale& scale,
                      double frames_per_s = 5.0);

}  // namespace nowcell
