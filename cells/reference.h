// The definition: recurrent cells written in ATen operators, any rank, device and floating type, differentiable as
// often as one likes. The truth that the operators and every engine are tested against.
#pragma once

#include "cells/activation.h"
#include "cells/gate_convolution.h"
#include "cells/noise.h"
#include "cells/state.h"

namespace nowcell {

/// The parameters of a ConvLSTM layer. Gates are packed i, f, g, o along the first axis.
struct ConvLstmWeights {
    torch::Tensor input;                   ///< (4F,C,kernel...)
    torch::Tensor hidden;                  ///< (4F,F,kernel...)
    torch::Tensor bias;                    ///< (4F) or undefined
    torch::Tensor peephole = {};           ///< (3,F,size'...) or (3,F,1...), order i, f, o; or undefined
    torch::Tensor norm_input_scale = {};   ///< (4F) or (4F,size'...) or undefined: no norm
    torch::Tensor norm_input_shift = {};   ///< like the scale
    torch::Tensor norm_hidden_scale = {};  ///< likewise; undefined with norm_input_scale defined: the sum is normalised
    torch::Tensor norm_hidden_shift = {};
};

/// What the equations take besides tensors.
struct CellRules {
    Convolution convolution = {};  ///< of the input
    Activation activation = Activation::tanh;
    Activation recurrent_activation = Activation::sigmoid;
};

/// One step of a ConvLSTM.
struct ConvLstmStep {
    torch::Tensor i, f, g, o;  ///< (B,F,size'...) behind their activations; f undefined without an old cell state
    torch::Tensor c, h;        ///< (B,F,size'...)
};

/// From the input part W * x + b of a step, (B,4F,size'...), and the old state (undefined: zeros):
///     i = s(W_i * x + U_i * h + P_i . c)   f = s(W_f * x + U_f * h + P_f . c)   g = a(W_g * x + U_g * h)
///     c' = f . c + i . g                   o = s(W_o * x + U_o * h + P_o . c')  h' = o . a(c')
/// hidden_dropout (B,4,F,size'...) or undefined. With a norm, the parts (or their sum) are normalised before the
/// peepholes. Source: Shi et al. 2015, equation 3; without peepholes Keras ConvLSTM2D; norm of the parts OpenSTL.
ConvLstmStep conv_lstm_step(const torch::Tensor& input_part, const State& old, const ConvLstmWeights& weights,
                            const CellRules& rules, const torch::Tensor& hidden_dropout = {});

/// A layer over a sequence. x (B,T,C,size...); `state` is replaced by the last state.
/// Returns the hidden state of each step: (B,T,F,size'...).
torch::Tensor conv_lstm_reference(const torch::Tensor& x, State& state, const ConvLstmWeights& weights,
                                  const CellRules& rules = {}, const SequenceNoise& noise = {});

/// Where the reset gate of a GRU acts.
enum class Reset {
    before,  ///< on the hidden state that the recurrent convolution reads: Cho et al. 2014, Ballas et al. 2016
    after,   ///< on the result of the recurrent convolution: Keras reset_after, PyTorch, cuDNN
};

/// What the update gate z of a GRU lets through.
enum class Update {
    keep,     ///< h' = z . h + (1 - z) . g: Keras, PyTorch, Cho et al. 2014
    replace,  ///< h' = (1 - z) . h + z . g: Chung et al. 2014, Ballas et al. 2016
};

/// The parameters of a ConvGRU layer. Gates are packed z, r, g along the first axis.
struct ConvGruWeights {
    torch::Tensor input;        ///< (3F,C,kernel...)
    torch::Tensor hidden;       ///< (3F,F,kernel...)
    torch::Tensor bias;         ///< (3F) or undefined
    torch::Tensor hidden_bias;  ///< (3F) or undefined; only with Reset::after
};

struct ConvGruRules : CellRules {
    Reset reset = Reset::after;
    Update update = Update::keep;
};

/// The recurrent convolution of a GRU: of all gates, or of z and r apart from g.
struct ConvGruHidden {
    GateConvolution all, update_reset, candidate;

    /// dropout: (B,3,F,size'...) or undefined.
    ConvGruHidden(const ConvGruWeights& weights, const torch::Tensor& dropout);
};

/// One step of a ConvGRU; (B,F,size'...) each.
struct ConvGruStep {
    torch::Tensor z, r, g;  ///< behind their activations
    torch::Tensor u;        ///< U_g * h, which r multiplies; undefined with Reset::before
    torch::Tensor h;
};

/// From the input part W * x + b of a step, (B,3F,size'...), and the old h, as conv_gru_reference.
ConvGruStep conv_gru_step(const torch::Tensor& input_part, const torch::Tensor& h, const ConvGruHidden& hidden,
                          const ConvGruRules& rules);

/// A layer over a sequence, as conv_lstm_reference; the state has no c, the noise no keep_c.
///     z = s(W_z * x + U_z * h)   r = s(W_r * x + U_r * h)
///     g = a(W_g * x + r . (U_g * h)) with Reset::after, a(W_g * x + U_g * (r . h)) with Reset::before; biases apart.
/// The dropout of h acts before the reset gate. Source: Ballas et al. 2016; Keras GRU with convolutions.
torch::Tensor conv_gru_reference(const torch::Tensor& x, State& state, const ConvGruWeights& weights,
                                 const ConvGruRules& rules = {}, const SequenceNoise& noise = {});

}  // namespace nowcell
