// Moving MNIST: handwritten digits that bounce in a frame, as the field makes them.
#pragma once

#include "data/formats/idx.h"

#include <torch/types.h>

#include <cstdint>

namespace nowcell {

/// What to make of the digits of an idx file.
struct MovingMnistOptions {
    std::int64_t size = 64;        ///< side of the square frame, px, at least a digit's
    std::int64_t frames = 20;      ///< of a sequence, >= 2
    std::int64_t count = 100;      ///< sequences, >= 1
    std::int64_t digits = 2;       ///< of a sequence, 1..9
    std::int64_t first_image = 0;  ///< of those that digits are drawn from
    std::int64_t last_image = -1;  ///< included; -1: the last of the file
    std::uint64_t seed = 0;
};

/// (N,T,H,W) uint8. Each digit starts anywhere in the frame and takes steps of 0.1 of the free range in a direction
/// of its own; a coordinate that reaches an edge stops there and turns around. Digits are combined by the maximum.
/// Sequence n depends on the digits and (seed, n) alone, as whole numbers: the same bytes on every machine.
/// Throws Error(usage) naming the flag; Error(data) when there are no digits.
/// Source: Srivastava et al., "Unsupervised learning of video representations using LSTMs", ICML 2015, in the form
/// that OpenSTL and predrnn-pytorch use for training.
torch::Tensor make_moving_mnist(const IdxImages& images, const MovingMnistOptions& options);

}  // namespace nowcell
