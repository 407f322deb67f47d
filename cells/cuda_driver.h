// What the NVIDIA driver says of itself and its GPUs; asked through libcuda, without LibTorch or the CUDA Toolkit.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace nowcell {

struct GpuFacts {
    std::string name;
    int major = 0, minor = 0;  ///< compute capability
    std::size_t total_bytes = 0;
};

struct CudaDriver {
    std::string reason;          ///< why there are no GPUs; empty: there are
    bool loadable = false;       ///< libcuda.so.1
    int newest_cuda = 0;         ///< the newest CUDA that the driver runs, 1000 major + 10 minor; 0: it does not say
    std::vector<GpuFacts> gpus;  ///< those that CUDA_VISIBLE_DEVICES leaves, in CUDA's order
};

/// Asks anew in each call; makes no context.
CudaDriver ask_cuda_driver();

/// Free bytes of a GPU that this process already computes on; 0: not known.
std::size_t free_gpu_bytes(int index);

}  // namespace nowcell
