// A ConvLSTM layer.
#pragma once

#include "cells/reference.h"

#include <torch/nn/module.h>

namespace nowcell {

/// The shape of a layer.
struct ConvLstmOptions {
    std::int64_t input_channels = 1;  ///< C > 0
    std::int64_t filters = 16;        ///< F > 0
    std::int64_t kernel = 3;          ///< K > 0, even or odd
    double forget_bias = 1.0;         ///< initial bias of the forget gate
};

/// One ConvLSTM layer over a sequence. Parameters: `input` (4F,C,K,K), `hidden` (4F,F,K,K), `bias` (4F), gates i, f, g,
/// o. Initialised as Keras does: Glorot-uniform on the fused shape, orthogonal recurrent kernel, zero bias but for f.
class ConvLstm : public torch::nn::Module {
 public:
    explicit ConvLstm(const ConvLstmOptions& options);

    /// x: (B,T,C,H,W). `state`: the state before the first frame (undefined: zeros); replaced by the last one.
    /// Returns the hidden state of each step, (B,T,F,H,W).
    /// Throws c10::ValueError on shapes that do not fit.
    torch::Tensor forward(const torch::Tensor& x, State& state);

    const ConvLstmOptions& options() const { return options_; }
    const ConvLstmWeights& weights() const { return weights_; }

 private:
    void check(const torch::Tensor& x, const State& state) const;

    ConvLstmOptions options_;
    ConvLstmWeights weights_;
};

}  // namespace nowcell
