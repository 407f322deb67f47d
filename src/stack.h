// The recurrent layers of a network, one above the other.
#pragma once

#include "src/stack_layer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace nowcell {

/// Recurrent layers that read frames, in one order or the other.
class LayerStack : public torch::nn::Module {
 public:
    /// x: (B,T,C,H,W). `states`: one per layer, in the order of the options (empty: zeros), replaced by the last
    /// states. Returns the hidden states of the layer that the head reads: (B,T,F,H',W'), or (B,1,F,H',W') when it
    /// returns no sequence.
    virtual torch::Tensor forward(torch::Tensor x, std::vector<State>& states) = 0;

    /// F of what forward() returns.
    virtual std::int64_t output_channels() const = 0;

    /// From now on, what is no training goes in tiles of that size in x (0: the whole axis; both: not in tiles).
    void set_tile(const FrameSize& tile) { tile_ = tile; }
    const FrameSize& tile() const { return tile_; }
    /// Whether a call goes in tiles now.
    bool tiled() const;
    bool gives_last_only() const { return !layers_.back().return_sequences; }

    /// One step in tiles. x: (B,1,C,H,W). Returns what forward() does, where it is read; the stack must live until
    /// then.
    virtual FrameView step(const torch::Tensor& x, std::vector<State>& states) = 0;

 protected:
    explicit LayerStack(const std::vector<LayerOptions>& layers)
        : layers_(layers), own_kernels_(layers.front().algorithm != "reference") {}

    const std::vector<LayerOptions>& layer_options() const { return layers_; }
    /// As the cells' kernels work: the layers then hand it on as it is.
    torch::Tensor laid_out(const torch::Tensor& x) const;
    /// The tile at the scale of a layer that makes frames of one size from those of another.
    FrameSize tile_at(const FrameSize& size, const FrameSize& frame) const;

 private:
    std::vector<LayerOptions> layers_;
    FrameSize tile_;
    bool own_kernels_;  // not LibTorch's operators
};

/// Each layer reads the hidden states of the one before; where a layer has `downsample`, through a strided convolution
/// ("down" and the layer's number) to as many channels as the layer has, and a leaky ReLU.
class Stack final : public LayerStack {
 public:
    /// frame: what the first layer will read, needed where a layer is tied to a frame size.
    Stack(std::int64_t input_channels, const std::vector<LayerOptions>& layers, std::optional<FrameSize> frame = {});

    torch::Tensor forward(torch::Tensor x, std::vector<State>& states) override;
    FrameView step(const torch::Tensor& x, std::vector<State>& states) override;
    std::int64_t output_channels() const override { return layer_options().back().filters; }

 private:
    struct Part {
        std::shared_ptr<FrameConvolution> down;
        StackLayer layer;
    };

    std::vector<Part> parts_;
};

/// The layers of an encoder with several scales in reverse order, from the coarsest scale to that of the frames. Each
/// layer starts from the state of its namesake in the encoder; it reads what the coarser layer gave, resized to its
/// scale (nearest pixel) and convolved ("up" and the number of the coarser layer) with a leaky ReLU, beside the frame
/// averaged to its scale. A first layer with `downsample` is followed by a last step up to the frame.
/// Source: the order is that of Shi et al. 2017 (arXiv:1706.03458), whose forecaster sees no frames.
class UpStack final : public LayerStack {
 public:
    UpStack(std::int64_t input_channels, const std::vector<LayerOptions>& layers,
            const std::optional<FrameSize>& frame = {});

    torch::Tensor forward(torch::Tensor x, std::vector<State>& states) override;
    FrameView step(const torch::Tensor& x, std::vector<State>& states) override;
    std::int64_t output_channels() const override { return layer_options().front().filters; }

 private:
    /// Of the frames, then of what each layer reads.
    std::vector<FrameSize> sizes_for(const FrameSize& frame) const;

    struct Part {
        std::shared_ptr<FrameConvolution> up;
        StackLayer layer;
    };

    std::vector<Part> parts_;  // in the order of the options: the coarsest last
};

}  // namespace nowcell
