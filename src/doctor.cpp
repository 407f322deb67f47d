// The handler of doctor: what this installation is made of, and whether it computes right.
#include "cells/conv_lstm.h"
#include "cells/cpu/isa.h"
#include "cells/cuda_library.h"
#include "src/device.h"
#include "src/error.h"
#include "src/json.h"
#include "src/report.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/GradMode.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/version.h>

#include <cmath>
#include <fstream>
#include <thread>
#include <vector>

namespace nowcell {
namespace {

/// One line of the report.
struct Finding {
    std::string name;
    std::string state;  // "ok" | "warning" | "failed"
    std::string text;
};

torch::Tensor wave(std::vector<std::int64_t> shape, double a, double b, double scale) {
    const torch::Tensor n = at::arange(c10::multiply_integers(shape), at::kDouble);
    return (at::sin(n * a + b) * scale).view(shape).to(at::kFloat);
}

// Difference of the sum from Keras 3 on a sine-filled layer, 2 filters, 3x3, two sequences of three 5x4 frames.
double probe(const torch::Device& device) {
    constexpr double kKerasSum = -0.892863973;
    const c10::NoGradGuard no_grad;
    ConvLstm layer({{.input_channels = 3, .filters = 2}, 0.0});
    layer.weights().input.copy_(wave({3, 3, 3, 8}, 0.53, 0.2, 0.4).permute({3, 2, 0, 1}));
    layer.weights().hidden.copy_(wave({3, 3, 2, 8}, 0.29, 0.3, 0.4).permute({3, 2, 0, 1}));
    layer.weights().bias.copy_(wave({8}, 0.7, 0.0, 0.2));
    layer.to(device);
    const torch::Tensor x = wave({2, 3, 5, 4, 3}, 0.37, 0.1, 1.0).permute({0, 1, 4, 2, 3}).contiguous();
    State state;
    return std::abs(layer.forward(x.to(device), state).sum().item<double>() - kKerasSum);
}

Finding probe_finding(const torch::Device& device) {
    const double error = probe(device);
    const bool ok = error < 1e-4;
    return {"self-test on " + device.str(), ok ? "ok" : "failed",
            fmt::format("ConvLSTM differs from Keras by {:.1e} (allowed 1e-4)", error)};
}

double available_gib() {
    std::ifstream in("/proc/meminfo");
    for (std::string line; std::getline(in, line);) {
        if (line.rfind("MemAvailable", 0) == 0) return std::stod(line.substr(13)) / (1024.0 * 1024.0);
    }
    return 0.0;
}

// Versions of the libraries that libnowcell has pulled in, asked through their own C functions.
std::string hdf5_version() {
    using Function = int (*)(unsigned*, unsigned*, unsigned*);
    const auto ask = reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, "H5get_libversion"));
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    if (ask == nullptr || ask(&major, &minor, &release) < 0) return "not loaded";
    return fmt::format("{}.{}.{}", major, minor, release);
}

Finding cuda_finding() {
    try {
        const torch::Device device = choose_device("cuda");
        return {"CUDA", "ok", fmt::format("{} usable", device.str())};
    } catch (const Error& error) {
        return {"CUDA", "warning", fmt::format("{}; the CPU is used", error.problems().front().what)};
    }
}

std::vector<Finding> examine(const Request& request) {
    const int threads = choose_threads(request);
    std::vector<Finding> findings;
    findings.push_back({"CPU", "ok",
                        fmt::format("{}, {} threads used, LibTorch on {}, own kernels on {}", cpu::processor_name(),
                                    threads, at::get_cpu_capability(), cpu::name_of(cpu::isa()))});
    findings.push_back({"memory", "ok", fmt::format("{:.1f} GiB available", available_gib())});
    findings.push_back({"LibTorch", "ok", fmt::format("{} in {}", TORCH_VERSION, libtorch_folder())});
    findings.push_back({"HDF5", "ok", hdf5_version()});
    findings.push_back(cuda_finding());
    findings.push_back(probe_finding(torch::kCPU));
    const torch::Device device = choose_device(request.text("--device", "auto"));
    if (!device.is_cpu()) findings.push_back(probe_finding(device));
    return findings;
}

int doctor(const Request& request) {
    const std::vector<Finding> findings = examine(request);
    std::string text;
    bool failed = false;
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Finding& finding : findings) {
        text += fmt::format("{:<8}{:<22}{}\n", finding.state, finding.name, finding.text);
        rows.push_back({{"name", finding.name}, {"state", finding.state}, {"text", finding.text}});
        failed = failed || finding.state == "failed";
    }
    const nlohmann::ordered_json report = {{"schema", "nowcell.doctor/1"}, {"ok", !failed}, {"findings", rows}};
    deliver(request, text, json_text(report));
    return static_cast<int>(failed ? ExitCode::device : ExitCode::ok);
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_doctor(const nowcell::Request& request) { return nowcell::doctor(request); }
