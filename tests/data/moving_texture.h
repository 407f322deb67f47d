// Frames whose motion is known.
#pragma once

#include <torch/types.h>

#include <vector>

namespace nowcell {

/// Smooth random texture, (H,W).
inline torch::Tensor texture(std::int64_t height, std::int64_t width) {
    const torch::Tensor y = torch::arange(height, torch::kFloat32).view({-1, 1});
    const torch::Tensor x = torch::arange(width, torch::kFloat32).view({1, -1});
    return (x * 0.31 + (y * 0.17).sin()).sin() + (y * 0.23 + (x * 0.11).cos() * 2).cos() + (x * 0.07 + y * 0.13).sin();
}

/// (1,steps,1,H,W): a texture that moves by whole pixels (right, down) each step.
inline torch::Tensor moving(std::int64_t steps, std::int64_t right, std::int64_t down, std::int64_t side = 96) {
    const torch::Tensor whole = texture(side + 80, side + 80);
    std::vector<torch::Tensor> frames;
    for (std::int64_t t = 0; t < steps; ++t) {
        frames.push_back(whole.narrow(0, 40 - t * down, side).narrow(1, 40 - t * right, side));
    }
    return torch::stack(frames).view({1, steps, 1, side, side});
}

inline torch::Tensor inside(const torch::Tensor& frames, std::int64_t margin) {
    return frames.slice(3, margin, -margin).slice(4, margin, -margin);
}

inline double error_of(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().mean().item<double>(); }

}  // namespace nowcell
