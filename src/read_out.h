// Frames through the layers and the head of a network; in tiles and frame by frame where the layers are set to that, so
// that hidden states of a sequence are never there at once.
#pragma once

#include "src/head.h"
#include "src/stack.h"

namespace nowcell {

/// What the head makes of each frame. x: (B,T,C,H,W), read after what `states` and `history` hold. Returns
/// (B,T,C',H,W); (B,1,C',H,W) where the last layer returns no sequence.
torch::Tensor read_out(LayerStack& stack, Head& head, const torch::Tensor& x, std::vector<State>& states,
                       HeadHistory& history);

/// The last frame of read_out(), (B,1,C',H,W).
torch::Tensor read_out_last(LayerStack& stack, Head& head, const torch::Tensor& x, std::vector<State>& states,
                            HeadHistory& history);

/// What the head makes of the last hidden state alone, (B,1,C',H,W).
torch::Tensor read_out_state(LayerStack& stack, Head& head, const torch::Tensor& x, std::vector<State>& states);

/// For the states alone.
void read_in(LayerStack& stack, const torch::Tensor& x, std::vector<State>& states);

}  // namespace nowcell
