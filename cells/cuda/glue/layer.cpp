#include "cells/cuda/glue/layer.h"

#include "cells/cpu/conv_lstm_engine.h"
#include "cells/cpu/engine_use.h"
#include "cells/cuda/glue/tensors.h"
#include "cells/cuda/planner.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>

#include <limits>

namespace nowcell::cuda {
namespace {

constexpr std::int64_t kMostInt = std::numeric_limits<std::int32_t>::max();

StepShape shape_of(const ConvLstmArguments& a) {
    const std::vector<std::int64_t> size = a.frame_size();
    StepShape shape;
    shape.batch = static_cast<int>(a.x.size(0));
    shape.height = static_cast<int>(size[0]);
    shape.width = static_cast<int>(size[1]);
    shape.filters = static_cast<int>(a.filters());
    return shape;
}

KernelSize kernel_of(const ConvLstmArguments& a) {
    return {static_cast<int>(a.weights.hidden.size(2)), static_cast<int>(a.weights.hidden.size(3))};
}

// (4F) stays, (4F,H,W) -> (H,W,4F).
torch::Tensor norm_parameter(const torch::Tensor& parameter) {
    return plain_floats(parameter.defined() && parameter.dim() == 3 ? parameter.permute({1, 2, 0}) : parameter);
}

}  // namespace

const char* obstacle(const ConvLstmArguments& a) {
    const at::ScalarType type = a.x.scalar_type();
    if (a.algorithm == Algorithm::reference) return "asked for";
    if (type != at::kFloat && type != at::kHalf && type != at::kBFloat16) return "not float32, float16 or bfloat16";
    if (a.x.dim() != 5) return "frames without two axes";
    if (a.weights.hidden.size(2) % 2 == 0 || a.weights.hidden.size(3) % 2 == 0) {
        return "a recurrent kernel with an even side";
    }
    if (a.noise.input_dropout.defined() || a.noise.hidden_dropout.defined()) return "dropout inside the cell";
    if (a.noise.keep_h.defined() || a.noise.keep_c.defined()) return "zoneout or a mask";
    if (a.x.numel() == 0) return "an empty sequence";
    const StepShape shape = shape_of(a);
    const std::int64_t pixels = shape.pixels() * a.x.size(0) * a.x.size(1);
    if (!frame_fits(shape, 4 * a.filters()) || pixels > kMostInt) return "frames of 2^31 numbers";
    return nullptr;
}

EngineChoice engine_for(Algorithm algorithm, bool fits, bool norm) {
    if (!is_for_cuda(algorithm)) return {Algorithm::cudnn, name_of(algorithm) + " is for a CPU"};
    if (algorithm == Algorithm::implicit_gemm) {
        if (norm) return {Algorithm::cudnn, "implicit-gemm has no norm of the gates"};
        if (!fits) return {Algorithm::cudnn, "implicit-gemm has no kernel of that size"};
        return {Algorithm::implicit_gemm, ""};
    }
    return {algorithm == Algorithm::cudnn_separate ? algorithm : Algorithm::cudnn, ""};
}

Layer::Layer(const ConvLstmArguments& a) : a_(a) {
    layer_.shape = shape_of(a);
    layer_.storage = storage_of(a.x);
    layer_.kernel = kernel_of(a);
    h_first_ = channels_last(a.state.h);
    if (a.state.c.defined()) c_first_ = channels_last(a.state.c.to(at::kFloat));
    set_rules();
    set_norm();
    set_engine();
}

void Layer::set_rules() {
    const ConvLstmWeights& w = a_.weights;
    if (w.peephole.defined()) {
        const bool pixel = w.peephole.size(2) > 1 || w.peephole.size(3) > 1;
        const torch::Tensor all =
            w.peephole.expand({3, shape().filters, pixel ? shape().height : 1, pixel ? shape().width : 1});
        peephole_ = plain_floats(all.permute({0, 2, 3, 1}));
        layer_.rules.pixel_peephole = pixel;
    }
    layer_.rules.activation = a_.rules.activation;
    layer_.rules.recurrent_activation = a_.rules.recurrent_activation;
    layer_.rules.peephole = floats_of(peephole_);
}

void Layer::set_norm() {
    const ConvLstmWeights& w = a_.weights;
    if (!w.norm_input_scale.defined()) {
        bias_ = plain_floats(w.bias);
        layer_.bias = floats_of(bias_);
        return;
    }
    const torch::Tensor* const parameters[] = {&w.norm_input_scale, &w.norm_input_shift, &w.norm_hidden_scale,
                                               &w.norm_hidden_shift};
    for (std::size_t i = 0; i < 4; ++i) norm_[i] = norm_parameter(*parameters[i]);
    layer_.norm.over = w.norm_input_scale.dim() == 1 ? NormOver::pixel : NormOver::frame;
    layer_.norm.input_scale = floats_of(norm_[0]);
    layer_.norm.input_shift = floats_of(norm_[1]);
    layer_.norm.hidden_scale = floats_of(norm_[2]);
    layer_.norm.hidden_shift = floats_of(norm_[3]);
}

void Layer::set_engine() {
    const torch::Tensor& weights = a_.weights.hidden;
    const bool fits = step_gemm_fits(layer_.shape, layer_.kernel);
    choice_ = engine_for(a_.algorithm, fits, static_cast<bool>(layer_.norm));
    if (choice_.algorithm != Algorithm::cudnn_separate) {
        cudnn_ = std::make_unique<CudnnConvolution>(layer_.shape, layer_.storage, weights);
        layer_.convolution = cudnn_.get();
    }
    if (cudnn_ == nullptr || !cudnn_->failure().empty()) {
        aten_ = std::make_unique<AtenConvolution>(layer_.shape, weights);
        layer_.convolution = aten_.get();
        if (choice_.algorithm == Algorithm::cudnn) {
            const std::string why = "cudnn cannot: " + cudnn_->failure();
            choice_ = {Algorithm::cudnn_separate, choice_.reason.empty() ? why : choice_.reason + "; " + why};
        }
        cudnn_.reset();
    }
    switch (choice_.algorithm) {
        case Algorithm::cudnn_separate: layer_.engine = Engine::separate; return;
        case Algorithm::implicit_gemm: layer_.engine = Engine::implicit_gemm; break;
        default: layer_.engine = Engine::accumulate; return;
    }
    const Storage storage = layer_.storage;
    packed_forward_ = bytes(packed_forward_bytes(storage, shape().filters, layer_.kernel));
    packed_backward_ = bytes(packed_backward_bytes(storage, shape().filters, layer_.kernel));
    const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
    check(pack_forward(storage, shape().filters, layer_.kernel,
                       weights.permute({2, 3, 0, 1}).contiguous().const_data_ptr(), packed_forward_.mutable_data_ptr(),
                       stream));
    check(pack_backward(storage, shape().filters, layer_.kernel,
                        weights.permute({2, 3, 1, 0}).contiguous().const_data_ptr(),
                        packed_backward_.mutable_data_ptr(), stream));
    layer_.packed_forward = packed_forward_.const_data_ptr();
    layer_.packed_backward = packed_backward_.const_data_ptr();
}

torch::Tensor Layer::frames(std::int64_t first, std::int64_t count) const {
    return by_time(a_.x.narrow(1, first, count)).flatten(0, 1);
}

torch::Tensor Layer::input_part(const torch::Tensor& frames) const {
    const torch::Tensor bias = layer_.norm ? a_.weights.bias : torch::Tensor();
    const torch::Tensor part = convolve(frames, a_.weights.input, bias, a_.rules.convolution);
    return channels_last(part).unflatten(0, {frames.size(0) / shape().batch, shape().batch});
}

torch::Tensor Layer::bytes(std::size_t count) const {
    if (count == 0) return {};
    return at::empty({static_cast<std::int64_t>(count)}, a_.x.options().dtype(at::kByte));
}

void Layer::check(cudaError_t error) const {
    TORCH_CHECK(cudnn_ == nullptr || cudnn_->failure().empty(), "ConvLstm: cuDNN failed at a layer of ", layer_text(a_),
                ": ", cudnn_->failure(), "; the algorithm cudnn-separate does without it");
    C10_CUDA_CHECK(error);
}

void Layer::note(bool backward) const {
    note_engine_use({layer_text(a_), name_of(choice_.algorithm) + ", " + a_.x.device().str(), choice_.reason},
                    backward);
}

}  // namespace nowcell::cuda
