// The libraries that computing on a GPU needs, loaded on demand: CPU programs never pay for them.
#pragma once

#include <string>

namespace nowcell {

/// Loads libnowcell_cells_cuda.so from beside this library, and with it libtorch_cuda.so from beside libtorch_cpu.so;
/// where ours is absent or does not load, the latter alone. No GPU or driver is needed. Must come before LibTorch is
/// asked about CUDA for the first time: it remembers the answer. Empty: LibTorch's CUDA library is loaded, else why
/// not. Loads once, whatever the number of calls and threads.
std::string load_cuda_library();

/// After load_cuda_library(): empty if our kernels are registered for CUDA, else why not.
std::string missing_cuda_kernels();

/// Loads the libraries if there is a driver. Empty: a GPU can be used, else why not.
std::string why_no_gpu();

/// GPUs that LibTorch sees, behind why_no_gpu().
int gpu_count();

/// Folder of the LibTorch that this process has loaded; empty if the loader does not say.
std::string libtorch_folder();

/// Path of the library that holds our CUDA kernels, there or not.
std::string cuda_kernel_library();

}  // namespace nowcell
