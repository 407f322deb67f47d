// A ConvLSTM over a sequence with backpropagation through time written by hand, in ATen operators.
#pragma once

#include "cells/algorithm.h"
#include "cells/memory.h"
#include "cells/reference.h"

#include <vector>

namespace nowcell {

/// All tensors and rules of one call; what a backend of `nowcell::conv_lstm_forward` is given.
struct ConvLstmArguments {
    torch::Tensor x;  ///< (B,T,C,size...)
    State state = {};
    ConvLstmWeights weights = {};
    SequenceNoise noise = {};
    CellRules rules = {};
    Algorithm algorithm = Algorithm::automatic;

    /// In the order x, h, c, input, hidden, bias, peephole, the four of the norm, the four of the noise.
    std::vector<torch::Tensor> tensors() const;
    /// The inverse.
    static ConvLstmArguments from(const std::vector<torch::Tensor>& tensors, const CellRules& rules,
                                  Algorithm algorithm = Algorithm::automatic);

    /// Throws c10::ValueError or c10::TypeError that names the tensor, its shape and what was expected.
    void check() const;

    std::int64_t filters() const { return weights.hidden.size(1); }
    std::vector<std::int64_t> frame_size() const;  ///< of the hidden state: size'...
};

/// Places in ConvLstmArguments::tensors() of those that can have a gradient: all but the noise.
enum ConvLstmIndex : std::size_t {
    kX,
    kH,
    kC,
    kInput,
    kHidden,
    kBias,
    kPeephole,
    kInputScale,
    kInputShift,
    kHiddenScale,
    kHiddenShift,
    kConvLstmGradients,
};

/// Results of the forward pass.
struct ConvLstmResult {
    torch::Tensor h;      ///< (B,T,F,size'...), the output
    State last = {};      ///< (B,F,size'...) each
    torch::Tensor c;      ///< (B,T,F,size'...), empty with Saved::none
    torch::Tensor gates;  ///< (B,T,4F,size'...) behind their activations, empty unless Saved::gates
};

/// Memory for the results, not filled; on any device, also "meta". Of frames with two axes c and gates have channels
/// last, and h if x has. c is float32 where x is float16 or bfloat16.
ConvLstmResult conv_lstm_allocate(const ConvLstmArguments& arguments, Saved saved);

/// Memory for the gradient of x, not filled, in the layout of x.
torch::Tensor empty_gradient(const torch::Tensor& x);

/// Not differentiable by itself. With a norm the gates are never saved: their pre-activations would be needed as well.
ConvLstmResult conv_lstm_forward(const ConvLstmArguments& arguments, Saved saved);

/// Gradients of x, h, c, ... in the order of ConvLstmArguments::tensors(), undefined where not wanted.
/// result: of the forward pass with Saved::states or Saved::gates. outputs, last: gradients of result.h and
/// result.last, undefined for zeros. wanted: kConvLstmGradients entries.
std::vector<torch::Tensor> conv_lstm_backward(const ConvLstmArguments& arguments, const ConvLstmResult& result,
                                              const torch::Tensor& outputs, const State& last,
                                              const std::vector<bool>& wanted);

}  // namespace nowcell
