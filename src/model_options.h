// The shape of a network, read from the configuration and checked. Free of LibTorch, so that mistakes show at once.
#pragma once

#include "src/layer_options.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// The whole network but for the data's channels.
struct ModelOptions {
    std::string strategy = "encoder-forecaster";  ///< "next-frame" | "direct" | "encoder-forecaster"
    std::string residual_on = "none";             ///< a baseline's name or "none"
    std::vector<std::string> decoder_inputs;      ///< further baselines whose frames the decoder sees
    bool cuda_graph = false;                      ///< cells.cuda_graph, of the whole process
    bool relative = false;                        ///< frames are seen relative to the last input frame
    std::string head = "conv2d";                  ///< "conv2d" | "conv3d"
    std::int64_t head_kernel = 3;                 ///< side, and steps of conv3d
    bool head_bias = true;
    std::string time_padding = "causal";       ///< conv3d: "causal" | "same"
    std::string output_activation = "linear";  ///< "linear" | "sigmoid" | "tanh" | "relu" | "softplus"
    std::int64_t patch = 1;                    ///< space-to-depth factor
    std::int64_t input_steps = 10;             ///< direct: most frames that a block after the first is made from
    std::int64_t output_steps = 1;             ///< direct: lead times of a block, all made from one state
    std::vector<LayerOptions> layers;

    bool corrects() const { return residual_on != "none"; }

    /// Whether layers work at several scales.
    bool scaled() const;

    /// Whether teaching shows the network frames after the one that it forecasts.
    bool leaks() const { return time_padding == "same" && strategy == "next-frame"; }

    /// Whether a lead time depends on later ones: a forecast is then made whole, not piece by piece.
    bool looks_ahead() const { return time_padding == "same" && strategy == "encoder-forecaster" && !guides().empty(); }

    /// The first option that ties the network to a frame size, as a user would find it; empty: none does.
    std::string tie() const;

    /// The baselines whose frame of each lead time the decoder sees, the corrected one first.
    std::vector<std::string> guides() const;

    /// Throws Error(usage) with the position of the key that does not fit.
    static ModelOptions from(const Config& config);
};

/// Refuses an output activation that cannot give the frames of the data; lowest, highest: their range in model units,
/// of the training part. Throws Error(usage).
void check_output_range(const ModelOptions& options, double lowest, double highest, const std::string& where = "");

/// The same before the data are known, by what data.normalize makes of any.
void check_output_range(const ModelOptions& options, const Config& config);

}  // namespace nowcell
