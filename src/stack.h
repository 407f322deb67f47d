// The recurrent layers of a network, one above the other.
#pragma once

#include "cells/conv_lstm.h"
#include "src/model_options.h"

#include <memory>
#include <vector>

namespace nowcell {

/// ConvLSTM layers in a row; each reads the hidden states of the one below.
class Stack : public torch::nn::Module {
 public:
    Stack(std::int64_t input_channels, const std::vector<LayerOptions>& layers);

    /// x: (B,T,C,H,W). `states`: one per layer (empty: zeros), replaced by the last states.
    /// Returns the hidden states of the top layer: (B,T,F,H,W), or (B,1,F,H,W) when it returns no sequence.
    torch::Tensor forward(torch::Tensor x, std::vector<State>& states);

    std::int64_t output_channels() const { return layers_.back()->options().filters; }

 private:
    std::vector<std::shared_ptr<ConvLstm>> layers_;
    bool last_only_;
};

}  // namespace nowcell
