// One size of recurrent convolution as cuDNN knows it: descriptors, and the algorithms that can compute it.
#pragma once

#include "cells/cuda/glue/cudnn_library.h"
#include "cells/cuda/step_gemm.h"

#include <compare>
#include <string>
#include <vector>

namespace nowcell::cuda {

/// frames (N,H,W,F) and gates (N,H,W,4F) without gaps, weights (4F,height,width,F); padding "same".
struct CudnnSize {
    int device = 0;
    Storage storage = Storage::float32;
    int frames = 0, height = 0, width = 0, filters = 0;
    int kernel_height = 0, kernel_width = 0;
    bool tf32 = false;           ///< whether float32 may be multiplied so
    bool deterministic = false;  ///< whether only such algorithms may be taken

    auto operator<=>(const CudnnSize&) const = default;
};

/// An algorithm of cudnnConvolutionFwdAlgo_t or cudnnConvolutionBwdDataAlgo_t.
struct CudnnChoice {
    int algorithm = 0;
    cudnnMathType_t math = CUDNN_DEFAULT_MATH;
    std::size_t workspace_bytes = 0;
};

/// What cuDNN reports of an algorithm, apart from whether it may be used at all.
struct CudnnOffer {
    CudnnChoice choice;
    bool possible = false, deterministic = false;
};
/// Those that `size` allows, in their order, with CUDNN_FMA_MATH for float32 without TF32.
std::vector<CudnnChoice> allowed(const CudnnSize& size, const std::vector<CudnnOffer>& offers);

/// Workspaces above this are not asked for.
constexpr std::size_t kMostWorkspaceBytes = std::size_t{512} << 20;

/// Descriptors of one size; not copied. `failure` is empty unless cuDNN cannot compute the size in both directions.
class CudnnProblem {
 public:
    CudnnProblem(const CudnnSize& size, cudnnHandle_t handle);
    ~CudnnProblem();
    CudnnProblem(const CudnnProblem&) = delete;
    CudnnProblem& operator=(const CudnnProblem&) = delete;

    const std::string& failure() const { return failure_; }
    std::size_t workspace_bytes() const;

    /// gates = h * weights (+ gates). An algorithm that refuses is not asked again.
    cudnnStatus_t forward(cudnnHandle_t handle, const void* h, const void* weights, void* gates, bool accumulate,
                          void* workspace);
    cudnnStatus_t backward(cudnnHandle_t handle, const void* d_gates, const void* weights, void* d_h, void* workspace);

 private:
    bool succeeded(cudnnStatus_t status, const char* what);
    void describe();
    void choose(cudnnHandle_t handle);

    CudnnSize size_;
    std::string failure_;
    cudnnTensorDescriptor_t h_ = nullptr, gates_ = nullptr;
    cudnnFilterDescriptor_t weights_ = nullptr;
    cudnnConvolutionDescriptor_t convolution_ = nullptr;
    std::vector<CudnnChoice> forward_, backward_;
};

/// Of this thread, which keeps the newest few.
CudnnProblem& cudnn_problem(const CudnnSize& size, cudnnHandle_t handle);

}  // namespace nowcell::cuda
