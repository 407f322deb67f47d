// A ConvGRU over a sequence with backpropagation through time written by hand, in ATen operators.
#pragma once

#include "cells/conv_lstm_sequence.h"

namespace nowcell {

/// All tensors and rules of one call; what a backend of `nowcell::conv_gru_forward` is given.
struct ConvGruArguments {
    torch::Tensor x;       ///< (B,T,C,size...)
    torch::Tensor h = {};  ///< (B,F,size'...) or undefined: zeros
    ConvGruWeights weights = {};
    SequenceNoise noise = {};
    ConvGruRules rules = {};

    /// In the order x, h, input, hidden, bias, hidden_bias, input_dropout, hidden_dropout, keep_h.
    std::vector<torch::Tensor> tensors() const;
    /// The inverse.
    static ConvGruArguments from(const std::vector<torch::Tensor>& tensors, const ConvGruRules& rules);

    /// Throws c10::ValueError or c10::TypeError that names the tensor, its shape and what was expected.
    void check() const;

    std::int64_t filters() const { return weights.hidden.size(1); }
    std::vector<std::int64_t> frame_size() const;  ///< of the hidden state: size'...
};

/// How many of those tensors can have a gradient: all but the noise.
constexpr std::size_t kConvGruGradients = 6;

/// Results of the forward pass.
struct ConvGruResult {
    torch::Tensor h;      ///< (B,T,F,size'...), the output
    torch::Tensor last;   ///< (B,F,size'...)
    torch::Tensor gates;  ///< (B,T,3F,size'...), z, r, g, and with Reset::after also u: 4F; empty unless Saved::gates
};

/// Memory for the results, not filled; on any device, also "meta".
ConvGruResult conv_gru_allocate(const ConvGruArguments& arguments, Saved saved);

/// Not differentiable by itself.
ConvGruResult conv_gru_forward(const ConvGruArguments& arguments, Saved saved);

/// Gradients in the order of ConvGruArguments::tensors(), undefined where not wanted. outputs, last: gradients of
/// result.h and result.last, undefined for zeros. wanted: kConvGruGradients entries.
std::vector<torch::Tensor> conv_gru_backward(const ConvGruArguments& arguments, const ConvGruResult& result,
                                             const torch::Tensor& outputs, const torch::Tensor& last,
                                             const std::vector<bool>& wanted);

}  // namespace nowcell
