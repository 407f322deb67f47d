// nowcell::conv_lstm_forward and _backward on a GPU.
#pragma once

#include "cells/conv_lstm_sequence.h"

namespace nowcell {

/// conv_lstm_forward and conv_lstm_backward for tensors on a GPU: on the kernels where they fit, else on LibTorch's
/// operators. `engine_uses()` tells which.
ConvLstmResult cuda_forward(const ConvLstmArguments& arguments, Saved saved);
std::vector<torch::Tensor> cuda_backward(const ConvLstmArguments& arguments, const ConvLstmResult& result,
                                         const torch::Tensor& outputs, const State& last,
                                         const std::vector<bool>& wanted);

namespace cuda {

/// On the kernels, whose limits the call keeps (no obstacle()).
ConvLstmResult forward_on_kernels(const ConvLstmArguments& arguments, Saved saved);
std::vector<torch::Tensor> backward_on_kernels(const ConvLstmArguments& arguments, const ConvLstmResult& result,
                                               const torch::Tensor& outputs, const State& last,
                                               const std::vector<bool>& wanted);

}  // namespace cuda
}  // namespace nowcell
