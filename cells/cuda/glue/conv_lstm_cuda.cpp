#include "cells/cuda/glue/conv_lstm_cuda.h"

#include "cells/conv_lstm_backend.h"
#include "cells/cpu/conv_lstm_engine.h"
#include "cells/cpu/engine_use.h"
#include "cells/cuda/glue/graphs.h"
#include "cells/cuda/glue/layer.h"

#include <c10/cuda/CUDAGuard.h>
#include <torch/library.h>

namespace nowcell {
namespace {

void note_reference(const ConvLstmArguments& a, const char* reason, bool backward) {
    note_engine_use({layer_text(a), "reference", reason}, backward);
}

TORCH_LIBRARY_IMPL(nowcell, CUDA, library) {
    library.impl("conv_lstm_forward", backend::forward_operator<cuda_forward>);
    library.impl("conv_lstm_backward", backend::backward_operator<cuda_backward>);
}

}  // namespace

ConvLstmResult cuda_forward(const ConvLstmArguments& a, Saved saved) {
    const c10::cuda::CUDAGuard guard(a.x.device());
    if (const char* const reason = cuda::obstacle(a)) {
        note_reference(a, reason, false);
        return conv_lstm_forward(a, saved);
    }
    return cuda::may_capture() ? cuda::forward_by_graph(a, saved) : cuda::forward_on_kernels(a, saved);
}

std::vector<torch::Tensor> cuda_backward(const ConvLstmArguments& a, const ConvLstmResult& result,
                                         const torch::Tensor& outputs, const State& last,
                                         const std::vector<bool>& wanted) {
    const c10::cuda::CUDAGuard guard(a.x.device());
    if (const char* const reason = cuda::obstacle(a)) {
        note_reference(a, reason, true);
        return conv_lstm_backward(a, result, outputs, last, wanted);
    }
    return cuda::may_capture() ? cuda::backward_by_graph(a, result, outputs, last, wanted)
                               : cuda::backward_on_kernels(a, result, outputs, last, wanted);
}

}  // namespace nowcell
