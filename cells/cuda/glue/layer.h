// A call of the operators as the loop over time wants it: which engine computes it, and the tensors behind its
// pointers.
#pragma once

#include "cells/conv_lstm_sequence.h"
#include "cells/cuda/glue/convolutions.h"

#include <memory>
#include <string>

namespace nowcell::cuda {

/// Why LibTorch's operators must compute the call; null where the kernels can.
const char* obstacle(const ConvLstmArguments& arguments);

/// Which engine to take for an algorithm, and why another than the one named.
struct EngineChoice {
    Algorithm algorithm = Algorithm::cudnn;  ///< cudnn, cudnn_separate or implicit_gemm
    std::string reason;
};
/// What can be said without cuDNN. fits: step_gemm_fits(). norm: of the gates.
EngineChoice engine_for(Algorithm algorithm, bool fits, bool norm);

/// What holds for all steps of a call, on the device of x and the current stream.
class Layer {
 public:
    explicit Layer(const ConvLstmArguments& arguments);

    const SequenceLayer& sequence() const { return layer_; }
    const StepShape& shape() const { return layer_.shape; }
    const torch::Tensor& h_first() const { return h_first_; }  ///< (B,F,H,W), channels last; undefined: zeros
    const torch::Tensor& c_first() const { return c_first_; }  ///< likewise, float32

    /// x of steps [first, first + count): (count B,C,H,W), channels last.
    torch::Tensor frames(std::int64_t first, std::int64_t count) const;
    /// Their input part: (count,B,4F,H,W), channels last. With a norm the bias is in it.
    torch::Tensor input_part(const torch::Tensor& frames) const;

    /// A workspace; undefined for none.
    torch::Tensor bytes(std::size_t count) const;
    /// Throws when a launch, or cuDNN, has failed.
    void check(cudaError_t error) const;
    void note(bool backward) const;

 private:
    void set_engine();
    void set_rules();
    void set_norm();

    const ConvLstmArguments& a_;
    SequenceLayer layer_;
    EngineChoice choice_;
    std::unique_ptr<CudnnConvolution> cudnn_;
    std::unique_ptr<AtenConvolution> aten_;
    torch::Tensor h_first_, c_first_, bias_, peephole_, packed_forward_, packed_backward_;
    torch::Tensor norm_[4];
};

}  // namespace nowcell::cuda
