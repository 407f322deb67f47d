// What every recurrent cell shares: options, sequences, states, masks.
#pragma once

#include "cells/memory.h"
#include "cells/reference.h"
#include "cells/sequence_order.h"

#include <torch/nn/module.h>

namespace nowcell {

/// The options that all cells have. Lists with one entry per axis of the frame may give a single entry for all axes.
struct RecurrentOptions {
    std::int64_t input_channels = 1;           ///< C > 0
    std::int64_t filters = 16;                 ///< F > 0
    std::int64_t rank = 2;                     ///< axes of a frame: 1, 2 or 3
    std::vector<std::int64_t> kernel = {3};    ///< > 0, even or odd
    std::vector<std::int64_t> stride = {1};    ///< of the input convolution; the recurrent one moves by 1
    std::vector<std::int64_t> dilation = {1};  ///< of the input convolution; not together with stride > 1
    Padding padding = Padding::same;           ///< of the input convolution; the recurrent one keeps the size
    Activation activation = Activation::tanh;  ///< of the candidate, and of the cell state on its way out
    Activation recurrent_activation = Activation::sigmoid;  ///< of the gates
    bool bias = true;
    double dropout = 0.0;               ///< of the input, in [0,1): a mask per gate, drawn once per sequence
    double recurrent_dropout = 0.0;     ///< of the hidden state, likewise
    double zoneout = 0.0;               ///< chance that a hidden unit keeps its old value, drawn per step. Krueger 2017
    bool return_sequences = true;       ///< false: only the last output, (B,F,size...)
    bool go_backwards = false;          ///< last frame first; outputs in the order of processing, as Keras
    bool stateful = false;              ///< forward(x) goes on from where the last call ended
    bool zero_output_for_mask = false;  ///< output of a masked step: zeros instead of the output before it
    Memory memory = Memory::store;
};

/// (B,T) bool from lengths (B), integer, in [0,T]: true for the first `length` steps.
/// Throws c10::ValueError on other values.
torch::Tensor mask_of_lengths(const torch::Tensor& lengths, std::int64_t steps);

/// One recurrent layer over a sequence.
class RecurrentLayer : public torch::nn::Module {
 public:
    /// x: (B,T,C,size...), T >= 1. `state`: the state before the first frame (undefined tensors: zeros), replaced by
    /// the last one. mask: (B,T) bool or undefined; where it is false the frame is not looked at (it may hold NaN),
    /// states stay, and the output is the one before (zeros before the first true step), or zeros with
    /// zero_output_for_mask. Returns (B,T,F,size'...), or (B,F,size'...) without return_sequences.
    /// Throws c10::ValueError on shapes and devices that do not fit, c10::TypeError on dtypes that do not.
    /// Source: Keras ConvLSTM2D.
    torch::Tensor forward(const torch::Tensor& x, State& state, const torch::Tensor& mask = {});

    /// From zeros; or, when stateful, from the state that the last call left, wherever the layer has moved since.
    /// Throws c10::ValueError when a stateful layer sees another batch size than before.
    torch::Tensor forward(const torch::Tensor& x);

    /// Forgets what a stateful layer has seen.
    void reset_state() { state_ = {}; }
    const State& state() const { return state_; }

    const RecurrentOptions& recurrent_options() const { return common_; }

    /// Size of the hidden state for a frame of that size.
    std::vector<std::int64_t> output_size(at::IntArrayRef size) const;

 protected:
    /// Throws c10::ValueError on options that make no layer. gates: gate blocks per weight.
    RecurrentLayer(const char* name, const RecurrentOptions& options, std::int64_t gates);

    /// The cell's operator: outputs of all steps, in the order of processing.
    virtual torch::Tensor sequence(const torch::Tensor& x, State& state, const SequenceNoise& noise,
                                   const SequenceOrder& order) = 0;
    /// Chance that the cell state keeps its old value.
    virtual double zoneout_cell() const { return 0.0; }

    const RecurrentOptions& common() const { return common_; }
    CellRules rules() const;
    std::vector<std::int64_t> weight_shape(std::int64_t channels) const;  ///< (G F, channels, kernel...)

 private:
    at::TensorOptions numbers(const torch::Tensor& x) const;  // where x is, in the type of the weights
    SequenceNoise draw_noise(const torch::Tensor& x) const;
    State remembered(const torch::Tensor& x) const;

    RecurrentOptions common_;  // lists expanded to one entry per axis
    const char* name_;
    std::int64_t gates_;
    State state_;
};

}  // namespace nowcell
