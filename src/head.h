// From hidden states to frames.
#pragma once

#include "src/layer.h"
#include "src/model_options.h"

#include <torch/nn/module.h>

namespace nowcell {

/// What a causal head remembers of the past: the last K_t - 1 hidden states in the frame's size, (B,K_t-1,F,H,W);
/// undefined means zeros.
struct HeadHistory {
    torch::Tensor hidden;
};

/// A convolution over each frame (conv2d) or over frames up to the present one (conv3d), then the output activation.
class Head : public torch::nn::Module {
 public:
    /// `zero`: weights start at zero, so that the first forecast is the baseline itself.
    Head(std::int64_t input_channels, std::int64_t output_channels, const ModelOptions& options, bool zero);

    /// hidden: (B,T,F,H',W'), resized to `frame` before the convolution where it is smaller (nearest pixel; no
    /// transposed convolution, hence no checkerboard: Odena et al. 2016). Returns (B,T,C,H,W). Output t depends on
    /// hidden states up to t alone; feeding a sequence in pieces through `history` equals feeding it whole.
    torch::Tensor forward(const torch::Tensor& hidden, const FrameSize& frame, HeadHistory& history);

 private:
    torch::Tensor convolve(const torch::Tensor& hidden, HeadHistory& history) const;

    bool causal3d_;
    bool sigmoid_;
    torch::Tensor weight_;  // (C,F,K,K) or (C,F,K_t,K,K)
    torch::Tensor bias_;    // (C)
};

}  // namespace nowcell
