// Frames in tiles: which pixels a tile computes, and which it must see for that.
#pragma once

#include "cells/convolution.h"
#include "src/frame_size.h"

#include <cstdint>
#include <vector>

namespace nowcell {

/// The tiles that forecasts are computed in.
struct Tiling {
    std::int64_t height = 0;  ///< px of a frame; 0: all
    std::int64_t width = 0;

    bool on() const { return height > 0 || width > 0; }
};

/// Pixels [first, end) along one axis.
struct Extent {
    std::int64_t first = 0;
    std::int64_t end = 0;

    std::int64_t count() const { return end - first; }
};

/// A part of a frame.
struct Region {
    Extent rows;
    Extent columns;

    static Region whole(const FrameSize& size) { return {{0, size.height}, {0, size.width}}; }
    FrameSize size() const { return {rows.count(), columns.count()}; }
    /// The same pixels, counted from the corner of a region that holds them.
    Region within(const Region& outer) const;
};

/// frames: (...,H,W). Returns a view of the region.
torch::Tensor cropped(const torch::Tensor& frames, const Region& region);

/// Along one axis: how many outputs next to an inner border of a part come out wrong, as they see pixels beyond it.
struct Reach {
    std::int64_t before = 0;
    std::int64_t after = 0;

    Reach operator+(const Reach& other) const { return {before + other.before, after + other.after}; }
};

Reach larger(const Reach& one, const Reach& other);

/// A convolution along one axis of a frame.
class ConvolutionAxis {
 public:
    ConvolutionAxis(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                    Padding padding);

    std::int64_t outputs() const { return outputs_; }
    Reach reach() const;
    /// The pixels that give just these outputs when they are convolved alone, padded as the whole frame is; right but
    /// for those in reach() of an inner border.
    Extent input(const Extent& outputs) const;

 private:
    std::int64_t rest() const { return (size_ - 1) % stride_ + 1; }

    std::int64_t size_;
    std::int64_t stride_;
    std::int64_t span_;  // of the dilated kernel, px
    Padding padding_;
    std::int64_t outputs_;
};

/// The same along both axes.
struct FrameAxes {
    ConvolutionAxis rows;
    ConvolutionAxis columns;

    FrameSize outputs() const { return {rows.outputs(), columns.outputs()}; }
    Region input(const Region& outputs) const { return {rows.input(outputs.rows), columns.input(outputs.columns)}; }
    /// An output region with all that its margin needs.
    Region computed(const Region& kept) const;
};

/// What a tile gives, and what is computed to that end: `kept` and a margin that is dropped.
struct Tile {
    Region kept;
    Region computed;
};

/// How wide the margin must be, and what inner borders of tiles are a multiple of.
struct TileRule {
    Reach rows = {};
    Reach columns = {};
    std::int64_t multiple = 1;  ///< px; margins are rounded up to it as well
};

/// Tiles of nearly the same size, none larger than `tile` (0: the whole axis; rounded up to the multiple), that cover a
/// frame once. Those inside it are computed from parts of one size.
std::vector<Tile> tiles_of(const FrameSize& frame, const FrameSize& tile, const TileRule& rule = {});

}  // namespace nowcell
