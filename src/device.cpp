#include "src/device.h"

#include "src/error.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <sched.h>
#include <torch/version.h>

#include <filesystem>

namespace nowcell {
namespace {

// Empty when CUDA can be used, else the reason why not. The library is loaded before LibTorch is asked for the first
// time: it remembers the answer.
std::string load_cuda() {
    const std::filesystem::path library = std::filesystem::path(libtorch_folder()) / "libtorch_cuda.so";
    if (!std::filesystem::exists(library)) return "this LibTorch has no CUDA library (libtorch_cuda.so)";
    if (::dlopen("libcuda.so.1", RTLD_NOW) == nullptr) return "no NVIDIA driver found (libcuda.so.1)";
    if (::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
        return fmt::format("LibTorch's CUDA library does not load: {}", ::dlerror());
    }
    return at::hasCUDA() ? "" : "the NVIDIA driver reports no GPU";
}

}  // namespace

std::string libtorch_folder() {
    Dl_info info{};
    const auto* inside = reinterpret_cast<const void*>(&at::get_num_threads);
    if (::dladdr(inside, &info) == 0 || info.dli_fname == nullptr) return "";
    std::error_code error;
    const auto real = std::filesystem::canonical(info.dli_fname, error);
    return error ? "" : real.parent_path().string();
}

torch::Device choose_device(const std::string& name) {
    if (name == "cpu") return torch::kCPU;
    const bool automatic = name == "auto";
    const bool numbered = name.size() > 5;  // "cuda:N": main has checked the word
    const std::string reason = load_cuda();
    if (reason.empty()) {
        const int count = static_cast<int>(at::detail::getCUDAHooks().deviceCount());
        const int index = numbered ? std::stoi(name.substr(5)) : 0;
        if (index < count) return {torch::kCUDA, static_cast<c10::DeviceIndex>(index)};
        if (!automatic) {
            throw Error(ExitCode::device, fmt::format("no GPU number {}: this machine has {}", index, count), "",
                        "nowcell doctor lists the devices");
        }
    }
    if (automatic) return torch::kCPU;
    throw Error(ExitCode::device, "CUDA requested, but " + reason, "",
                reason.find("libtorch_cuda.so") != std::string::npos
                    ? "scripts/setup.sh --cuda adds it, or use --device cpu"
                    : "--device cpu; nowcell doctor says more");
}

int usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int choose_threads(const Request& request) {
    const int threads = static_cast<int>(request.integer("--threads", usable_cores()));
    at::set_num_threads(threads);
    return threads;
}

void make_deterministic(std::uint64_t seed) {
    at::manual_seed(seed);
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setBenchmarkCuDNN(false);
}

std::string describe(const torch::Device& device) {
    return fmt::format("{}, {} thread{}, LibTorch {}", device.str(), at::get_num_threads(),
                       at::get_num_threads() == 1 ? "" : "s", TORCH_VERSION);
}

}  // namespace nowcell
