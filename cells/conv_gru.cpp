#include "cells/conv_gru.h"

#include "cells/conv_gru_operator.h"
#include "cells/initializers.h"

namespace nowcell {

ConvGru::ConvGru(const ConvGruOptions& options) : RecurrentLayer("ConvGru", options, 3), options_(options) {
    static_cast<RecurrentOptions&>(options_) = common();
    weights_.input = register_parameter("input", glorot_kernel(weight_shape(options.input_channels)));
    weights_.hidden = register_parameter("hidden", orthogonal_kernel(weight_shape(options.filters)));
    if (!options.bias) return;
    weights_.bias = register_parameter("bias", torch::zeros({3 * options.filters}));
    if (options.reset == Reset::after) {
        weights_.hidden_bias = register_parameter("hidden_bias", torch::zeros({3 * options.filters}));
    }
}

torch::Tensor ConvGru::sequence(const torch::Tensor& x, State& state, const SequenceNoise& noise,
                                const SequenceOrder& order) {
    ConvGruRules all;
    static_cast<CellRules&>(all) = rules();
    all.reset = options_.reset;
    all.update = options_.update;
    return conv_gru(x, state, weights_, all, noise, order, options_.memory);
}

}  // namespace nowcell
