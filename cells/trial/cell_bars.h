// How fast the CPU kernels of the ConvLSTM were when they were written: what `nowcell bench cells --guard` holds them
// to.
#pragma once

#include "cells/trial/trial_cell.h"

#include <string>

namespace nowcell {

/// The share of a bar that must be reached: timings on shared machines are noisy.
constexpr double kLeastOfBar = 0.8;

/// Speed over the plain LibTorch cell with AVX-512 on one thread. peak_gflops: what one core reaches; the more it does,
/// the less is left to gain over LibTorch's convolutions. Throws std::out_of_range on a case without a bar.
double speed_bar(const std::string& cell_case, Direction direction, double peak_gflops);

}  // namespace nowcell
