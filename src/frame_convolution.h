// A convolution of each frame of a sequence, and frames of another size.
#pragma once

#include "src/frame_view.h"

#include <torch/nn/module.h>

#include <cstdint>

namespace nowcell {

/// A convolution of each frame, padded as Keras' "same". Parameters: `weight` (O,C,K,K) Glorot-uniform and, where asked
/// for, `bias` (O) zeros.
class FrameConvolution : public torch::nn::Module {
 public:
    FrameConvolution(std::int64_t input_channels, std::int64_t output_channels, std::int64_t kernel,
                     std::int64_t stride, bool bias);

    /// frames: (B,T,C,H,W). Returns (B,T,O,ceil(H/stride),ceil(W/stride)).
    torch::Tensor forward(const torch::Tensor& frames) const;
    /// The same where it is read; the convolution must live until then.
    FrameView forward(const FrameView& frames) const;

 private:
    std::int64_t stride_;
    torch::Tensor weight_;
    torch::Tensor bias_;
};

/// frames: (B,T,C,H,W). Each output pixel is the nearest one. Before a convolution this takes the place of a transposed
/// one, hence no checkerboard: Odena et al. 2016.
torch::Tensor resized(const torch::Tensor& frames, const FrameSize& size);

/// frames: (B,T,C,H,W), not smaller than `size`. Each output pixel is the mean of those it covers.
torch::Tensor averaged(const torch::Tensor& frames, const FrameSize& size);

}  // namespace nowcell
