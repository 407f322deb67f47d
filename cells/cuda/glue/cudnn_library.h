// The cuDNN that torch has loaded: two versions of it in one process fail, so that none is linked.
#pragma once

#include <cudnn.h>

#include <string>

namespace nowcell::cuda {

/// The functions that are used, by their names in cudnn.h without the prefix.
struct CudnnLibrary {
    decltype(&cudnnCreateTensorDescriptor) CreateTensorDescriptor = nullptr;
    decltype(&cudnnSetTensor4dDescriptorEx) SetTensor4dDescriptorEx = nullptr;
    decltype(&cudnnDestroyTensorDescriptor) DestroyTensorDescriptor = nullptr;
    decltype(&cudnnCreateFilterDescriptor) CreateFilterDescriptor = nullptr;
    decltype(&cudnnSetFilter4dDescriptor) SetFilter4dDescriptor = nullptr;
    decltype(&cudnnDestroyFilterDescriptor) DestroyFilterDescriptor = nullptr;
    decltype(&cudnnCreateConvolutionDescriptor) CreateConvolutionDescriptor = nullptr;
    decltype(&cudnnSetConvolution2dDescriptor) SetConvolution2dDescriptor = nullptr;
    decltype(&cudnnSetConvolutionMathType) SetConvolutionMathType = nullptr;
    decltype(&cudnnDestroyConvolutionDescriptor) DestroyConvolutionDescriptor = nullptr;
    decltype(&cudnnGetConvolutionForwardAlgorithm_v7) GetConvolutionForwardAlgorithm_v7 = nullptr;
    decltype(&cudnnGetConvolutionBackwardDataAlgorithm_v7) GetConvolutionBackwardDataAlgorithm_v7 = nullptr;
    decltype(&cudnnConvolutionForward) ConvolutionForward = nullptr;
    decltype(&cudnnConvolutionBackwardData) ConvolutionBackwardData = nullptr;
    decltype(&cudnnGetErrorString) GetErrorString = nullptr;
    std::string missing;  ///< empty: all are there; else what is not
};

/// Looked up once.
const CudnnLibrary& cudnn_library();

}  // namespace nowcell::cuda
