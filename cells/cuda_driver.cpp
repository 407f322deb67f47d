#include "cells/cuda_driver.h"

#include <dlfcn.h>

namespace nowcell {
namespace {

constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76;  // CUdevice_attribute

template <class Function>
Function* find(void* library, const char* name) {
    return reinterpret_cast<Function*>(library == nullptr ? nullptr : ::dlsym(library, name));
}

// Never closed: a driver that has been started does not survive it.
void* driver() { return ::dlopen("libcuda.so.1", RTLD_NOW); }

GpuFacts facts_of(void* library, int index) {
    GpuFacts facts;
    const auto device = find<int(int*, int)>(library, "cuDeviceGet");
    const auto name = find<int(char*, int, int)>(library, "cuDeviceGetName");
    const auto attribute = find<int(int*, int, int)>(library, "cuDeviceGetAttribute");
    const auto memory = find<int(std::size_t*, int)>(library, "cuDeviceTotalMem_v2");
    int handle = 0;
    if (device == nullptr || device(&handle, index) != 0) return facts;
    char text[256] = {};
    if (name != nullptr && name(text, sizeof text, handle) == 0) facts.name = text;
    if (attribute != nullptr) {
        attribute(&facts.major, kCapabilityMajor, handle);
        attribute(&facts.minor, kCapabilityMinor, handle);
    }
    if (memory != nullptr) memory(&facts.total_bytes, handle);
    return facts;
}

}  // namespace

CudaDriver ask_cuda_driver() {
    CudaDriver result;
    void* library = driver();
    if (library == nullptr) {
        result.reason = "no NVIDIA driver found (libcuda.so.1)";
        return result;
    }
    result.loadable = true;
    if (const auto version = find<int(int*)>(library, "cuDriverGetVersion")) version(&result.newest_cuda);
    const auto start = find<int(unsigned)>(library, "cuInit");
    const auto count = find<int(int*)>(library, "cuDeviceGetCount");
    const int error = start == nullptr ? -1 : start(0);
    int gpus = 0;
    if (error != 0 || count == nullptr || count(&gpus) != 0 || gpus == 0) {
        result.reason = "the NVIDIA driver reports no GPU (cuInit: " + std::to_string(error) + ")";
        return result;
    }
    for (int index = 0; index < gpus; ++index) result.gpus.push_back(facts_of(library, index));
    return result;
}

std::size_t free_gpu_bytes(int index) {
    void* library = driver();
    const auto device = find<int(int*, int)>(library, "cuDeviceGet");
    const auto retain = find<int(void**, int)>(library, "cuDevicePrimaryCtxRetain");
    const auto release = find<int(int)>(library, "cuDevicePrimaryCtxRelease_v2");
    const auto push = find<int(void*)>(library, "cuCtxPushCurrent_v2");
    const auto pop = find<int(void**)>(library, "cuCtxPopCurrent_v2");
    const auto memory = find<int(std::size_t*, std::size_t*)>(library, "cuMemGetInfo_v2");
    int handle = 0;
    void* context = nullptr;
    if (device == nullptr || retain == nullptr || release == nullptr || push == nullptr || pop == nullptr ||
        memory == nullptr || device(&handle, index) != 0 || retain(&context, handle) != 0) {
        return 0;
    }
    std::size_t free = 0, total = 0;
    if (push(context) == 0) {
        if (memory(&free, &total) != 0) free = 0;
        pop(&context);
    }
    release(handle);
    return free;
}

}  // namespace nowcell
