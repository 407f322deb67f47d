#include "src/tiled_state.h"

#include "src/frame_view.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace nowcell {
namespace {

bool held_by_nobody_else(const torch::Tensor& tensor) {
    return tensor.defined() && tensor.use_count() == 1 && tensor.storage().use_count() == 1 && !tensor.is_inference() &&
           !tensor.requires_grad();
}

}  // namespace

TiledState::TiledState(torch::Tensor& state, const FrameSize& size, const std::vector<Tile>& tiles, bool margins)
    : size_(size), in_place_(held_by_nobody_else(state)) {
    old_ = std::exchange(state, torch::Tensor());
    if (!in_place_) return;
    new_ = old_;
    if (!margins) return;
    for (const Tile& tile : tiles) {
        rows_ = std::max(rows_, tile.kept.rows.first - tile.computed.rows.first);
        columns_ = std::max(columns_, tile.kept.columns.first - tile.computed.columns.first);
    }
    above_ = at::empty({old_.size(0), old_.size(1), rows_, size.width}, old_.options());
    next_above_ = at::empty_like(above_);
}

torch::Tensor TiledState::read(const Tile& tile) {
    if (!old_.defined()) return old_;
    const torch::Tensor part = cropped(old_, tile.computed);
    if (rows_ + columns_ == 0) return part;
    read_ = part.clone(at::MemoryFormat::Contiguous);
    const Extent rows = tile.kept.rows;
    const std::int64_t up = rows.first - tile.computed.rows.first;
    const std::int64_t left = tile.kept.columns.first - tile.computed.columns.first;
    if (up > 0) {
        const Region known = {{rows_ - up, rows_}, tile.computed.columns};
        read_.narrow(-2, 0, up).copy_(cropped(above_, known));
    }
    if (left > 0) {
        read_.narrow(-2, up, rows.count()).narrow(-1, 0, left).copy_(before_.narrow(-1, columns_ - left, left));
    }
    return read_;
}

void TiledState::keep_aside(const Tile& tile) {
    const Region inner = tile.kept.within(tile.computed);
    const std::int64_t rows = std::min(rows_, inner.rows.end);
    next_above_.narrow(-1, tile.kept.columns.first, tile.kept.columns.count())
        .narrow(-2, rows_ - rows, rows)
        .copy_(cropped(read_, {{inner.rows.end - rows, inner.rows.end}, inner.columns}));
    const std::int64_t columns = std::min(columns_, inner.columns.end);
    before_ = at::empty({read_.size(0), read_.size(1), inner.rows.count(), columns_}, read_.options());
    before_.narrow(-1, columns_ - columns, columns)
        .copy_(cropped(read_, {inner.rows, {inner.columns.end - columns, inner.columns.end}}));
    if (tile.kept.columns.end == size_.width) std::swap(above_, next_above_);
}

void TiledState::write(const Tile& tile, const torch::Tensor& part) {
    if (!part.defined()) return;
    if (rows_ + columns_ > 0) keep_aside(tile);
    put_tile(new_, size_, tile, part);
}

}  // namespace nowcell
