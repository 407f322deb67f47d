// Other views of a training sequence: mirrored, turned, cropped, backwards in time.
#pragma once

#include "data/formats/source_info.h"
#include "src/config.h"

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Which views training may draw; each one that is on is drawn with even odds, the crop at any position.
struct AugmentOptions {
    bool flip_horizontal = false;  ///< left becomes right
    bool flip_vertical = false;    ///< top becomes bottom
    bool rotate90 = false;         ///< by 0, 90, 180 or 270 degrees; square frames only
    bool reverse_time = false;
    std::vector<std::int64_t> crop = {};  ///< [height, width] of what is cut out; empty: whole frames

    bool any() const { return spatial() || reverse_time; }
    /// Whether a pixel may come to stand elsewhere.
    bool spatial() const { return flip_horizontal || flip_vertical || rotate90 || !crop.empty(); }
    std::int64_t height(std::int64_t frame) const { return crop.empty() ? frame : crop[0]; }
    std::int64_t width(std::int64_t frame) const { return crop.empty() ? frame : crop[1]; }

    static AugmentOptions from(const Config& config);

    /// Throws Error(usage) on a crop larger than the frames, or on rotations of what is not square.
    void check(const SourceInfo& info) const;
};

/// One view. The crop comes first, then the turn, the flips and the reversal.
struct View {
    std::int64_t top = 0, left = 0;  ///< of the crop, px
    std::int64_t quarter_turns = 0;  ///< anticlockwise, 0..3
    bool mirrored = false;           ///< left and right
    bool upside_down = false;        ///< top and bottom
    bool backwards = false;          ///< in time
};

/// The view of the sample at `position` of an epoch: a pure function of its arguments. height, width: of a frame.
View draw_view(const AugmentOptions& options, std::int64_t height, std::int64_t width, std::uint64_t seed,
               std::int64_t epoch, std::int64_t position);

/// sequence: (T,C,H,W), past and target in one. Returns (T,C,H',W'), H' and W' of the crop; may share memory.
torch::Tensor look(const torch::Tensor& sequence, const View& view, const AugmentOptions& options);

}  // namespace nowcell
