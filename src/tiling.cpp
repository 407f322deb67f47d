#include "src/tiling.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace nowcell {
namespace {

std::int64_t divided_up(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

std::int64_t rounded_up(std::int64_t value, std::int64_t multiple) { return divided_up(value, multiple) * multiple; }

Extent widened(const Extent& span, const Reach& by, std::int64_t size) {
    return {std::max<std::int64_t>(0, span.first - by.before), std::min(size, span.end + by.after)};
}

struct AxisTile {
    Extent kept;
    Extent computed;
};

std::vector<AxisTile> tiles_along(std::int64_t size, std::int64_t tile, const Reach& reach, std::int64_t multiple) {
    const Reach margin = {rounded_up(reach.before, multiple), rounded_up(reach.after, multiple)};
    const std::int64_t most = tile > 0 ? rounded_up(tile, multiple) : size;
    const std::int64_t each = rounded_up(divided_up(size, divided_up(size, most)), multiple);
    std::vector<AxisTile> tiles;
    for (std::int64_t first = 0; first < size; first += each) {
        const Extent kept = {first, std::min(size, first + each)};
        Extent computed = widened(kept, margin, size);
        // As large as those inside: what is prepared for a size then serves nearly all.
        if (first == 0) computed.end = std::min(size, each + margin.before + margin.after);
        tiles.push_back({kept, computed});
    }
    return tiles;
}

}  // namespace

Region Region::within(const Region& outer) const {
    return {{rows.first - outer.rows.first, rows.end - outer.rows.first},
            {columns.first - outer.columns.first, columns.end - outer.columns.first}};
}

torch::Tensor cropped(const torch::Tensor& frames, const Region& region) {
    return frames.narrow(-2, region.rows.first, region.rows.count())
        .narrow(-1, region.columns.first, region.columns.count());
}

Reach larger(const Reach& one, const Reach& other) {
    return {std::max(one.before, other.before), std::max(one.after, other.after)};
}

ConvolutionAxis::ConvolutionAxis(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                                 Padding padding)
    : size_(size),
      stride_(stride),
      span_((kernel - 1) * dilation + 1),
      padding_(padding),
      outputs_(Convolution{{stride}, {dilation}, padding}.output_size({size}, {kernel})[0]) {}

Reach ConvolutionAxis::reach() const {
    if (padding_ == Padding::valid) return {};
    const std::int64_t pad = std::max<std::int64_t>(0, span_ - rest());
    const std::int64_t front = pad / 2;
    return {divided_up(front, stride_), divided_up(pad - front, stride_)};
}

Extent ConvolutionAxis::input(const Extent& outputs) const {
    const std::int64_t first = outputs.first * stride_;
    // "same" puts as much before a part as before the frame if both leave the same rest when divided by the stride.
    const std::int64_t last = padding_ == Padding::valid ? span_ : rest();
    return {first, (outputs.end - 1) * stride_ + last};
}

Region FrameAxes::computed(const Region& kept) const {
    return {widened(kept.rows, rows.reach(), rows.outputs()),
            widened(kept.columns, columns.reach(), columns.outputs())};
}

std::vector<Tile> tiles_of(const FrameSize& frame, const FrameSize& tile, const TileRule& rule) {
    std::vector<Tile> tiles;
    const std::vector<AxisTile> across = tiles_along(frame.width, tile.width, rule.columns, rule.multiple);
    for (const AxisTile& row : tiles_along(frame.height, tile.height, rule.rows, rule.multiple)) {
        for (const AxisTile& column : across) {
            tiles.push_back({{row.kept, column.kept}, {row.computed, column.computed}});
        }
    }
    return tiles;
}

}  // namespace nowcell
