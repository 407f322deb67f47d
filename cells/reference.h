// The definition: recurrent cells written in ATen operators, the truth that every engine is tested against.
#pragma once

#include "cells/state.h"

namespace nowcell {

/// The parameters of a ConvLSTM layer. Gates are packed i, f, g, o along the first axis.
struct ConvLstmWeights {
    torch::Tensor input;   ///< (4F,C,K,K)
    torch::Tensor hidden;  ///< (4F,F,K,K)
    torch::Tensor bias;    ///< (4F) or undefined
};

/// Pads (N,C,H,W) so that a K x K convolution keeps the size; an even kernel's extra pixel goes bottom and right.
/// Source: Keras `padding="same"`.
torch::Tensor pad_same(const torch::Tensor& x, std::int64_t kernel);

/// A convolution that keeps the frame size. x (N,C,H,W), weight (O,C,K,K), bias (O) or undefined.
torch::Tensor conv_same(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

/// One step from the input part of the gates, that is W * x + b. gates (B,4F,H,W).
///     i = s(gates_i + U_i * h)   f = s(gates_f + U_f * h)   g = tanh(gates_g + U_g * h)   o = s(gates_o + U_o * h)
///     c' = f . c + i . g         h' = o . tanh(c')
/// Source: Shi et al. 2015 without peepholes, as Keras 3 ConvLSTM2D.
State conv_lstm_step(const torch::Tensor& gates, const State& state, const torch::Tensor& hidden_weight);

/// A layer over a sequence. x (B,T,C,H,W); `state` is replaced by the last state.
/// Returns the hidden state of each step: (B,T,F,H,W).
torch::Tensor conv_lstm_reference(const torch::Tensor& x, State& state, const ConvLstmWeights& weights);

}  // namespace nowcell
