#include "cells/conv_lstm.h"

#include "cells/choice.h"
#include "cells/conv_lstm_operator.h"
#include "cells/initializers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace nowcell {

Peephole peephole_from(const std::string& name) {
    return choice<Peephole>("peephole", name, {"none", "channel", "pixel"});
}

GateNorm gate_norm_from(const std::string& name) {
    return choice<GateNorm>("norm", name, {"none", "channels", "frame"});
}

NormOn norm_on_from(const std::string& name) { return choice<NormOn>("norm_on", name, {"parts", "sum"}); }

ConvLstm::ConvLstm(const ConvLstmOptions& options) : RecurrentLayer("ConvLstm", options, 4), options_(options) {
    static_cast<RecurrentOptions&>(options_) = common();
    TORCH_CHECK_VALUE(options.zoneout_cell >= 0.0 && options.zoneout_cell < 1.0, "ConvLstm: zoneout_cell is ",
                      options.zoneout_cell, ", expected at least 0, below 1");
    TORCH_CHECK_VALUE(std::isfinite(options.forget_bias), "ConvLstm: forget_bias is ", options.forget_bias,
                      ", expected a finite number");
    weights_.input = register_parameter("input", glorot_kernel(weight_shape(options.input_channels)));
    weights_.hidden = register_parameter("hidden", orthogonal_kernel(weight_shape(options.filters)));
    if (options.bias) {
        torch::Tensor bias = torch::zeros({4 * options.filters});
        bias.narrow(0, options.filters, options.filters).fill_(options.forget_bias);
        weights_.bias = register_parameter("bias", bias);
    }
    if (options.peephole != Peephole::none) add_peephole();
    if (options.norm != GateNorm::none) add_norm();
}

std::vector<std::int64_t> ConvLstm::state_size(const char* option) const {
    TORCH_CHECK_VALUE(static_cast<std::int64_t>(options_.frame.size()) == options_.rank, "ConvLstm: ", option,
                      " ties the layer to a frame size: frame is ", at::IntArrayRef(options_.frame), ", expected ",
                      options_.rank, " sizes");
    const std::vector<std::int64_t> size = output_size(options_.frame);
    const auto positive = [](const auto& sizes) {
        return std::all_of(sizes.begin(), sizes.end(), [](auto n) { return n > 0; });
    };
    TORCH_CHECK_VALUE(positive(options_.frame) && positive(size), "ConvLstm: ", option, " ties the layer to frame ",
                      at::IntArrayRef(options_.frame), ", which gives states of ", at::IntArrayRef(size),
                      ", expected positive sizes");
    return size;
}

void ConvLstm::add_peephole() {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(options_.rank), 1);
    if (options_.peephole == Peephole::pixel) shape = state_size("peephole pixel");
    shape.insert(shape.begin(), {3, options_.filters});
    weights_.peephole = register_parameter("peephole", torch::zeros(shape));
}

void ConvLstm::add_norm() {
    std::vector<std::int64_t> shape;
    if (options_.norm == GateNorm::frame) shape = state_size("norm frame");
    shape.insert(shape.begin(), 4 * options_.filters);
    weights_.norm_input_scale = register_parameter("norm_input_scale", torch::ones(shape));
    weights_.norm_input_shift = register_parameter("norm_input_shift", torch::zeros(shape));
    if (options_.norm_on == NormOn::sum) return;
    weights_.norm_hidden_scale = register_parameter("norm_hidden_scale", torch::ones(shape));
    weights_.norm_hidden_shift = register_parameter("norm_hidden_shift", torch::zeros(shape));
}

torch::Tensor ConvLstm::sequence(const torch::Tensor& x, State& state, const SequenceNoise& noise,
                                 const SequenceOrder& order) {
    return conv_lstm(x, state, weights_, rules(), noise, order, options_.memory, options_.algorithm);
}

}  // namespace nowcell
