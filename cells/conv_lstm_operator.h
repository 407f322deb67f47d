// The ConvLSTM as one differentiable operator: what `ConvLstm` and `torch.ops.nowcell.conv_lstm` call.
#pragma once

#include "cells/conv_lstm_sequence.h"
#include "cells/memory.h"
#include "cells/sequence_order.h"

namespace nowcell {

/// x (B,T,C,size...); `state` (undefined: zeros) is replaced by the last state. Returns (B,T,F,size'...).
/// All tensors but the noise have gradients. Backpropagation through time is written by hand; a backward pass that is
/// itself differentiated (create_graph) goes through the reference. Throws c10::ValueError or c10::TypeError on tensors
/// that do not fit. algorithm: where the device's kernels cannot compute the call, LibTorch's operators do.
torch::Tensor conv_lstm(const torch::Tensor& x, State& state, const ConvLstmWeights& weights,
                        const CellRules& rules = {}, const SequenceNoise& noise = {}, const SequenceOrder& order = {},
                        Memory memory = Memory::store, Algorithm algorithm = Algorithm::automatic);

}  // namespace nowcell
