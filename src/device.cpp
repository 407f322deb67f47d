#include "src/device.h"

#include "cells/cuda_library.h"
#include "cells/trial/setting.h"
#include "src/error.h"
#include "src/log.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sched.h>
#include <torch/version.h>

#include <mutex>

namespace nowcell {
namespace {

void tell_missing_kernels() {
    static std::once_flag told;
    std::call_once(told, [] {
        const std::string reason = missing_cuda_kernels();
        if (!reason.empty()) log_info("LibTorch's operators compute on the GPU: " + reason);
    });
}

}  // namespace

torch::Device choose_device(const std::string& name) {
    try {
        const torch::Device device = device_from(name);
        if (!device.is_cpu()) tell_missing_kernels();
        return device;
    } catch (const NoDevice& error) {
        const std::string what = error.what();
        const char* hint = what.starts_with("no GPU number")                    ? "nowcell doctor lists the devices"
                           : what.find("libtorch_cuda.so") != std::string::npos ? "scripts/setup.sh --cuda adds it, or "
                                                                                  "use --device cpu"
                                                                                : "--device cpu; nowcell doctor says "
                                                                                  "more";
        throw Error(ExitCode::device, what, "", hint);
    }
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
