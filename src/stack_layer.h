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

 private:
    std::shared_ptr<RecurrentLayer> cell_;
    std::shared_ptr<Norm> norm_;
    std::shared_ptr<FrameConvolution> projection_;
    bool residual_;
    bool last_only_;
};

}  // namespace nowcell
