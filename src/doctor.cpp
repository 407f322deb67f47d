// The handler of doctor: what this installation is made of, and whether it computes right.
#include "src/doctor.h"

#include "cells/conv_lstm.h"
#include "cells/cpu/isa.h"
#include "cells/cuda_library.h"
#include "cells/trial/setting.h"
#include "cells/trial/timing.h"
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
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <cmath>
#include <fstream>

namespace nowcell {
namespace {

constexpr double kMostError = 1e-4;
constexpr double kMostTf32Error = 5e-3;
constexpr const char* kReport = "please report it with the output of nowcell doctor and nowcell check";

const char* word_for(Health health) {
    return health == Health::pass ? "PASS" : health == Health::warn ? "WARN" : "FAIL";
}

torch::Tensor wave(std::vector<std::int64_t> shape, double a, double b, double scale) {
    const torch::Tensor n = at::arange(c10::multiply_integers(shape), at::kDouble);
    return (at::sin(n * a + b) * scale).view(shape).to(at::kFloat);
}

struct Probe {
    double error = 0.0;           // of the sum from Keras
    double gradient_error = 0.0;  // of the weights' gradient, relative to the definition in float64
    double ms = 0.0;              // forward and backward, warm
};

// Keras 3's sum on a sine-filled layer, 2 filters, 3x3, two sequences of three 5x4 frames; and its gradients.
Probe probe(const torch::Device& device) {
    constexpr double kKerasSum = -0.892863973;
    ConvLstm layer({{.input_channels = 3, .filters = 2}, 0.0});
    {
        const c10::NoGradGuard no_grad;
        layer.weights().input.copy_(wave({3, 3, 3, 8}, 0.53, 0.2, 0.4).permute({3, 2, 0, 1}));
        layer.weights().hidden.copy_(wave({3, 3, 2, 8}, 0.29, 0.3, 0.4).permute({3, 2, 0, 1}));
        layer.weights().bias.copy_(wave({8}, 0.7, 0.0, 0.2));
    }
    const torch::Tensor x = wave({2, 3, 5, 4, 3}, 0.37, 0.1, 1.0).permute({0, 1, 4, 2, 3}).contiguous();
    ConvLstmWeights exact;
    for (const auto& [from, to] : {std::pair{&layer.weights().input, &exact.input},
                                   {&layer.weights().hidden, &exact.hidden},
                                   {&layer.weights().bias, &exact.bias}}) {
        *to = from->detach().to(at::kDouble).requires_grad_(true);
    }
    State state;
    conv_lstm_reference(x.to(at::kDouble), state, exact).sum().backward();
    layer.to(device);
    const torch::Tensor there = x.to(device);
    Probe result;
    for (int run = 0; run < 2; ++run) {  // the first one warms up
        layer.zero_grad();
        wait_for(device);
        result.ms = 1e3 * seconds_of([&] {
                        State first;
                        const torch::Tensor sum = layer.forward(there, first).sum();
                        sum.backward();
                        wait_for(device);
                        result.error = std::abs(sum.item<double>() - kKerasSum);
                    });
    }
    const torch::Tensor gradient = layer.weights().hidden.grad().to(at::kCPU, at::kDouble);
    const torch::Tensor& expected = exact.hidden.grad();
    result.gradient_error = ((gradient - expected).norm() / expected.norm()).item<double>();
    return result;
}

// A GPU that is visible but cannot compute is the usual failure.
Finding probe_finding(const torch::Device& device) {
    const std::string name = "self-test on " + device.str();
    try {
        const Probe found = probe(device);
        const double most = device.is_cpu() ? kMostError : kMostTf32Error;
        const bool right = found.error < most && found.gradient_error < most;
        return {
            name, right ? Health::pass : Health::fail,
            fmt::format("ConvLSTM differs from Keras by {:.1e}, its gradient from float64 by {:.1e} (allowed {:g}); "
                        "{:.2f} ms",
                        found.error, found.gradient_error, most, found.ms),
            right ? "" : kReport};
    } catch (const std::exception& error) {
        const std::string what = error.what();
        return {name, Health::fail, what.substr(0, what.find('\n')),
                device.is_cpu() ? kReport : "free memory on the GPU, or mend the lines above; --device cpu works"};
    }
}

double available_gib() {
    std::ifstream in("/proc/meminfo");
    for (std::string line; std::getline(in, line);) {
        if (line.rfind("MemAvailable", 0) == 0) return std::stod(line.substr(13)) / (1024.0 * 1024.0);
    }
    return 0.0;
}

void examine_machine(int threads, Findings& findings) {
    findings.push_back({"program", Health::pass, NOWCELL_ABOUT});
    const bool slow = cpu::isa() == cpu::Isa::plain;
    findings.push_back({"CPU", slow ? Health::warn : Health::pass,
                        fmt::format("{}, {} threads used, LibTorch on {}, own kernels on {}", cpu::processor_name(),
                                    threads, at::get_cpu_capability(), cpu::name_of(cpu::isa())),
                        slow ? "without AVX2 LibTorch's operators compute, which is slower" : ""});
    const double gib = available_gib();
    findings.push_back({"memory", gib < 1.0 ? Health::warn : Health::pass, fmt::format("{:.1f} GiB available", gib),
                        gib < 1.0 ? "close other programs" : ""});
    findings.push_back({"LibTorch", Health::pass, fmt::format("{} in {}", TORCH_VERSION, libtorch_folder())});
}

Findings examine(const Request& request) {
    const std::string device = request.text("--device", "auto");
    Findings findings;
    examine_machine(choose_threads(request), findings);
    examine_cuda(device != "cpu", findings);
    findings.push_back(probe_finding(torch::kCPU));
    if (device != "cpu" && why_no_gpu().empty()) {
        for (int index = 0; index < gpu_count(); ++index) {
            const torch::Device gpu(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
            if (device == "auto" || choose_device(device) == gpu) findings.push_back(probe_finding(gpu));
        }
    } else if (device != "cpu" && device != "auto") {
        findings.push_back({device, Health::fail, "CUDA requested, but " + why_no_gpu(), "--device cpu"});
    }
    for (const char* name : kDoctorParts) {
        const auto part = reinterpret_cast<DoctorPart>(::dlsym(RTLD_DEFAULT, name));
        if (part != nullptr) part(request, findings);
    }
    return findings;
}

int doctor(const Request& request) {
    const Findings findings = examine(request);
    std::string text;
    bool failed = false;
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Finding& finding : findings) {
        text += fmt::format("{:<6}{:<20}{}\n", word_for(finding.health), finding.name, finding.text);
        if (!finding.remedy.empty()) text += fmt::format("{:<6}{:<20}-> {}\n", "", "", finding.remedy);
        rows.push_back({{"name", finding.name},
                        {"state", word_for(finding.health)},
                        {"text", finding.text},
                        {"remedy", finding.remedy}});
        failed = failed || finding.health == Health::fail;
    }
    const nlohmann::ordered_json report = {{"schema", "nowcell.doctor/2"}, {"ok", !failed}, {"findings", rows}};
    deliver(request, text, json_text(report));
    return static_cast<int>(failed ? ExitCode::device : ExitCode::ok);
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_doctor(const nowcell::Request& request) { return nowcell::doctor(request); }
