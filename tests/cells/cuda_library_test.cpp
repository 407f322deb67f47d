// Loading the CUDA libraries, on machines with and without a GPU. In a process of its own: LibTorch remembers.
#include "cells/cuda_library.h"

#include <ATen/Context.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <filesystem>
#include <thread>
#include <vector>

TEST_CASE("LibTorch's CUDA library loads once, without a GPU, and its hooks are the real ones", "[.cuda-library]") {
    const bool there = std::filesystem::exists(std::filesystem::path(nowcell::libtorch_folder()) / "libtorch_cuda.so");
    std::vector<std::string> reasons(4, "not called");
    std::vector<std::thread> threads;
    for (std::string& reason : reasons) {
        threads.emplace_back([&reason] { reason = nowcell::load_cuda_library(); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& reason : reasons) CHECK(reason == reasons.front());
    if (!there) {
        CHECK(holds(reasons.front(), "libtorch_cuda.so"));
        CHECK_FALSE(nowcell::why_no_gpu().empty());
        return;
    }
    INFO(reasons.front());
    if (holds(reasons.front(), "cannot open shared object file")) {  // the wheel without NVIDIA's
        WARN("skipped: LibTorch's CUDA library misses those that it needs; scripts/setup.sh --cuda adds them");
        return;
    }
    REQUIRE(reasons.front().empty());
    CHECK(at::detail::getCUDAHooks().versionCUDART() > 0);  // those of a CPU build throw
    if (std::filesystem::exists(nowcell::cuda_kernel_library())) {
        CHECK(nowcell::missing_cuda_kernels().empty());
    } else {
        CHECK(holds(nowcell::missing_cuda_kernels(), "libnowcell_cells_cuda.so"));
    }
    CHECK((nowcell::why_no_gpu().empty() == (nowcell::gpu_count() > 0)));
}
