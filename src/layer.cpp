#include "src/layer.h"

#include "cells/conv_gru.h"
#include "cells/conv_gru_operator.h"
#include "cells/conv_lstm.h"

namespace nowcell {
namespace {

RecurrentOptions recurrent_options(const LayerOptions& layer, std::int64_t input_channels) {
    RecurrentOptions options;
    options.input_channels = input_channels;
    options.filters = layer.filters;
    options.kernel = layer.kernel;
    options.stride = layer.stride;
    options.dilation = layer.dilation;
    options.padding = padding_from(layer.padding);
    options.activation = activation_from(layer.activation);
    options.recurrent_activation = activation_from(layer.recurrent_activation);
    options.bias = layer.bias;
    options.dropout = layer.dropout;
    options.recurrent_dropout = layer.recurrent_dropout;
    options.zoneout = layer.zoneout;
    options.memory = memory_from(layer.memory);
    return options;
}

}  // namespace

std::shared_ptr<RecurrentLayer> make_layer(const LayerOptions& layer, std::int64_t input_channels,
                                           const std::optional<FrameSize>& frame) {
    if (layer.cell == "conv_gru") {
        ConvGruOptions options;
        static_cast<RecurrentOptions&>(options) = recurrent_options(layer, input_channels);
        options.reset = reset_from(layer.reset);
        options.update = update_from(layer.update);
        return std::make_shared<ConvGru>(options);
    }
    TORCH_CHECK_VALUE(layer.cell == "conv_lstm", "cell: got \"", layer.cell, "\", expected conv_lstm or conv_gru");
    ConvLstmOptions options;
    static_cast<RecurrentOptions&>(options) = recurrent_options(layer, input_channels);
    options.forget_bias = layer.forget_bias;
    options.peephole = peephole_from(layer.peephole);
    options.norm = gate_norm_from(layer.gate_norm);
    options.norm_on = norm_on_from(layer.gate_norm_on);
    options.zoneout_cell = layer.zoneout_cell;
    options.algorithm = algorithm_from(layer.algorithm);
    if (frame) options.frame = {frame->height, frame->width};
    return std::make_shared<ConvLstm>(options);
}

}  // namespace nowcell
