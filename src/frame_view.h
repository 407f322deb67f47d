// Frames of one time step that are computed where they are read: in tiles, none is ever whole but what is remembered.
#pragma once

#include "src/tiling.h"

#include <functional>

namespace nowcell {

/// (B,1,C,H,W), read region by region.
class FrameView {
 public:
    /// Gives the pixels of a region, (B,1,C,region).
    using Read = std::function<torch::Tensor(const Region&)>;

    /// None.
    FrameView() = default;
    /// Frames that are there, (B,1,C,H,W).
    explicit FrameView(const torch::Tensor& frames);
    FrameView(const FrameSize& size, Read read) : size_(size), read_(std::move(read)) {}

    bool defined() const { return static_cast<bool>(read_); }
    const FrameSize& size() const { return size_; }
    torch::Tensor read(const Region& region) const { return read_(region); }
    /// All of them, (B,1,C,H,W): as they are where they are there, else gathered in tiles of a size.
    torch::Tensor whole(const FrameSize& tile) const;

 private:
    FrameSize size_;
    torch::Tensor frames_;
    Read read_;
};

/// The channels of one behind those of the other.
FrameView joined(const FrameView& one, const FrameView& other);

/// What a function of single pixels makes of them.
FrameView mapped(const FrameView& frames, std::function<torch::Tensor(const torch::Tensor&)> function);

/// Each pixel is the nearest one, as resized().
FrameView resized(const FrameView& frames, const FrameSize& size);

/// Into `whole` (...,H,W), made by the first call: the kept pixels of a computed tile, `part` (...,computed).
void put_tile(torch::Tensor& whole, const FrameSize& size, const Tile& tile, const torch::Tensor& part);

}  // namespace nowcell
