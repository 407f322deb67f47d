#include "cells/cuda/glue/cudnn_library.h"

#include <dlfcn.h>

namespace nowcell::cuda {
namespace {

template <class Function>
void find(void* library, const char* name, Function& function, std::string& missing) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    if (function == nullptr && missing.empty()) missing = std::string("torch's cuDNN has no ") + name;
}

CudnnLibrary load() {
    constexpr const char* kName = "libcudnn.so.9";
    static_assert(CUDNN_MAJOR == 9, "the name of the library is that of another cuDNN");
    CudnnLibrary all;
    void* const library = ::dlopen(kName, RTLD_NOW | RTLD_NOLOAD);
    if (library == nullptr) {
        all.missing = std::string("torch has not loaded ") + kName;
        return all;
    }
    find(library, "cudnnCreateTensorDescriptor", all.CreateTensorDescriptor, all.missing);
    find(library, "cudnnSetTensor4dDescriptorEx", all.SetTensor4dDescriptorEx, all.missing);
    find(library, "cudnnDestroyTensorDescriptor", all.DestroyTensorDescriptor, all.missing);
    find(library, "cudnnCreateFilterDescriptor", all.CreateFilterDescriptor, all.missing);
    find(library, "cudnnSetFilter4dDescriptor", all.SetFilter4dDescriptor, all.missing);
    find(library, "cudnnDestroyFilterDescriptor", all.DestroyFilterDescriptor, all.missing);
    find(library, "cudnnCreateConvolutionDescriptor", all.CreateConvolutionDescriptor, all.missing);
    find(library, "cudnnSetConvolution2dDescriptor", all.SetConvolution2dDescriptor, all.missing);
    find(library, "cudnnSetConvolutionMathType", all.SetConvolutionMathType, all.missing);
    find(library, "cudnnDestroyConvolutionDescriptor", all.DestroyConvolutionDescriptor, all.missing);
    find(library, "cudnnGetConvolutionForwardAlgorithm_v7", all.GetConvolutionForwardAlgorithm_v7, all.missing);
    find(library, "cudnnGetConvolutionBackwardDataAlgorithm_v7", all.GetConvolutionBackwardDataAlgorithm_v7,
         all.missing);
    find(library, "cudnnConvolutionForward", all.ConvolutionForward, all.missing);
    find(library, "cudnnConvolutionBackwardData", all.ConvolutionBackwardData, all.missing);
    find(library, "cudnnGetErrorString", all.GetErrorString, all.missing);
    return all;
}

}  // namespace

const CudnnLibrary& cudnn_library() {
    static const CudnnLibrary library = load();
    return library;
}

}  // namespace nowcell::cuda
