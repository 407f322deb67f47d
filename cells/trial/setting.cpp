#include "cells/trial/setting.h"

#include "cells/cpu/isa.h"
#include "cells/cuda_driver.h"
#include "cells/cuda_library.h"

#include <ATen/Context.h>

#include <charconv>

namespace nowcell {

std::vector<torch::ScalarType> types_of(const torch::Device& device) {
    if (device.is_cpu()) return {torch::kFloat};
    return {torch::kFloat, torch::kHalf, torch::kBFloat16};
}

std::vector<Algorithm> engines_of(const torch::Device& device) {
    if (device.is_cpu()) {
        if (cpu::isa() == cpu::Isa::plain) return {Algorithm::reference};
        return {Algorithm::direct, Algorithm::winograd_safe, Algorithm::winograd_fast, Algorithm::reference};
    }
    return {Algorithm::cudnn, Algorithm::cudnn_separate, Algorithm::implicit_gemm};
}

std::string name_of(torch::ScalarType type) {
    switch (type) {
        case torch::kFloat: return "float32";
        case torch::kHalf: return "float16";
        case torch::kBFloat16: return "bfloat16";
        default: return c10::toString(type);
    }
}

std::string name_of(const torch::Device& device) {
    if (device.is_cpu()) return std::string(cpu::processor_name()) + ", " + cpu::name_of(cpu::isa());
    const CudaDriver driver = ask_cuda_driver();
    const auto index = static_cast<std::size_t>(device.index());
    if (index >= driver.gpus.size()) return device.str();
    const GpuFacts& gpu = driver.gpus[index];
    return gpu.name + ", compute capability " + std::to_string(gpu.major) + "." + std::to_string(gpu.minor);
}

torch::Device device_from(const std::string& name) {
    if (name == "cpu") return torch::kCPU;
    const bool automatic = name == "auto";
    int index = 0;
    if (name.starts_with("cuda:")) {
        const char* const end = name.data() + name.size();
        const auto [rest, error] = std::from_chars(name.data() + 5, end, index);
        TORCH_CHECK_VALUE(error == std::errc() && rest == end && index >= 0 && index < 128, "device: got \"", name,
                          "\", expected auto, cpu or cuda[:N]");
    } else {
        TORCH_CHECK_VALUE(automatic || name == "cuda", "device: got \"", name, "\", expected auto, cpu or cuda[:N]");
    }
    const std::string reason = why_no_gpu();
    if (!reason.empty()) {
        if (automatic) return torch::kCPU;
        throw NoDevice("CUDA requested, but " + reason);
    }
    if (index >= gpu_count()) {
        throw NoDevice("no GPU number " + std::to_string(index) + ": this machine has " + std::to_string(gpu_count()));
    }
    return {torch::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

void wait_for(const torch::Device& device) {
    if (!device.is_cpu()) at::detail::getCUDAHooks().deviceSynchronize(device.index());
}

}  // namespace nowcell
