#include "cells/conv_lstm.h"

#include <torch/nn/init.h>

namespace nowcell {

namespace {

// Keras' orthogonal initialiser works on the (K*K*F, 4F) matrix of the channels-last kernel.
torch::Tensor orthogonal_kernel(std::int64_t filters, std::int64_t kernel) {
    const torch::Tensor matrix = torch::empty({kernel * kernel * filters, 4 * filters});
    torch::nn::init::orthogonal_(matrix);
    return matrix.view({kernel, kernel, filters, 4 * filters}).permute({3, 2, 0, 1}).contiguous();
}

}  // namespace

ConvLstm::ConvLstm(const ConvLstmOptions& options) : options_(options) {
    const std::int64_t gates = 4 * options.filters;
    const std::int64_t kernel = options.kernel;
    TORCH_CHECK_VALUE(options.input_channels > 0 && options.filters > 0 && kernel > 0,
                      "ConvLstm: input_channels, filters and kernel must be positive, got ", options.input_channels,
                      ", ", options.filters, ", ", kernel);
    weights_.input = register_parameter("input", torch::empty({gates, options.input_channels, kernel, kernel}));
    torch::nn::init::xavier_uniform_(weights_.input);
    weights_.hidden = register_parameter("hidden", orthogonal_kernel(options.filters, kernel));
    torch::Tensor bias = torch::zeros({gates});
    bias.narrow(0, options.filters, options.filters).fill_(options.forget_bias);
    weights_.bias = register_parameter("bias", bias);
}

torch::Tensor ConvLstm::forward(const torch::Tensor& x, State& state) {
    check(x, state);
    return conv_lstm_reference(x, state, weights_);
}

void ConvLstm::check(const torch::Tensor& x, const State& state) const {
    TORCH_CHECK_VALUE(x.dim() == 5, "ConvLstm: x must be (B,T,C,H,W), got ", x.dim(), " dimensions");
    TORCH_CHECK_VALUE(x.size(1) > 0, "ConvLstm: x holds no time step");
    TORCH_CHECK_VALUE(x.size(2) == options_.input_channels, "ConvLstm: x has ", x.size(2), " channels, expected ",
                      options_.input_channels);
    if (!state.defined()) return;
    const std::vector<std::int64_t> expected = {x.size(0), options_.filters, x.size(3), x.size(4)};
    TORCH_CHECK_VALUE(state.h.sizes() == expected && state.c.sizes() == expected, "ConvLstm: state h ", state.h.sizes(),
                      ", c ", state.c.sizes(), ", expected ", at::IntArrayRef(expected));
}

}  // namespace nowcell
