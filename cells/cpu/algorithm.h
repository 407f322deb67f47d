// Ways to compute a ConvLSTM on a CPU, by the names of the configuration key cells.algorithm.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nowcell {

/// Errors: largest difference of a hidden state from float64, and relative error of gradients (`nowcell bench cells`).
enum class Algorithm {
    automatic,      ///< the fastest of those below, by a short timing; "auto"
    direct,         ///< direct convolution; float32 as exact as it gets, same bits each time
    winograd_safe,  ///< tiles of 6 x 6, kernels of 3 and 5
    winograd_fast,  ///< tiles of 8 x 8, kernels of 3, 5 and 7: fewest multiplications, errors about five times as large
    reference,      ///< LibTorch's operators: any option, type and device
};

const std::vector<std::string>& algorithm_names();
/// Throws c10::ValueError that lists the names.
Algorithm algorithm_from(std::string_view name);
const std::string& name_of(Algorithm algorithm);

}  // namespace nowcell
