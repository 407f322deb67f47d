#include "cells/cuda/launch.h"

#include <array>
#include <atomic>

namespace nowcell::cuda {
namespace {

cudaError_t ask(int device, DeviceLimits& limits) {
    int major = 0, minor = 0, shared = 0, shared_most = 0;
    struct Question {
        int* answer;
        cudaDeviceAttr what;
    };
    for (const Question& q :
         {Question{&limits.multiprocessors, cudaDevAttrMultiProcessorCount},
          Question{&major, cudaDevAttrComputeCapabilityMajor}, Question{&minor, cudaDevAttrComputeCapabilityMinor},
          Question{&limits.block_threads, cudaDevAttrMaxThreadsPerBlock},
          Question{&limits.grid_x, cudaDevAttrMaxGridDimX}, Question{&limits.grid_y, cudaDevAttrMaxGridDimY},
          Question{&limits.grid_z, cudaDevAttrMaxGridDimZ}, Question{&shared, cudaDevAttrMaxSharedMemoryPerBlock},
          Question{&shared_most, cudaDevAttrMaxSharedMemoryPerBlockOptin}}) {
        if (const cudaError_t error = cudaDeviceGetAttribute(q.answer, q.what, device); error != cudaSuccess)
            return error;
    }
    limits.capability = 10 * major + minor;
    limits.block_shared_bytes = static_cast<std::size_t>(shared);
    limits.block_shared_bytes_most = static_cast<std::size_t>(shared_most);
    return cudaSuccess;
}

}  // namespace

cudaError_t device_limits(DeviceLimits& limits) {
    static std::array<DeviceLimits, 64> known;
    static std::array<std::atomic<int>, 64> state;  // 0: not asked, 1: being written, 2: there
    int device = 0;
    if (const cudaError_t error = cudaGetDevice(&device); error != cudaSuccess) return error;
    const auto at = static_cast<std::size_t>(device);
    if (at < known.size() && state[at].load(std::memory_order_acquire) == 2) {
        limits = known[at];
        return cudaSuccess;
    }
    const cudaError_t error = ask(device, limits);
    int expected = 0;
    if (error == cudaSuccess && at < known.size() && state[at].compare_exchange_strong(expected, 1)) {
        known[at] = limits;
        state[at].store(2, std::memory_order_release);
    }
    return error;
}

}  // namespace nowcell::cuda
