// The convolution from frames to gate pre-activations, with a dropout mask per gate.
#pragma once

#include "cells/convolution.h"

namespace nowcell {

/// Frames in, one block of pre-activations per gate out: the input part W * x + b of a cell, or its recurrent part U *
/// h. With dropout each gate sees the frames through its own mask: a convolution in as many groups as there are gates.
struct GateConvolution {
    torch::Tensor weight;   ///< (G F,C,kernel...)
    torch::Tensor bias;     ///< (G F) or undefined
    torch::Tensor dropout;  ///< (B,G,C,size...) or undefined
    Convolution how;

    /// frames (B,N,C,size...). Returns (B,N,G F,size'...). Differentiable.
    torch::Tensor forward(const torch::Tensor& frames) const;

    /// gradient (B,N,G F,size'...). `wanted`: frames, weight, bias. The gradient of the frames has their shape.
    ConvolutionGradients backward(const torch::Tensor& gradient, const torch::Tensor& frames,
                                  std::array<bool, 3> wanted) const;

 private:
    torch::Tensor seen(const torch::Tensor& frames) const;  // (B N,C or G C,size...)
    std::int64_t groups() const { return dropout.defined() ? dropout.size(1) : 1; }
};

}  // namespace nowcell
