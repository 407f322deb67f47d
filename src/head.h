// From hidden states to frames.
#pragma once

#include "src/frame_view.h"
#include "src/model_options.h"

#include <torch/nn/module.h>

#include <vector>

namespace nowcell {

/// What a head over time remembers of the past: hidden states in the frame's size, (B,n,F,H,W), n = K_t - 1, with
/// time_padding = "same" (K_t - 1) / 2; undefined means zeros.
struct HeadHistory {
    torch::Tensor hidden;
};

/// By model.output_activation.
torch::Tensor activated(const torch::Tensor& frames, const std::string& activation);

/// A convolution over each frame (conv2d) or over time as well (conv3d), then the output activation.
class Head : public torch::nn::Module {
 public:
    /// `zero`: weights start at zero, so that the first forecast is the baseline itself.
    Head(std::int64_t input_channels, std::int64_t output_channels, const ModelOptions& options, bool zero);

    /// hidden: (B,T,F,H',W'), resized to `frame` before the convolution where it is smaller. Returns (B,T,C,H,W).
    /// Output t depends on hidden states up to t alone, and feeding a sequence in pieces through `history` equals
    /// feeding it whole. Not so with time_padding = "same": output t sees K_t / 2 later states of the call, zeros
    /// behind its last one, as Keras' Conv3D.
    torch::Tensor forward(const torch::Tensor& hidden, const FrameSize& frame, HeadHistory& history);

    /// The last output of forward(), (B,1,C,H,W), without the others.
    torch::Tensor last(const torch::Tensor& hidden, const FrameSize& frame, HeadHistory& history);

    /// Steps before and behind its own that an output sees.
    std::int64_t past() const;
    std::int64_t ahead() const;
    /// One output in tiles, (B,1,C,H,W). hidden: of the past() + 1 + ahead() steps that it sees, in the frame's size;
    /// one that is not defined is zeros, but not all are.
    torch::Tensor in_tiles(const std::vector<FrameView>& hidden, const FrameSize& tile) const;

 private:
    /// Hidden states behind those of the history, which they join.
    torch::Tensor remembered(const torch::Tensor& hidden, HeadHistory& history) const;
    torch::Tensor convolve(const torch::Tensor& hidden, HeadHistory& history) const;
    /// hidden: (B,n,F,H,W), all that is seen. Returns (B,n - (K_t - 1),C,H,W).
    torch::Tensor over_time(const torch::Tensor& hidden) const;
    torch::Tensor over_space(const torch::Tensor& hidden) const;

    bool over_time_;
    bool causal_;
    std::string activation_;
    torch::Tensor weight_;  // (C,F,K,K) or (C,F,K_t,K,K)
    torch::Tensor bias_;    // (C), or undefined
};

}  // namespace nowcell
