#include "src/layer_options.h"

namespace nowcell {
namespace {

Key layer_text(const std::string& name, std::vector<std::string> choices, const std::string& help) {
    return {.name = "model.layers[]." + name,
            .type = KeyType::text,
            .fallback = "\"" + choices.front() + "\"",
            .help = help,
            .choices = std::move(choices)};
}

Key layer_rate(const std::string& name, const std::string& help) {
    return {.name = "model.layers[]." + name,
            .type = KeyType::number,
            .fallback = "0.0",
            .help = help,
            .min = 0,
            .max = 0.99999};
}

Key layer_axes(const std::string& name, const std::string& fallback, double max, const std::string& help,
               const std::string& alias) {
    return {.name = "model.layers[]." + name,
            .type = KeyType::per_axis,
            .fallback = fallback,
            .help = help,
            .min = 1,
            .max = max,
            .aliases = {"model.layers[]." + alias}};
}

std::vector<Key> convolution_keys() {
    Key cell = layer_text("cell", {"conv_lstm", "conv_gru"},
                          "kind of recurrent layer; a conv_gru has a gate and a state less: a quarter fewer weights");
    cell.renamed = {{"convlstm", "conv_lstm"}};
    return {
        cell,
        {.name = "model.layers[].filters",
         .type = KeyType::integer,
         .fallback = "16",
         .help = "hidden channels F",
         .min = 1,
         .max = 4096,
         .aliases = {"model.layers[].hidden", "model.layers[].channels", "model.layers[].units"}},
        layer_axes("kernel", "3", 31, "kernel side K, px; even sides put the odd pixel behind, as Keras does",
                   "kernel_size"),
        layer_axes("stride", "1", 64,
                   "step of the input's convolution, px: hidden frames become that much smaller; the head resizes the "
                   "top ones (nearest pixel) before its convolution. Not together with dilation",
                   "strides"),
        layer_axes("dilation", "1", 64, "distance of the kernel's pixels in the input's convolution", "dilation_rate"),
        layer_text("padding", {"same", "valid"},
                   "of the input's convolution; valid: none, so hidden frames lose (kernel - 1) dilation px and are "
                   "resized likewise"),
        {.name = "model.layers[].return_sequences",
         .type = KeyType::boolean,
         .fallback = "true",
         .help = "hand every hidden state on; false on the last layer of a next-frame network: only the last one"},
    };
}

std::vector<Key> gate_keys() {
    const std::vector<std::string> rest = {"relu", "linear", "hard_sigmoid", "hard_sigmoid_keras2"};
    const auto names = [&rest](std::vector<std::string> first) {
        first.insert(first.end(), rest.begin(), rest.end());
        return first;
    };
    const std::string hard =
        ". hard_sigmoid is x/6 + 0.5 between 0 and 1, as in Keras 3; hard_sigmoid_keras2 is 0.2x + 0.5, as in Keras 1 "
        "and 2";
    return {
        layer_text("activation", names({"tanh", "sigmoid"}),
                   "of the candidate, and of a conv_lstm's cell state on its way out" + hard),
        layer_text("recurrent_activation", names({"sigmoid", "tanh"}), "of the gates" + hard),
        {.name = "model.layers[].bias",
         .type = KeyType::boolean,
         .fallback = "true",
         .help = "add a bias to every gate",
         .aliases = {"model.layers[].use_bias"}},
        {.name = "model.layers[].forget_bias",
         .type = KeyType::number,
         .fallback = "1.0",
         .help = "conv_lstm: initial bias of the forget gate",
         .aliases = {"model.layers[].unit_forget_bias"}},
        layer_text("peephole", {"none", "channel", "pixel"},
                   "conv_lstm: gates see the cell state, through one weight per hidden channel, or per hidden unit as "
                   "in Shi et al. 2015, which ties the network to the frame size it is trained on"),
        layer_text("gate_norm", {"none", "channels", "frame"},
                   "conv_lstm: layer norm before the gates, over the channels of a pixel, or over channels and pixels, "
                   "which ties the network to the frame size it is trained on"),
        layer_text("gate_norm_on", {"parts", "sum"},
                   "conv_lstm: gate_norm of the input part and of the recurrent part, or of their sum"),
        layer_text("reset", {"after", "before"},
                   "conv_gru: the reset gate acts after the recurrent convolution (Keras, PyTorch) or before it (Cho "
                   "et al. 2014)"),
        layer_text("update", {"keep", "replace"},
                   "conv_gru: an open update gate keeps the old state (Keras, PyTorch) or replaces it (Chung et al. "
                   "2014)"),
    };
}

std::vector<Key> surrounding_keys() {
    Key norm = layer_text(
        "norm", {"none", "batch", "batch_keras", "layer", "group"},
        "of the layer's output. batch: each channel over samples, steps and pixels, so that training (not forecasts) "
        "sees later frames through it; batch has PyTorch's constants (eps 1e-5, momentum 0.1 of the new), batch_keras "
        "those of Keras 3 (eps 1e-3, momentum 0.99 of the old). layer: the channels of each pixel. group: groups of "
        "channels of each frame");
    norm.aliases = {"model.layers[].batch_norm", "model.layers[].normalization"};
    return {
        norm,
        {.name = "model.layers[].norm_groups",
         .type = KeyType::integer,
         .fallback = "8",
         .help = "norm = \"group\": groups that the filters are divided into",
         .min = 1,
         .max = 4096},
        {.name = "model.layers[].residual",
         .type = KeyType::boolean,
         .fallback = "false",
         .help = "add the layer's input to its (normalised) output, through a 1x1 convolution where the channels "
                 "differ"},
        {.name = "model.layers[].downsample",
         .type = KeyType::integer,
         .fallback = "1",
         .help = "encoder-forecaster: read frames of that much less height and width, made by a strided convolution "
                 "before the layer; the forecaster's layers then go from the coarsest scale to the finest, with a "
                 "resize (nearest pixel) and a convolution between them",
         .min = 1,
         .max = 16},
        {.name = "model.layers[].scale_kernel",
         .type = KeyType::integer,
         .fallback = "3",
         .help = "kernel side of the convolutions that downsample stands for, px",
         .min = 1,
         .max = 31},
    };
}

std::vector<Key> training_keys() {
    return {
        layer_rate("dropout",
                   "share of the input that training drops: a mask per gate, drawn once per sequence (for a decoder "
                   "that reads its own forecasts, per lead time)"),
        layer_rate("recurrent_dropout", "share of the hidden state that training drops, likewise"),
        layer_rate("zoneout",
                   "chance that training keeps a hidden unit's old value, drawn per step; forecasts mix in that share"),
        layer_rate("zoneout_cell", "conv_lstm: the same for the cell state"),
        layer_text("memory", {"store", "recompute", "checkpoint"},
                   "what training keeps for the backward pass: gates and states, which is fastest; states alone, with "
                   "the gates computed again; or, on a CPU's own kernels, of the cell states only some, with what lies "
                   "between computed twice more"),
    };
}

}  // namespace

std::vector<Key> layer_keys() {
    std::vector<Key> keys = convolution_keys();
    for (const auto& more : {gate_keys(), surrounding_keys(), training_keys()})
        keys.insert(keys.end(), more.begin(), more.end());
    return keys;
}

}  // namespace nowcell
