// The memory of a recurrent layer.
#pragma once

#include <torch/types.h>

namespace nowcell {

/// What a layer carries from one time step to the next; undefined tensors mean zeros.
struct State {
    torch::Tensor h;  ///< (B,F,size'...) hidden state
    torch::Tensor c;  ///< (B,F,size'...) cell state
};

}  // namespace nowcell
