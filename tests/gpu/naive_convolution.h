// The recurrent convolution by the plainest kernel there is.
#pragma once

#include "cells/cuda/sequence.h"

namespace nowcell::test {

class NaiveConvolution : public cuda::RecurrentConvolution {
 public:
    /// weights: (4F,F,height,width) on the device, in the layer's storage.
    NaiveConvolution(const cuda::StepShape& shape, cuda::Storage storage, const cuda::KernelSize& kernel,
                     const void* weights)
        : shape_(shape), storage_(storage), kernel_(kernel), weights_(weights) {}

    cudaError_t forward(const cuda::Steps<const void>& h, const cuda::Steps<void>& gates, int count, bool accumulate,
                        cudaStream_t stream) override;
    cudaError_t backward(const cuda::Frames<const void>& d_gates, const cuda::Frames<void>& d_h,
                         cudaStream_t stream) override;

    int most_steps = 0;  ///< of the calls so far

 private:
    cuda::StepShape shape_;
    cuda::Storage storage_;
    cuda::KernelSize kernel_;
    const void* weights_;
};

}  // namespace nowcell::test
