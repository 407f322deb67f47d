#include "cells/cuda_library.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <filesystem>

namespace nowcell {
namespace {

constexpr const char* kLibTorchCuda = "libtorch_cuda.so";

// Folder of the library that holds an address.
std::filesystem::path folder_of(const void* address) {
    Dl_info info{};
    if (::dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(info.dli_fname, error);
    return error ? std::filesystem::path() : real.parent_path();
}

// Empty, or the loader's message. Global: the operators that others register must find LibTorch's symbols.
std::string load(const std::filesystem::path& library) {
    return ::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr ? ::dlerror() : "";
}

struct Loaded {
    std::string libtorch, kernels;  // why they are not there
};

Loaded load_both() {
    Loaded loaded;
    std::error_code error;
    const std::filesystem::path libtorch = std::filesystem::path(libtorch_folder()) / kLibTorchCuda;
    if (!std::filesystem::exists(libtorch, error)) {
        loaded.libtorch = "this LibTorch has no CUDA library (libtorch_cuda.so)";
        loaded.kernels = loaded.libtorch;
        return loaded;
    }
    const std::filesystem::path ours = cuda_kernel_library();
    if (!std::filesystem::exists(ours, error)) {
        loaded.kernels = "built without CUDA kernels (no " + ours.string() + ")";
    } else if (const std::string reason = load(ours); !reason.empty()) {
        loaded.kernels = "the CUDA kernels do not load: " + reason;
    }
    // Also behind ours: what LibTorch already has loaded is only counted.
    if (const std::string reason = load(libtorch); !reason.empty()) {
        loaded.libtorch = "LibTorch's CUDA library does not load: " + reason;
    }
    return loaded;
}

const Loaded& loaded() {
    static const Loaded result = load_both();
    return result;
}

}  // namespace

std::string load_cuda_library() { return loaded().libtorch; }

std::string missing_cuda_kernels() { return loaded().kernels; }

std::string why_no_gpu() {
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::path(libtorch_folder()) / kLibTorchCuda, error)) {
        return load_cuda_library();
    }
    if (::dlopen("libcuda.so.1", RTLD_NOW) == nullptr) return "no NVIDIA driver found (libcuda.so.1)";
    const std::string reason = load_cuda_library();
    if (!reason.empty()) return reason;
    return at::hasCUDA() ? "" : "the NVIDIA driver reports no GPU";
}

int gpu_count() { return at::detail::getCUDAHooks().deviceCount(); }

std::string libtorch_folder() { return folder_of(reinterpret_cast<const void*>(&at::get_num_threads)).string(); }

std::string cuda_kernel_library() {
    return (folder_of(reinterpret_cast<const void*>(&load_cuda_library)) / "libnowcell_cells_cuda.so").string();
}

}  // namespace nowcell
