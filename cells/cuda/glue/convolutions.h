// The recurrent convolution by cuDNN and by ATen, for the loop over time.
#pragma once

#include "cells/cuda/glue/cudnn_problem.h"
#include "cells/cuda/sequence.h"

#include <torch/types.h>

#include <memory>
#include <string>

namespace nowcell::cuda {

/// By LibTorch's operators, into a buffer of its own: never accumulates. weights: (4F,F,height,width).
class AtenConvolution : public RecurrentConvolution {
 public:
    AtenConvolution(const StepShape& shape, const torch::Tensor& weights);
    cudaError_t forward(const Steps<const void>& h, const Steps<void>& gates, int count, bool accumulate,
                        cudaStream_t stream) override;
    cudaError_t backward(const Frames<const void>& d_gates, const Frames<void>& d_h, cudaStream_t stream) override;

 private:
    torch::Tensor view(const void* data, std::int64_t batch, std::int64_t step, int count, std::int64_t channels) const;

    StepShape shape_;
    torch::Tensor weights_;
};

/// By cuDNN itself, on the current stream. Steps must follow each other without gaps, all items of a step together.
class CudnnConvolution : public RecurrentConvolution {
 public:
    CudnnConvolution(const StepShape& shape, Storage storage, const torch::Tensor& weights);
    cudaError_t forward(const Steps<const void>& h, const Steps<void>& gates, int count, bool accumulate,
                        cudaStream_t stream) override;
    cudaError_t backward(const Frames<const void>& d_gates, const Frames<void>& d_h, cudaStream_t stream) override;

    /// Empty unless cuDNN cannot compute one step, or a call has failed.
    const std::string& failure() const { return failure_; }

 private:
    CudnnSize size_of(int steps) const;
    bool dense(std::int64_t batch, std::int64_t step, int count, std::int64_t channels) const;
    cudaError_t run(int steps, const void* in, void* out, bool backward, bool accumulate);
    void* workspace(std::size_t bytes);
    cudaError_t fail(const std::string& why);

    StepShape shape_;
    Storage storage_;
    torch::Tensor weights_;  // (4F,height,width,F)
    KernelSize kernel_;
    torch::Tensor captured_workspace_;
    std::string failure_;
};

}  // namespace nowcell::cuda
