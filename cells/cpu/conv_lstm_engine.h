// The ConvLSTM on the CPU's vector kernels: which calls they take, and the tensors of those calls.
#pragma once

#include "cells/conv_lstm_sequence.h"

#include <string>

namespace nowcell {

/// Whether Saved::checkpoints leaves out cell states, on any device: float32, float16 or bfloat16, frames with two
/// axes, a square kernel of 1, 3, 5 or 7 with padding "same", stride and dilation 1, no norm of the gates, no dropout,
/// masks but no random zoneout. In float32 these are the calls that the kernels compute.
bool keeps_checkpoints(const ConvLstmArguments& arguments);

/// "3 -> 16, 5x5, batch 2, 64x48".
std::string layer_text(const ConvLstmArguments& arguments);

/// conv_lstm_forward and conv_lstm_backward for tensors on the CPU: on the kernels where they fit and the processor has
/// them, else on LibTorch's operators. `engine_uses()` tells which.
ConvLstmResult cpu_forward(const ConvLstmArguments& arguments, Saved saved);
std::vector<torch::Tensor> cpu_backward(const ConvLstmArguments& arguments, const ConvLstmResult& result,
                                        const torch::Tensor& outputs, const State& last,
                                        const std::vector<bool>& wanted);

}  // namespace nowcell
