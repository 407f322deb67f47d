// One layer of a network: a recurrent cell with what stands around it.
#pragma once

#include "cells/recurrent_layer.h"
#include "src/frame_convolution.h"
#include "src/norm.h"

#include <memory>
#include <optional>
#include <string>

namespace nowcell {

/// A recurrent cell, the norm of its output, and the layer's input added to that.
class StackLayer {
 public:
    /// Registers with `owner`, under names that end in `index`: "layer" the cell, "norm" and "residual" where the
    /// options ask for them ("residual" a 1x1 convolution, where the channels differ). frame: what it will read, needed
    /// where options.tie() is not empty. Throws c10::ValueError on options that make no layer.
    StackLayer(torch::nn::Module& owner, std::size_t index, const LayerOptions& options, std::int64_t input_channels,
               const std::optional<FrameSize>& frame);

    /// x: (B,T,C,H,W). `state`: before the first frame (undefined tensors: zeros), replaced by the last one, which is
    /// the cell's own: neither normalised nor added to. Returns (B,T,F,H',W'); (B,1,F,H',W') without return_sequences.
    torch::Tensor forward(const torch::Tensor& x, State& state);

    /// One step, its tiles one after the other: a part of x and of the state with a margin goes through the cell, and
    /// what is no margin is kept. Not for training; the layer lives as long as the frames are read. `state` is
    /// replaced by the new one, (B,F,H',W') each.
    FrameView step(const FrameView& x, State& state, const FrameSize& tile);

 private:
    FrameAxes axes(const FrameSize& frame) const;
    TileRule tile_rule(const FrameAxes& axes) const;
    /// The margin of a state along one axis, for a recurrent kernel of that side.
    Reach margin(const ConvolutionAxis& input, std::int64_t kernel) const;
    void run_cell(const torch::Tensor& x, State& state);
    FrameView output(const FrameView& x, const torch::Tensor& hidden);

    std::shared_ptr<RecurrentLayer> cell_;
    std::shared_ptr<Norm> norm_;
    std::shared_ptr<FrameConvolution> projection_;
    bool residual_;
    bool last_only_;
    bool own_kernels_;          // not LibTorch's operators
    bool convolves_twice_;      // in a row in one step
    std::int64_t engine_tile_;  // px
};

}  // namespace nowcell
