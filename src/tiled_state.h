// A layer's state, replaced tile by tile.
#pragma once

#include "src/tiling.h"

namespace nowcell {

/// The old state and the new one in one place, where nobody else holds the old one: pixels that later tiles still see
/// are kept aside when they are replaced. Otherwise the new one gets memory of its own.
class TiledState {
 public:
    /// Takes `state` (B,F,H,W) over; undefined: there is none yet. tiles: in whose order it is read and written; their
    /// margins are seen with `margins`, else what is given for them has no meaning.
    TiledState(torch::Tensor& state, const FrameSize& size, const std::vector<Tile>& tiles, bool margins);

    /// The old state of a computed region, or undefined; to be used before write().
    torch::Tensor read(const Tile& tile);
    /// part: the new state of the computed region, undefined when the cell has none.
    void write(const Tile& tile, const torch::Tensor& part);
    /// The new state, once all tiles are written.
    const torch::Tensor& written() const { return new_; }

 private:
    void keep_aside(const Tile& tile);

    FrameSize size_;
    torch::Tensor old_;
    torch::Tensor new_;
    bool in_place_;
    std::int64_t rows_ = 0;     // above a tile that it sees, at most
    std::int64_t columns_ = 0;  // before it, likewise
    torch::Tensor read_;        // what read() gave, where pixels are kept aside
    torch::Tensor above_;       // (B,F,rows,W): old rows above the tiles at hand
    torch::Tensor next_above_;  // the same for the next row of tiles
    torch::Tensor before_;      // (B,F,h,columns): old columns before the tile at hand
};

}  // namespace nowcell
