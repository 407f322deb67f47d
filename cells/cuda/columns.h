// Which column of the product is which channel: one rule for the weights' order and for the kernels that read the sums.
#pragma once

#include "cells/gate_math.h"

namespace nowcell::cuda {

/// Channels stand in groups of 16. In a group the sums of one thread are 4 neighbouring channels of two tiles of 8
/// columns: column 8 * half + 2 * q + e is channel 4 * q + 2 * half + e.
NOWCELL_HOST_DEVICE int channel_of(int column_of_16) {
    const int half = column_of_16 / 8, j = column_of_16 % 8;
    return 4 * (j / 2) + 2 * half + j % 2;
}

/// Forward: 64 columns are the four gates of a group.
struct GateColumn {
    int gate, channel;
};
NOWCELL_HOST_DEVICE GateColumn gate_column(int column) {
    return {column % 64 / 16, column / 64 * 16 + channel_of(column % 16)};
}
/// Backward: every column is a channel.
NOWCELL_HOST_DEVICE int state_column(int column) { return column / 16 * 16 + channel_of(column % 16); }

/// Columns of the packed weights: whole blocks of the largest tile.
constexpr int kColumnsOfBlock = 128;
NOWCELL_ON_DEVICE_TOO constexpr int padded_columns(int columns) {
    return (columns + kColumnsOfBlock - 1) / kColumnsOfBlock * kColumnsOfBlock;
}
NOWCELL_ON_DEVICE_TOO constexpr int used_forward_columns(int filters) { return (filters + 15) / 16 * 64; }
NOWCELL_ON_DEVICE_TOO constexpr int forward_columns(int filters) {
    return padded_columns(used_forward_columns(filters));
}
NOWCELL_ON_DEVICE_TOO constexpr int backward_columns(int filters) { return padded_columns(filters); }

}  // namespace nowcell::cuda
