// Ways to compute a ConvLSTM, by the names of the configuration key cells.algorithm.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nowcell {

/// Errors: largest difference of a hidden state from float64, and relative error of gradients (`nowcell bench cells`).
/// One that the device does not have acts as `automatic`.
enum class Algorithm {
    automatic,       ///< "auto". CPU: the fastest of its own, by a short timing. GPU: cudnn
    direct,          ///< CPU: direct convolution; float32 as exact as it gets, same bits each time
    winograd_safe,   ///< CPU: tiles of 6 x 6, kernels of 3 and 5
    winograd_fast,   ///< CPU: tiles of 8 x 8, kernels of 3, 5 and 7: fewest multiplications, errors about five times as
                     ///< large
    reference,       ///< LibTorch's operators: any option, type and device
    cudnn,           ///< GPU: cuDNN adds the recurrent convolution to the input's, then one kernel for the gates
    cudnn_separate,  ///< GPU: the recurrent convolution apart, by LibTorch; the gate kernel adds
    implicit_gemm,   ///< GPU: recurrent convolution and gates in one kernel, on tensor cores
};

const std::vector<std::string>& algorithm_names();
/// Throws c10::ValueError that lists the names.
Algorithm algorithm_from(std::string_view name);
const std::string& name_of(Algorithm algorithm);

/// Whether kernels for that device bear the name; automatic and reference are for all.
bool is_for_cpu(Algorithm algorithm);
bool is_for_cuda(Algorithm algorithm);

}  // namespace nowcell
