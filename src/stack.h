// The recurrent layers of a network, one above the other.
#pragma once

#include "cells/recurrent_layer.h"
#include "src/layer.h"

#include <memory>
#include <optional>
#include <vector>

namespace nowcell {

/// Recurrent layers in a row; each reads the hidden states of the one below.
class Stack : public torch::nn::Module {
 public:
    /// frame: what the lowest layer will read, needed where a layer is tied to a frame size.
    Stack(std::int64_t input_channels, const std::vector<LayerOptions>& layers, std::optional<FrameSize> frame = {});

    /// x: (B,T,C,H,W). `states`: one per layer (empty: zeros), replaced by the last states.
    /// Returns the hidden states of the top layer: (B,T,F,H',W'), or (B,1,F,H',W') when it returns no sequence.
    torch::Tensor forward(torch::Tensor x, std::vector<State>& states);

    std::int64_t output_channels() const { return layers_.back()->recurrent_options().filters; }

 private:
    std::vector<std::shared_ptr<RecurrentLayer>> layers_;
    bool last_only_;
    bool own_kernels_;  // not LibTorch's operators
};

}  // namespace nowcell
