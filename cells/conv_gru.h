// A ConvGRU layer.
#pragma once

#include "cells/recurrent_layer.h"

namespace nowcell {

/// The shape of a layer.
struct ConvGruOptions : RecurrentOptions {
    Reset reset = Reset::after;
    Update update = Update::keep;
};

/// One ConvGRU layer over a sequence. Parameters: `input` (3F,C,kernel...), `hidden` (3F,F,kernel...), `bias` (3F),
/// gates z, r, g; with Reset::after also `hidden_bias` (3F), added to the recurrent part. Initialised as Keras does:
/// Glorot-uniform on the fused shape, orthogonal recurrent kernel, zero biases. The state has no c.
class ConvGru : public RecurrentLayer {
 public:
    /// Throws c10::ValueError on options that make no layer.
    explicit ConvGru(const ConvGruOptions& options);

    const ConvGruOptions& options() const { return options_; }
    const ConvGruWeights& weights() const { return weights_; }

 private:
    torch::Tensor sequence(const torch::Tensor& x, State& state, const SequenceNoise& noise,
                           const SequenceOrder& order) override;

    ConvGruOptions options_;
    ConvGruWeights weights_;
};

}  // namespace nowcell
