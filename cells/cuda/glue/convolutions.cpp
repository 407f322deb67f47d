#include "cells/cuda/glue/convolutions.h"

#include "cells/convolution.h"

#include <ATen/ATen.h>
#include <ATen/cudnn/Handle.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAStream.h>

#include <map>
#include <mutex>
#include <utility>

namespace nowcell::cuda {
namespace {

bool is_capturing() { return c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None; }

// Of this device and stream, as large as the largest call so far. What an earlier call still uses stays alive: memory
// goes back to the allocator in the order of the stream.
void* persistent_workspace(std::size_t bytes) {
    static std::mutex mutex;
    static auto* const all = new std::map<std::pair<int, c10::StreamId>, torch::Tensor>;
    const c10::cuda::CUDAStream stream = c10::cuda::getCurrentCUDAStream();
    const std::lock_guard lock(mutex);
    torch::Tensor& memory = (*all)[{stream.device_index(), stream.id()}];
    if (!memory.defined() || static_cast<std::size_t>(memory.numel()) < bytes) {
        memory = torch::Tensor();
        memory = at::empty({static_cast<std::int64_t>(bytes)}, at::device(stream.device()).dtype(at::kByte));
    }
    return memory.mutable_data_ptr();
}

}  // namespace

AtenConvolution::AtenConvolution(const StepShape& shape, const torch::Tensor& weights)
    : shape_(shape), weights_(weights) {}

// (count B,channels,H,W), channels last.
torch::Tensor AtenConvolution::view(const void* data, std::int64_t batch, std::int64_t step, int count,
                                    std::int64_t channels) const {
    const std::int64_t row = shape_.width * channels;
    return at::from_blob(const_cast<void*>(data), {count, shape_.batch, channels, shape_.height, shape_.width},
                         {step, batch, 1, row, channels}, weights_.options());
}

cudaError_t AtenConvolution::forward(const Steps<const void>& h, const Steps<void>& gates, int count, bool accumulate,
                                     cudaStream_t) {
    if (accumulate) return cudaErrorNotSupported;
    const torch::Tensor frames = view(h.data, h.batch, h.step, count, shape_.filters);
    const torch::Tensor result = convolve(frames.flatten(0, 1), weights_, {});
    view(gates.data, gates.batch, gates.step, count, 4 * shape_.filters)
        .copy_(result.unflatten(0, {count, shape_.batch}));
    return cudaSuccess;
}

cudaError_t AtenConvolution::backward(const Frames<const void>& d_gates, const Frames<void>& d_h, cudaStream_t) {
    const torch::Tensor gradient = view(d_gates.data, d_gates.batch, 0, 1, 4 * shape_.filters)[0];
    const torch::Tensor h = view(d_h.data, d_h.batch, 0, 1, shape_.filters)[0];  // of which only the sizes are read
    h.copy_(convolve_backward(gradient, h, weights_, {}, 1, {true, false, false}).x);
    return cudaSuccess;
}

CudnnConvolution::CudnnConvolution(const StepShape& shape, Storage storage, const torch::Tensor& weights)
    : shape_(shape),
      storage_(storage),
      weights_(weights.permute({0, 2, 3, 1}).contiguous()),
      kernel_{static_cast<int>(weights.size(2)), static_cast<int>(weights.size(3))} {
    if (!at::globalContext().userEnabledCuDNN()) {
        failure_ = "cuDNN is switched off";
    } else {
        failure_ = cudnn_problem(size_of(1), at::native::getCudnnHandle()).failure();
    }
}

CudnnSize CudnnConvolution::size_of(int steps) const {
    const at::Context& context = at::globalContext();
    CudnnSize size;
    size.device = weights_.get_device();
    size.storage = storage_;
    size.frames = steps * shape_.batch;
    size.height = shape_.height;
    size.width = shape_.width;
    size.filters = shape_.filters;
    size.kernel_height = kernel_.height;
    size.kernel_width = kernel_.width;
    size.tf32 = storage_ == Storage::float32 && context.allowTF32CuDNN(at::Float32Op::CONV);
    size.deterministic = context.deterministicAlgorithms() || context.deterministicCuDNN();
    return size;
}

// A graph keeps its addresses: memory of its own instead, from the pool of the capture.
void* CudnnConvolution::workspace(std::size_t bytes) {
    if (bytes == 0) return nullptr;
    if (!is_capturing()) return persistent_workspace(bytes);
    if (!captured_workspace_.defined() || static_cast<std::size_t>(captured_workspace_.numel()) < bytes) {
        captured_workspace_ = at::empty({static_cast<std::int64_t>(bytes)}, weights_.options().dtype(at::kByte));
    }
    return captured_workspace_.mutable_data_ptr();
}

cudaError_t CudnnConvolution::fail(const std::string& why) {
    failure_ = why;
    return cudaErrorUnknown;
}

cudaError_t CudnnConvolution::run(int steps, const void* in, void* out, bool backward, bool accumulate) {
    const cudnnHandle_t handle = at::native::getCudnnHandle();
    CudnnProblem& problem = cudnn_problem(size_of(steps), handle);
    if (!problem.failure().empty()) return fail(problem.failure());
    void* const memory = workspace(problem.workspace_bytes());
    const void* const weights = weights_.const_data_ptr();
    const cudnnStatus_t status = backward ? problem.backward(handle, in, weights, out, memory)
                                          : problem.forward(handle, in, weights, out, accumulate, memory);
    return status == CUDNN_STATUS_SUCCESS ? cudaSuccess : fail(cudnn_library().GetErrorString(status));
}

bool CudnnConvolution::dense(std::int64_t batch, std::int64_t step, int count, std::int64_t channels) const {
    const std::int64_t frame = shape_.pixels() * channels;
    return (shape_.batch == 1 || batch == frame) && (count == 1 || step == shape_.batch * frame);
}

cudaError_t CudnnConvolution::forward(const Steps<const void>& h, const Steps<void>& gates, int count, bool accumulate,
                                      cudaStream_t stream) {
    if (!dense(h.batch, h.step, count, shape_.filters) || !dense(gates.batch, gates.step, count, 4 * shape_.filters)) {
        return fail("frames with gaps");
    }
    const cudaError_t all = run(count, h.data, gates.data, false, accumulate);
    if (all == cudaSuccess || count == 1) return all;
    failure_.clear();  // so many at once
    for (int step = 0; step < count; ++step) {
        const Frames<const void> from = at(h, step, storage_);
        const Frames<void> to = at(gates, step, storage_);
        const cudaError_t one = forward({from.data, from.batch, 0}, {to.data, to.batch, 0}, 1, accumulate, stream);
        if (one != cudaSuccess) return one;
    }
    return cudaSuccess;
}

cudaError_t CudnnConvolution::backward(const Frames<const void>& d_gates, const Frames<void>& d_h, cudaStream_t) {
    if (!dense(d_gates.batch, 0, 1, 4 * shape_.filters) || !dense(d_h.batch, 0, 1, shape_.filters)) {
        return fail("frames with gaps");
    }
    return run(1, d_gates.data, d_h.data, true, false);
}

}  // namespace nowcell::cuda
