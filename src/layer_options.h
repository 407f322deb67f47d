// The options of one recurrent layer: its keys, and what a configuration says. Free of LibTorch.
#pragma once

#include "src/config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// The keys of [[model.layers]].
std::vector<Key> layer_keys();

/// One recurrent layer of the stack. A text is one of its key's choices; `nowcell config keys model.layers` explains.
struct LayerOptions {
    std::string cell = "conv_lstm";
    std::int64_t filters = 16;
    std::vector<std::int64_t> kernel = {3};  ///< px; one entry, or height and width, as the next two
    std::vector<std::int64_t> stride = {1};
    std::vector<std::int64_t> dilation = {1};
    std::string padding = "same";
    bool return_sequences = true;
    std::string activation = "tanh";
    std::string recurrent_activation = "sigmoid";
    bool bias = true;
    double forget_bias = 1.0;            ///< conv_lstm
    std::string peephole = "none";       ///< conv_lstm
    std::string gate_norm = "none";      ///< conv_lstm
    std::string gate_norm_on = "parts";  ///< conv_lstm
    std::string reset = "after";         ///< conv_gru
    std::string update = "keep";         ///< conv_gru
    std::string norm = "none";           ///< of the layer's output
    std::int64_t norm_groups = 8;        ///< norm = "group"
    bool residual = false;               ///< add the layer's input to its output
    std::int64_t downsample = 1;         ///< what a convolution before the layer divides height and width by
    std::int64_t scale_kernel = 3;       ///< px; of the convolutions that change the scale
    double dropout = 0.0;
    double recurrent_dropout = 0.0;
    double zoneout = 0.0;
    double zoneout_cell = 0.0;  ///< conv_lstm
    std::string memory = "store";
    std::string algorithm = "auto";  ///< conv_lstm; cells.algorithm, the same for all layers

    bool operator==(const LayerOptions&) const = default;

    /// The option that ties the layer to a frame size, such as `peephole = "pixel"`; empty: none does.
    std::string tie() const;

    /// Reads model.layers[index]. Throws Error(usage) with the position of the key that does not fit.
    static LayerOptions from(const Config& config, std::size_t index);
};

/// "model.layers[INDEX].NAME".
std::string layer_key(std::size_t index, const std::string& name);

}  // namespace nowcell
