// Two layers over one sequence, one from each end.
#pragma once

#include "cells/recurrent_layer.h"

#include <array>
#include <memory>

namespace nowcell {

/// How the outputs of the two directions become one.
enum class Merge { concat, sum, mean, mul };

/// Throws c10::ValueError that lists the names.
Merge merge_from(const std::string& name);

/// A layer that reads forwards and its copy that reads backwards. Sees the future of every frame: for encoders, not for
/// next-frame forecasts. Source: Keras Bidirectional.
class Bidirectional : public torch::nn::Module {
 public:
    /// `backward` must have go_backwards, `forward` must not; the shapes alike, neither stateful (states are arguments
    /// here). Throws c10::ValueError.
    Bidirectional(std::shared_ptr<RecurrentLayer> forward, std::shared_ptr<RecurrentLayer> backward,
                  Merge merge = Merge::concat);

    /// x (B,T,C,size...), mask as RecurrentLayer. `states`: forward, backward; replaced by the last ones (those of the
    /// backward layer belong to the first frame). Returns (B,T,F,size'...) in the order of time, 2F with Merge::concat;
    /// or (B,F,size'...) without return_sequences. A mask with return_sequences forces zero outputs at masked steps.
    torch::Tensor forward(const torch::Tensor& x, std::array<State, 2>& states, const torch::Tensor& mask = {});

 private:
    std::shared_ptr<RecurrentLayer> forward_;
    std::shared_ptr<RecurrentLayer> backward_;
    Merge merge_;
};

/// Two layers of one kind with the same options.
template <class Layer, class Options>
std::shared_ptr<Bidirectional> make_bidirectional(Options options, Merge merge = Merge::concat) {
    options.go_backwards = false;
    auto forward = std::make_shared<Layer>(options);
    options.go_backwards = true;
    return std::make_shared<Bidirectional>(forward, std::make_shared<Layer>(options), merge);
}

}  // namespace nowcell
