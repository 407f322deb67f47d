// The ConvGRU as one differentiable operator: what `ConvGru` and `torch.ops.nowcell.conv_gru` call.
#pragma once

#include "cells/conv_gru_sequence.h"
#include "cells/memory.h"
#include "cells/sequence_order.h"

namespace nowcell {

Reset reset_from(const std::string& name);    ///< before, after; throws c10::ValueError
Update update_from(const std::string& name);  ///< keep, replace; throws c10::ValueError

/// x (B,T,C,size...); state.h (undefined: zeros) is replaced by the last state, state.c is left alone. Returns
/// (B,T,F,size'...). Differentiable as conv_lstm. Throws c10::ValueError or c10::TypeError on tensors that do not fit.
torch::Tensor conv_gru(const torch::Tensor& x, State& state, const ConvGruWeights& weights,
                       const ConvGruRules& rules = {}, const SequenceNoise& noise = {}, const SequenceOrder& order = {},
                       Memory memory = Memory::store);

}  // namespace nowcell
