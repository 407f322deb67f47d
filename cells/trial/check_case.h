// The problems of `check`.
#pragma once

#include "cells/conv_lstm.h"

#include <string>
#include <vector>

namespace nowcell {

struct CheckCase {
    std::string name;
    std::int64_t batch = 2, steps = 3, channels = 5, filters = 7, height = 9, width = 11, kernel = 3;
    Peephole peephole = Peephole::none;
    GateNorm norm = GateNorm::none;
    NormOn norm_on = NormOn::parts;
    Activation activation = Activation::tanh, recurrent_activation = Activation::sigmoid;
    Memory memory = Memory::store;
    bool bias = true;
    bool state = false;          ///< starts from a state that is not zero
    bool channels_last = false;  ///< x in memory

    std::string text() const;  ///< "2,3,5->7,9x11,3": B,T,C->F,HxW,K
};

const std::vector<CheckCase>& check_cases();

/// What a case computes from; float64 on the CPU, rounded to `type`.
struct CheckInputs {
    torch::Tensor x;
    State state;
    ConvLstmWeights weights;
    torch::Tensor d_h;  ///< gradient of the hidden states (B,T,F,H,W)
    torch::Tensor d_c;  ///< of the last cell state (B,F,H,W)

    CheckInputs(const CheckCase& problem, torch::ScalarType type);

    /// Everything that has a gradient, as new leaves in that place and type; undefined ones stay so.
    CheckInputs leaves(const torch::Device& device, torch::ScalarType type) const;
    /// x, h, c and the weights, in the order of ConvLstmArguments::tensors().
    std::vector<torch::Tensor> tensors() const;

 private:
    CheckInputs() = default;
};

}  // namespace nowcell
