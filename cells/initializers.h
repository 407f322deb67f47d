// Keras' initial weights.
#pragma once

#include <torch/types.h>

namespace nowcell {

/// Glorot-uniform on the fused shape (G F,C,kernel...): fan in k C, fan out k G F, k pixels in the kernel.
torch::Tensor glorot_kernel(at::IntArrayRef shape);

/// Orthogonal as the matrix (k F,G F) of the channels-last kernel: columns orthonormal, rows where there are fewer.
torch::Tensor orthogonal_kernel(at::IntArrayRef shape);

}  // namespace nowcell
