#include "src/frame_view.h"

#include "cells/frame_layout.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace nowcell {
namespace {

// Along one axis: which pixel each of the `to` resized ones is; from the operator itself, so that both always agree.
torch::Tensor sources(std::int64_t from, std::int64_t to) {
    const torch::Tensor index = at::arange(from, at::kFloat).view({1, 1, from, 1});
    return at::upsample_nearest2d(index, {to, 1}).view({to}).to(at::kLong);
}

}  // namespace

FrameView::FrameView(const torch::Tensor& frames)
    : size_(size_of(frames)),
      frames_(frames),
      read_([frames](const Region& region) { return cropped(frames, region); }) {}

torch::Tensor FrameView::whole(const FrameSize& tile) const {
    if (frames_.defined()) return frames_;
    torch::Tensor all;
    for (const Tile& each : tiles_of(size_, tile)) put_tile(all, size_, each, read(each.kept));
    return all;
}

FrameView joined(const FrameView& one, const FrameView& other) {
    return {one.size(), [one, other](const Region& region) {
                return at::cat({one.read(region), other.read(region)}, 2);
            }};
}

FrameView mapped(const FrameView& frames, std::function<torch::Tensor(const torch::Tensor&)> function) {
    return {frames.size(),
            [frames, function = std::move(function)](const Region& region) { return function(frames.read(region)); }};
}

FrameView resized(const FrameView& frames, const FrameSize& size) {
    if (frames.size() == size) return frames;
    const torch::Tensor rows = sources(frames.size().height, size.height);
    const torch::Tensor columns = sources(frames.size().width, size.width);
    return {size, [frames, rows, columns](const Region& region) {
                const auto part = [](const torch::Tensor& index, const Extent& span) {
                    return index.slice(0, span.first, span.end);
                };
                const auto seen = [](const torch::Tensor& index) {
                    return Extent{index[0].item<std::int64_t>(), index[-1].item<std::int64_t>() + 1};
                };
                const torch::Tensor y = part(rows, region.rows);
                const torch::Tensor x = part(columns, region.columns);
                const Region source = {seen(y), seen(x)};
                const torch::Tensor read = frames.read(source);
                return read.index_select(-2, (y - source.rows.first).to(read.device()))
                    .index_select(-1, (x - source.columns.first).to(read.device()));
            }};
}

void put_tile(torch::Tensor& whole, const FrameSize& size, const Tile& tile, const torch::Tensor& part) {
    if (!whole.defined()) {
        std::vector<std::int64_t> shape = part.sizes().vec();
        shape[shape.size() - 2] = size.height;
        shape[shape.size() - 1] = size.width;
        whole = empty_frames(shape, part.options(), false);
    }
    cropped(whole, tile.kept).copy_(cropped(part, tile.kept.within(tile.computed)));
}

}  // namespace nowcell
