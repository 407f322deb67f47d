// Calls as CUDA graphs, which are launched at once: see use_cuda_graphs().
#pragma once

#include "cells/conv_lstm_sequence.h"

namespace nowcell::cuda {

/// Whether graphs are asked for and no other capture is under way.
bool may_capture();

/// The kernels' passes. The first call of its kind runs as it is, the second one is captured; later ones copy their
/// inputs to where the graph reads them, replay it and copy its results. A kind: shapes, strides and types, addresses
/// of weights, options, device and stream. The newest few are kept.
ConvLstmResult forward_by_graph(const ConvLstmArguments& arguments, Saved saved);
std::vector<torch::Tensor> backward_by_graph(const ConvLstmArguments& arguments, const ConvLstmResult& result,
                                             const torch::Tensor& outputs, const State& last,
                                             const std::vector<bool>& wanted);

}  // namespace nowcell::cuda
