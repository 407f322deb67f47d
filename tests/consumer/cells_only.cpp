// A layer without the rest of Nowcell.
#include <ATen/ATen.h>

#include "cells/conv_lstm.h"

int main() {
    nowcell::ConvLstm layer({{.input_channels = 1, .filters = 4}});
    nowcell::State state;
    const auto hidden = layer.forward(at::rand({2, 3, 1, 8, 8}), state);
    return hidden.sizes() == std::vector<std::int64_t>({2, 3, 4, 8, 8}) ? 0 : 1;
}
