// The shape of a network, read from the configuration and checked. Free of LibTorch, so that mistakes show at once.
#pragma once

#include "src/layer_options.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// The whole network but for the data's channels.
struct ModelOptions {
    std::string strategy = "encoder-forecaster";  ///< "next-frame" | "encoder-forecaster"
    std::string residual_on = "none";             ///< a baseline's name or "none"
    std::vector<std::string> decoder_inputs;      ///< further baselines whose frames the decoder sees
    bool cuda_graph = false;                      ///< cells.cuda_graph, of the whole process
    bool relative = false;                        ///< frames are seen relative to the last input frame
    std::string head = "conv2d";                  ///< "conv2d" | "conv3d", causal in time
    std::int64_t head_kernel = 3;                 ///< side, and steps of conv3d
    std::string output_activation = "linear";     ///< "linear" | "sigmoid"
    std::int64_t patch = 1;                       ///< space-to-depth factor
    std::vector<LayerOptions> layers;

    bool corrects() const { return residual_on != "none"; }

    /// The first option that ties the network to a frame size, as a user would find it; empty: none does.
    std::string tie() const;

    /// The baselines whose frame of each lead time the decoder sees, the corrected one first.
    std::vector<std::string> guides() const;

    /// Throws Error(usage) with the position of the key that does not fit.
    static ModelOptions from(const Config& config);
};

}  // namespace nowcell
