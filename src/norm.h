// Normalisation of a layer's output.
#pragma once

#include "src/frame_view.h"

#include <torch/nn/module.h>

#include <cstdint>
#include <string>

namespace nowcell {

/// Normalises hidden states (B,T,F,H,W), then scales and shifts each channel: parameters `weight` (F) ones, `bias` (F)
/// zeros.
///   batch: each channel over (B,T,H,W), as Keras does on five axes; PyTorch's constants: eps 1e-5, momentum 0.1 of the
///     new value, running variance over N-1. While training, a frame is normalised with frames after it as well;
///     forecasts use the running statistics alone.
///   batch_keras: the same with Keras 3's: eps 1e-3, momentum 0.99 of the old value, running variance over N.
///   layer: the channels of each pixel, eps 1e-5.
///   group: `groups` groups of channels of each frame, eps 1e-5.
class Norm : public torch::nn::Module {
 public:
    /// Throws c10::ValueError on an unknown kind, or groups that do not divide the channels.
    Norm(const std::string& kind, std::int64_t channels, std::int64_t groups);

    /// hidden: (B,T,F,H,W). Returns the same shape; while training, batch moves its running statistics.
    torch::Tensor forward(const torch::Tensor& hidden);

    /// The same of one step where it is read, not for training; the norm must live until then. hidden: (B,1,F,H,W).
    FrameView forward_in_parts(const torch::Tensor& hidden);

 private:
    FrameView group(const torch::Tensor& hidden) const;
    torch::Tensor batch(const torch::Tensor& frames);  // (N,F,H,W)

    std::string kind_;
    std::int64_t groups_;
    torch::Tensor weight_;
    torch::Tensor bias_;
    torch::Tensor running_mean_;  // (F), buffers; batch alone
    torch::Tensor running_var_;
};

}  // namespace nowcell
