// The order in which a sequence is read, and the steps that are skipped: the same for every cell.
#pragma once

#include "cells/noise.h"
#include "cells/state.h"

#include <functional>

namespace nowcell {

/// How a cell goes through a sequence.
struct SequenceOrder {
    torch::Tensor mask = {};            ///< (B,T) bool or undefined; false: the step is skipped, states stay
    bool go_backwards = false;          ///< last frame first; outputs in the order of processing
    bool zero_output_for_mask = false;  ///< output of a skipped step: zeros, not the output before it
};

/// What a cell reads besides its weights.
struct SequenceInputs {
    torch::Tensor x;  ///< (B,T,C,size...)
    State state;
    SequenceNoise noise;
};

/// What a cell that reads x computes with: the weight, or under autocast on x's device its copy in autocast's type,
/// made once for a forward pass; gradients arrive in the weight's own type. float64 stays, as does an undefined weight.
/// Source: PyTorch's recurrent layers under autocast.
torch::Tensor autocast_weight(const torch::Tensor& x, const torch::Tensor& weight);

/// Reads the inputs in that order. Under autocast all of them are cast to `type`, that of the weights, and the cell
/// computes in it. `cell` is called once with the frames in the order of processing (skipped ones zeroed: they may hold
/// NaN) and noise that keeps the states of skipped steps; it returns (B,T,F,size'...). The output of a skipped step is
/// that of the step before, zeros where there is none. Throws c10::ValueError or c10::TypeError on an x or a mask that
/// does not fit; state and weights are the cell's to check. Source: Keras RNN.
torch::Tensor in_order(const char* name, const SequenceInputs& given, at::ScalarType type, const SequenceOrder& order,
                       const std::function<torch::Tensor(const SequenceInputs&)>& cell);

}  // namespace nowcell
