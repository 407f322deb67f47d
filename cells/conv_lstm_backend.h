// The operators below autograd, of a backend's two functions: what TORCH_LIBRARY_IMPL(nowcell, ...) registers.
#pragma once

#include "cells/conv_lstm_sequence.h"
#include "cells/optional_tensors.h"
#include "cells/rules.h"

#include <string_view>
#include <tuple>
#include <vector>

namespace nowcell::backend {

using ResultTuple = std::tuple<torch::Tensor, torch::Tensor, torch::Tensor, torch::Tensor, torch::Tensor>;

inline ResultTuple to_tuple(const ConvLstmResult& r) { return {r.h, r.last.h, r.last.c, r.c, r.gates}; }

using Forward = ConvLstmResult (*)(const ConvLstmArguments&, Saved);
using Backward = std::vector<torch::Tensor> (*)(const ConvLstmArguments&, const ConvLstmResult&, const torch::Tensor&,
                                                const State&, const std::vector<bool>&);

/// nowcell::conv_lstm_forward.
template <Forward kForward>
ResultTuple forward_operator(const OptionalTensors& tensors, at::IntArrayRef stride, at::IntArrayRef dilation,
                             std::string_view padding, std::string_view activation,
                             std::string_view recurrent_activation, std::string_view saved,
                             std::string_view algorithm) {
    const CellRules rules = rules_from(stride, dilation, padding, activation, recurrent_activation);
    const ConvLstmArguments arguments = ConvLstmArguments::from(plain(tensors), rules, algorithm_from(algorithm));
    arguments.check();
    return to_tuple(kForward(arguments, saved_from(saved)));
}

/// nowcell::conv_lstm_backward. The gradients are in the order of `tensors`; those not wanted are empty.
template <Backward kBackward>
std::vector<torch::Tensor> backward_operator(const OptionalTensors& tensors, at::TensorList results,
                                             const OptionalTensors& gradients, at::IntArrayRef stride,
                                             at::IntArrayRef dilation, std::string_view padding,
                                             std::string_view activation, std::string_view recurrent_activation,
                                             std::string_view algorithm, const c10::List<bool>& wanted) {
    const CellRules rules = rules_from(stride, dilation, padding, activation, recurrent_activation);
    const ConvLstmArguments arguments = ConvLstmArguments::from(plain(tensors), rules, algorithm_from(algorithm));
    TORCH_CHECK_VALUE(results.size() == 5 && gradients.size() == 3 && wanted.size() == kConvLstmGradients,
                      "ConvLstm: backward got ", results.size(), " results, ", gradients.size(), " gradients and ",
                      wanted.size(), " wanted, expected 5, 3 and ", kConvLstmGradients);
    const std::vector<torch::Tensor> d = plain(gradients);
    return or_empty(kBackward(arguments, {results[0], {results[1], results[2]}, results[3], results[4]}, d[0],
                              {d[1], d[2]}, wanted.vec()),
                    arguments.x);
}

}  // namespace nowcell::backend
