#include "cells/cuda/glue/cudnn_problem.h"

#include <algorithm>
#include <map>
#include <memory>

namespace nowcell::cuda {
namespace {

constexpr std::size_t kMostProblems = 64;

cudnnDataType_t type_of(Storage storage) {
    switch (storage) {
        case Storage::float32: return CUDNN_DATA_FLOAT;
        case Storage::float16: return CUDNN_DATA_HALF;
        case Storage::bfloat16: return CUDNN_DATA_BFLOAT16;
    }
    return CUDNN_DATA_FLOAT;
}

cudnnMathType_t math_of(const CudnnSize& size) {
    if (size.storage != Storage::float32) return CUDNN_TENSOR_OP_MATH;
    return size.tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
}

// cudnnConvolutionFwdAlgoPerf_t and cudnnConvolutionBwdDataAlgoPerf_t have the same members.
template <class Perf>
std::vector<CudnnOffer> offers_of(const std::vector<Perf>& found) {
    std::vector<CudnnOffer> offers;
    for (const Perf& perf : found) {
        offers.push_back({{static_cast<int>(perf.algo), perf.mathType, perf.memory},
                          perf.status == CUDNN_STATUS_SUCCESS,
                          perf.determinism == CUDNN_DETERMINISTIC});
    }
    return offers;
}

// NHWC without gaps.
cudnnStatus_t describe_frames(cudnnTensorDescriptor_t tensor, const CudnnSize& size, int channels) {
    const int row = size.width * channels;
    return cudnn_library().SetTensor4dDescriptorEx(tensor, type_of(size.storage), size.frames, channels, size.height,
                                                   size.width, size.height * row, 1, row, channels);
}

std::size_t most_workspace(const std::vector<CudnnChoice>& choices) {
    std::size_t bytes = 0;
    for (const CudnnChoice& choice : choices) bytes = std::max(bytes, choice.workspace_bytes);
    return bytes;
}

// Tries one choice after the other, and forgets those that refuse.
template <class Attempt>
cudnnStatus_t first_that_can(std::vector<CudnnChoice>& choices, const Attempt& attempt) {
    cudnnStatus_t status = CUDNN_STATUS_NOT_SUPPORTED;
    while (!choices.empty()) {
        status = attempt(choices.front());
        if (status != CUDNN_STATUS_NOT_SUPPORTED) return status;
        choices.erase(choices.begin());
    }
    return status;
}

}  // namespace

std::vector<CudnnChoice> allowed(const CudnnSize& size, const std::vector<CudnnOffer>& offers) {
    std::vector<CudnnChoice> choices;
    for (const CudnnOffer& offer : offers) {
        if (!offer.possible || offer.choice.workspace_bytes > kMostWorkspaceBytes) continue;
        if (size.deterministic && !offer.deterministic) continue;
        choices.push_back(offer.choice);
        if (math_of(size) != CUDNN_FMA_MATH) continue;
        // Where cuDNN names its default, which may be TF32, the algorithm is asked for the exact kind.
        if (offer.choice.math == CUDNN_DEFAULT_MATH || offer.choice.math == CUDNN_FMA_MATH) {
            choices.back().math = CUDNN_FMA_MATH;
        } else {
            choices.pop_back();
        }
    }
    return choices;
}

CudnnProblem::CudnnProblem(const CudnnSize& size, cudnnHandle_t handle) : size_(size) {
    failure_ = cudnn_library().missing;
    if (failure_.empty()) describe();
    if (failure_.empty()) choose(handle);
}

CudnnProblem::~CudnnProblem() {
    const CudnnLibrary& cudnn = cudnn_library();
    if (h_ != nullptr) cudnn.DestroyTensorDescriptor(h_);
    if (gates_ != nullptr) cudnn.DestroyTensorDescriptor(gates_);
    if (weights_ != nullptr) cudnn.DestroyFilterDescriptor(weights_);
    if (convolution_ != nullptr) cudnn.DestroyConvolutionDescriptor(convolution_);
}

bool CudnnProblem::succeeded(cudnnStatus_t status, const char* what) {
    if (status == CUDNN_STATUS_SUCCESS) return true;
    failure_ = std::string(what) + ": " + cudnn_library().GetErrorString(status);
    return false;
}

void CudnnProblem::describe() {
    const CudnnLibrary& cudnn = cudnn_library();
    const int gates = 4 * size_.filters;
    if (!succeeded(cudnn.CreateTensorDescriptor(&h_), "descriptor") ||
        !succeeded(cudnn.CreateTensorDescriptor(&gates_), "descriptor") ||
        !succeeded(cudnn.CreateFilterDescriptor(&weights_), "descriptor") ||
        !succeeded(cudnn.CreateConvolutionDescriptor(&convolution_), "descriptor")) {
        return;
    }
    if (!succeeded(describe_frames(h_, size_, size_.filters), "frames") ||
        !succeeded(describe_frames(gates_, size_, gates), "frames") ||
        !succeeded(cudnn.SetFilter4dDescriptor(weights_, type_of(size_.storage), CUDNN_TENSOR_NHWC, gates,
                                               size_.filters, size_.kernel_height, size_.kernel_width),
                   "weights")) {
        return;
    }
    if (!succeeded(cudnn.SetConvolution2dDescriptor(convolution_, size_.kernel_height / 2, size_.kernel_width / 2, 1, 1,
                                                    1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                   "convolution")) {
        return;
    }
    succeeded(cudnn.SetConvolutionMathType(convolution_, math_of(size_)), "math");
}

void CudnnProblem::choose(cudnnHandle_t handle) {
    const CudnnLibrary& cudnn = cudnn_library();
    int count = 0;
    std::vector<cudnnConvolutionFwdAlgoPerf_t> forward(CUDNN_CONVOLUTION_FWD_ALGO_COUNT);
    if (!succeeded(cudnn.GetConvolutionForwardAlgorithm_v7(handle, h_, weights_, convolution_, gates_,
                                                           static_cast<int>(forward.size()), &count, forward.data()),
                   "forward")) {
        return;
    }
    forward.resize(static_cast<std::size_t>(count));
    forward_ = allowed(size_, offers_of(forward));
    std::vector<cudnnConvolutionBwdDataAlgoPerf_t> backward(CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT);
    if (!succeeded(
            cudnn.GetConvolutionBackwardDataAlgorithm_v7(handle, weights_, gates_, convolution_, h_,
                                                         static_cast<int>(backward.size()), &count, backward.data()),
            "backward")) {
        return;
    }
    backward.resize(static_cast<std::size_t>(count));
    backward_ = allowed(size_, offers_of(backward));
    if (forward_.empty() || backward_.empty()) failure_ = "no algorithm for these sizes";
}

std::size_t CudnnProblem::workspace_bytes() const {
    return std::max(most_workspace(forward_), most_workspace(backward_));
}

cudnnStatus_t CudnnProblem::forward(cudnnHandle_t handle, const void* h, const void* weights, void* gates,
                                    bool accumulate, void* workspace) {
    const CudnnLibrary& cudnn = cudnn_library();
    const float one = 1.0F, beta = accumulate ? 1.0F : 0.0F;
    return first_that_can(forward_, [&](const CudnnChoice& choice) {
        cudnn.SetConvolutionMathType(convolution_, choice.math);
        return cudnn.ConvolutionForward(handle, &one, h_, h, weights_, weights, convolution_,
                                        static_cast<cudnnConvolutionFwdAlgo_t>(choice.algorithm), workspace,
                                        choice.workspace_bytes, &beta, gates_, gates);
    });
}

cudnnStatus_t CudnnProblem::backward(cudnnHandle_t handle, const void* d_gates, const void* weights, void* d_h,
                                     void* workspace) {
    const CudnnLibrary& cudnn = cudnn_library();
    const float one = 1.0F, zero = 0.0F;
    return first_that_can(backward_, [&](const CudnnChoice& choice) {
        cudnn.SetConvolutionMathType(convolution_, choice.math);
        return cudnn.ConvolutionBackwardData(handle, &one, weights_, weights, gates_, d_gates, convolution_,
                                             static_cast<cudnnConvolutionBwdDataAlgo_t>(choice.algorithm), workspace,
                                             choice.workspace_bytes, &zero, h_, d_h);
    });
}

CudnnProblem& cudnn_problem(const CudnnSize& size, cudnnHandle_t handle) {
    // Never freed: at the end of a thread cuDNN may be gone.
    using Problems = std::map<CudnnSize, std::unique_ptr<CudnnProblem>>;
    static thread_local Problems* const problems = new Problems;
    const auto found = problems->find(size);
    if (found != problems->end()) return *found->second;
    if (problems->size() == kMostProblems) problems->clear();
    return *problems->emplace(size, std::make_unique<CudnnProblem>(size, handle)).first->second;
}

}  // namespace nowcell::cuda
