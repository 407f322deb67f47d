// What doctor says of the driver, CUDA, cuDNN and the GPUs.
#include "src/doctor.h"

#include "cells/cuda_driver.h"
#include "cells/cuda_library.h"

#include <ATen/Context.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
constexpr long kCudnnThatNeedsTuring = 91100;  // from 9.11 on compute capability 7.5
constexpr int kOldestCapability = 80;          // of our kernels

std::string cuda_version(long version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }
std::string cudnn_version(long v) { return fmt::format("{}.{}.{}", v / 10000, v % 10000 / 100, v % 100); }

void examine_driver(const CudaDriver& driver, Findings& findings) {
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    const std::string seen = visible == nullptr ? "" : fmt::format("; CUDA_VISIBLE_DEVICES is \"{}\"", visible);
    if (!driver.loadable) {
        findings.push_back({"NVIDIA driver", Health::warn, driver.reason + "; the CPU is used" + seen,
                            "for a GPU: install NVIDIA's driver; in a container: pass the GPU into it"});
        return;
    }
    std::string hidden;
    for (const char* node : {"/dev/nvidiactl", "/dev/nvidia0"}) {
        if (fs::exists(node) && ::access(node, R_OK | W_OK) != 0) hidden = node;
    }
    const std::string text = fmt::format("runs CUDA up to {}{}", cuda_version(driver.newest_cuda), seen);
    if (!hidden.empty()) {
        findings.push_back({"NVIDIA driver", Health::fail, fmt::format("{}; {} cannot be opened", text, hidden),
                            "let this user read and write /dev/nvidia*"});
    } else if (driver.gpus.empty()) {
        const bool masked = visible != nullptr && (*visible == '\0' || std::string(visible) == "-1");
        findings.push_back({"NVIDIA driver", Health::warn, fmt::format("{}; {}; the CPU is used", text, driver.reason),
                            masked ? "CUDA_VISIBLE_DEVICES hides every GPU: unset it"
                                   : "nvidia-smi shows whether the driver sees a GPU"});
    } else {
        findings.push_back({"NVIDIA driver", Health::pass, text});
    }
}

// Files of that name that this process has mapped.
std::set<std::string> mapped(const std::string& name) {
    std::set<std::string> found;
    std::ifstream in("/proc/self/maps");
    for (std::string line; std::getline(in, line);) {
        const std::size_t path = line.find('/');
        if (path != std::string::npos && line.find("/" + name, path) != std::string::npos) {
            found.insert(line.substr(path));
        }
    }
    return found;
}

std::string lost_parts_of_cudnn(const fs::path& library) {
    std::string lost;
    for (const char* part :
         {"ops", "cnn", "adv", "graph", "heuristic", "engines_precompiled", "engines_runtime_compiled"}) {
        const std::string name = fmt::format("libcudnn_{}.so.9", part);
        if (!fs::exists(library.parent_path() / name)) lost += (lost.empty() ? "" : ", ") + name;
    }
    return lost;
}

// Another copy on the search path would be mixed with the one that LibTorch has loaded.
std::string rival_of(const fs::path& library) {
    const char* list = std::getenv("LD_LIBRARY_PATH");
    std::istringstream folders(list == nullptr ? "" : list);
    for (std::string folder; std::getline(folders, folder, ':');) {
        std::error_code error;
        const fs::path other = fs::path(folder) / "libcudnn.so.9";
        if (fs::exists(other, error) && !fs::equivalent(other, library, error)) return other.string();
    }
    return "";
}

void examine_cudnn(const CudaDriver& driver, Findings& findings) {
    const auto& hooks = at::detail::getCUDAHooks();
    if (!hooks.compiledWithCuDNN()) {
        findings.push_back({"cuDNN", Health::warn, "this LibTorch was built without cuDNN",
                            "scripts/setup.sh --cuda has one with it"});
        return;
    }
    const long built = hooks.versionCuDNN(), loaded = hooks.versionRuntimeCuDNN();
    const std::set<std::string> paths = mapped("libcudnn.so");
    const std::string path = paths.empty() ? "" : *paths.begin();
    std::string text = fmt::format("{} loaded from {}, LibTorch built against {}", cudnn_version(loaded),
                                   path.empty() ? "an unknown place" : path, cudnn_version(built));
    if (*NOWCELL_CUDNN != '\0') text += fmt::format(", headers of {}", NOWCELL_CUDNN);
    Finding finding{"cuDNN", Health::pass, text};
    const auto fail = [&](const std::string& what, const std::string& remedy) {
        finding = {"cuDNN", Health::fail, text + "; " + what, remedy};
    };
    const std::string rival = rival_of(path), lost = path.empty() ? "" : lost_parts_of_cudnn(path);
    if (!rival.empty()) {
        finding = {"cuDNN", Health::warn, fmt::format("{}; {} is another copy", text, rival),
                   "take its folder out of LD_LIBRARY_PATH"};
    }
    for (const GpuFacts& gpu : driver.gpus) {
        if (loaded >= kCudnnThatNeedsTuring && gpu.major * 10 + gpu.minor < 75) {
            fail(fmt::format("from 9.11 on it needs compute capability 7.5, {} has {}.{}", gpu.name, gpu.major,
                             gpu.minor),
                 "use --device cpu, or a LibTorch with an older cuDNN");
        }
    }
    if (!lost.empty()) fail("beside it are missing: " + lost, "scripts/setup.sh --cuda repairs it");
    if (paths.size() > 1) fail("another copy is loaded as well: " + *paths.rbegin(), "clean LD_LIBRARY_PATH");
    if (loaded / 10000 != built / 10000 || loaded / 100 < built / 100) {
        fail("expected the same major and at least the same minor version", "clean LD_LIBRARY_PATH");
    }
    findings.push_back(finding);
}

void examine_toolkit(const CudaDriver& driver, Findings& findings) {
    const long runtime = at::detail::getCUDAHooks().versionCUDART();
    std::string text = fmt::format("LibTorch runs {}", cuda_version(runtime));
    if (*NOWCELL_TOOLKIT != '\0') text += fmt::format(", our kernels were built with {}", NOWCELL_TOOLKIT);
    Finding finding{"CUDA", Health::pass, text};
    if (*NOWCELL_TOOLKIT != '\0' && std::atol(NOWCELL_TOOLKIT) != runtime / 1000) {
        finding = {"CUDA", Health::fail, text + ": two major versions",
                   "build with a toolkit of LibTorch's major version"};
    } else if (driver.loadable && driver.newest_cuda / 1000 < runtime / 1000) {
        finding = {"CUDA", Health::fail,
                   fmt::format("{}, the driver at most {}", text, cuda_version(driver.newest_cuda)),
                   "install a newer NVIDIA driver"};
    }
    findings.push_back(finding);
}

// Machine code for that GPU in our library: "SASS", "PTX" (compiled at the first use) or "".
std::string code_for(const GpuFacts& gpu) {
    std::istringstream list(NOWCELL_CUDA_ARCHITECTURES);
    const int capability = gpu.major * 10 + gpu.minor;
    std::string best;
    for (std::string entry; std::getline(list, entry, ' ');) {
        const int built = std::atoi(entry.c_str());
        const bool real = entry.find("-virtual") == std::string::npos,
                   virtual_too = entry.find("-real") == std::string::npos;
        if (real && built / 10 == capability / 10 && built <= capability) return "SASS";
        if (virtual_too && built <= capability) best = "PTX";
    }
    return best;
}

void examine_gpu(int index, const GpuFacts& gpu, Findings& findings) {
    const std::string text =
        fmt::format("{}, compute capability {}.{}, {:.1f} GiB, {:.1f} GiB free", gpu.name, gpu.major, gpu.minor,
                    static_cast<double>(gpu.total_bytes) / kGiB, static_cast<double>(free_gpu_bytes(index)) / kGiB);
    const std::string name = fmt::format("GPU {}", index), code = code_for(gpu);
    if (gpu.major * 10 + gpu.minor < kOldestCapability) {
        findings.push_back({name, Health::warn, text + "; older than our kernels",
                            "LibTorch's operators compute; our kernels need 8.0"});
    } else if (!missing_cuda_kernels().empty()) {
        findings.push_back({name, Health::pass, text});
    } else if (code == "SASS") {
        findings.push_back({name, Health::pass, text + "; our kernels have machine code for it"});
    } else {
        findings.push_back({name, Health::warn, text + "; our kernels have " + (code.empty() ? "no code" : "only PTX"),
                            "build for it: -DCMAKE_CUDA_ARCHITECTURES=native; PTX is compiled at the first use"});
    }
}

}  // namespace

void examine_cuda(bool use, Findings& findings) {
    const CudaDriver driver = ask_cuda_driver();
    examine_driver(driver, findings);
    if (!use) return;
    const std::string reason = load_cuda_library();
    if (!reason.empty()) {
        findings.push_back(
            {"LibTorch CUDA", Health::warn, reason + "; the CPU is used", "for a GPU: scripts/setup.sh --cuda"});
        return;
    }
    findings.push_back({"LibTorch CUDA", Health::pass,
                        fmt::format("libtorch_cuda.so is loaded; {}",
                                    at::hasCUDA() ? fmt::format("{} GPUs", gpu_count()) : "it sees no GPU")});
    const std::string kernels = missing_cuda_kernels();
    findings.push_back({"own CUDA kernels", kernels.empty() ? Health::pass : Health::warn,
                        kernels.empty() ? cuda_kernel_library() : kernels + "; on a GPU LibTorch's operators compute",
                        kernels.empty() ? "" : "for a GPU: build with a CUDA Toolkit (-DNOWCELL_CUDA=ON)"});
    examine_toolkit(driver, findings);
    examine_cudnn(driver, findings);
    for (std::size_t i = 0; i < driver.gpus.size(); ++i) examine_gpu(static_cast<int>(i), driver.gpus[i], findings);
}

}  // namespace nowcell
