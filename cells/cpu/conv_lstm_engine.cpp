#include "cells/cpu/conv_lstm_engine.h"

#include "cells/cpu/engine_use.h"
#include "cells/cpu/plan.h"
#include "cells/frame_layout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>

namespace nowcell {
namespace {

using cpu::Frames;

bool all_are(at::IntArrayRef values, std::int64_t one) {
    return std::all_of(values.begin(), values.end(), [one](std::int64_t value) { return value == one; });
}

// One number for each item and step.
bool per_step(const torch::Tensor& keep) {
    return !keep.defined() || (keep.dim() == 5 && all_are(keep.sizes().slice(2), 1));
}

// Of all but the type. Null: they fit.
const char* misfit_of_shape(const ConvLstmArguments& a) {
    const ConvLstmWeights& w = a.weights;
    if (a.algorithm == Algorithm::reference) return "asked for";
    if (a.x.dim() != 5) return "frames without two axes";
    const std::int64_t kernel = w.input.size(2);
    if (w.input.size(3) != kernel) return "a kernel that is not square";
    if (kernel > 7 || kernel % 2 == 0) return "a kernel other than 1, 3, 5 and 7";
    if (a.rules.convolution.padding != Padding::same) return "padding \"valid\"";
    if (!all_are(a.rules.convolution.stride, 1)) return "a stride";
    if (!all_are(a.rules.convolution.dilation, 1)) return "a dilation";
    if (w.norm_input_scale.defined()) return "a norm of the gates";
    if (a.noise.input_dropout.defined() || a.noise.hidden_dropout.defined()) return "dropout inside the cell";
    if (!per_step(a.noise.keep_h) || !per_step(a.noise.keep_c)) return "zoneout";
    if (a.x.numel() == 0) return "an empty sequence";
    const std::int64_t pixels = a.x.size(0) * a.x.size(3) * a.x.size(4);
    const std::int64_t depth = std::max(4 * a.filters(), a.x.size(2));
    if (pixels * (depth + 64) > std::numeric_limits<std::int32_t>::max()) return "frames of 2^31 numbers";
    return nullptr;
}

const char* misfit(const ConvLstmArguments& a) {
    return a.x.scalar_type() == at::kFloat ? misfit_of_shape(a) : "not float32";
}

// Frames of (B,T,C,H,W), or of (B,C,H,W) as one step; as they are if they have no gaps, else copied into `kept`.
Frames frames_of(const torch::Tensor& tensor, torch::Tensor& kept) {
    if (!tensor.defined()) return {};
    kept = has_planes(tensor) || is_channels_last(tensor) ? tensor : tensor.contiguous();
    Frames frames;
    frames.data = static_cast<float*>(const_cast<void*>(kept.const_data_ptr()));
    frames.batch = kept.stride(0);
    frames.step = kept.dim() == 5 ? kept.stride(1) : 0;
    frames.channels_last = !has_planes(kept);
    return frames;
}

// The call as the kernels know it; keeps the tensors it points to.
class Call {
 public:
    Call(const ConvLstmArguments& a, bool training) : a_(a) {
        const ConvLstmWeights& w = a.weights;
        input_ = w.input.contiguous();
        hidden_ = w.hidden.contiguous();
        if (w.bias.defined()) bias_ = w.bias.contiguous();
        if (w.peephole.defined()) {  // channels last
            peephole_ = w.peephole.permute({0, 2, 3, 1}).contiguous();
        }
        problem_.batch = static_cast<int>(a.x.size(0));
        problem_.height = static_cast<int>(a.x.size(3));
        problem_.width = static_cast<int>(a.x.size(4));
        problem_.channels = static_cast<int>(a.x.size(2));
        problem_.filters = static_cast<int>(a.filters());
        problem_.kernel = static_cast<int>(w.input.size(2));
        problem_.threads = at::in_parallel_region() ? 1 : at::get_num_threads();
        problem_.training = training;
        problem_.pixel_peephole = w.peephole.defined() && w.peephole[0][0].numel() > 1;
        problem_.activation = a.rules.activation;
        problem_.recurrent_activation = a.rules.recurrent_activation;
        problem_.standard = a.rules.activation == Activation::tanh &&
                            a.rules.recurrent_activation == Activation::sigmoid && !w.peephole.defined() &&
                            !a.noise.keep_h.defined() && !a.noise.keep_c.defined();
        problem_.algorithm = is_for_cpu(a.algorithm) ? a.algorithm : Algorithm::automatic;
        // Who wants the same choices of cuDNN in each run wants them here as well.
        problem_.timed = !at::globalContext().deterministicAlgorithms() && !at::globalContext().deterministicCuDNN();
        steps_ = static_cast<int>(a.x.size(1));
        keep_h_ = by_step(a.noise.keep_h);
        keep_c_ = by_step(a.noise.keep_c);
    }

    const cpu::Problem& problem() const { return problem_; }
    int steps() const { return steps_; }
    cpu::Weights weights() const {
        return {input_.const_data_ptr<float>(), hidden_.const_data_ptr<float>(), pointer(bias_)};
    }
    cpu::WeightStamp stamp() const {
        return cpu::stamp_of(weights(), version(input_), version(hidden_), static_cast<std::size_t>(input_.numel()),
                             static_cast<std::size_t>(hidden_.numel()));
    }
    const float* peephole() const { return pointer(peephole_); }

    /// What both passes are given: ForwardCall or BackwardCall.
    template <class Target>
    Target of_kernels(const ConvLstmResult& result) {
        Target target;
        target.steps = steps_;
        target.x = frames(a_.x);
        target.h_first = frames(a_.state.h);
        target.c_first = frames(a_.state.c);
        target.h = frames(result.h);
        if (result.c.numel() > 0) {
            target.c = kept_frames(result.c);
            target.c_every = result.c.size(1) == steps_ ? 1 : static_cast<int>(checkpoint_distance(steps_));
        }
        if (result.gates.numel() > 0) target.gates = kept_frames(result.gates);
        target.keep_h = {pointer(keep_h_)};
        target.keep_c = {pointer(keep_c_)};
        return target;
    }
    Frames frames(const torch::Tensor& tensor) {
        torch::Tensor kept;
        const Frames frames = frames_of(tensor, kept);
        if (kept.defined()) kept_.push_back(kept);
        return frames;
    }

    void note(const cpu::Plan& plan, bool backward) const {
        std::string reason;
        if (a_.algorithm != Algorithm::automatic && a_.algorithm != plan.algorithm()) {
            reason = name_of(a_.algorithm) + why_not(a_.algorithm);
        }
        note_engine_use({layer_text(a_), plan.text(), reason}, backward);
    }

 private:
    const char* why_not(Algorithm algorithm) const {
        if (!is_for_cpu(algorithm)) return " is for a GPU";
        return cpu::kernels_for(algorithm, problem_.kernel) == nullptr
                   ? " has no kernel of that size"
                   : " differs too much from direct with these weights";
    }
    // Of c and gates, which the kernels have channels last whatever the strides of single pixels say.
    Frames kept_frames(const torch::Tensor& tensor) {
        Frames result = frames(tensor);
        result.channels_last = true;
        return result;
    }
    static const float* pointer(const torch::Tensor& tensor) {
        return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
    }
    // A copy that contiguous() made is another tensor each time.
    std::int64_t version(const torch::Tensor& used) const {
        const bool own = used.is_same(a_.weights.input) || used.is_same(a_.weights.hidden);
        return own && !used.is_inference() ? used._version() : -1;
    }
    torch::Tensor by_step(const torch::Tensor& keep) const {
        if (!keep.defined()) return {};
        return keep.expand({problem_.batch, steps_, 1, 1, 1}).reshape({problem_.batch, steps_}).t().contiguous();
    }

    const ConvLstmArguments& a_;
    cpu::Problem problem_;
    int steps_ = 0;
    torch::Tensor input_, hidden_, bias_, peephole_, keep_h_, keep_c_;
    std::vector<torch::Tensor> kept_;
};

const cpu::Parallel& parallel() {
    static const cpu::Parallel run = [](int count, const std::function<void(int)>& work) {
        at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) work(static_cast<int>(i));
        });
    };
    return run;
}

// Why LibTorch's operators must do; null where the kernels can.
const char* obstacle(const ConvLstmArguments& a) {
    if (const char* const reason = misfit(a)) return reason;
    if (cpu::kernels_for(Algorithm::direct, static_cast<int>(a.weights.input.size(2))) == nullptr) {
        return "no kernels for this processor";
    }
    return nullptr;
}

void note_reference(const ConvLstmArguments& a, const char* reason, bool backward) {
    note_engine_use({layer_text(a), "reference", reason}, backward);
}

}  // namespace

bool keeps_checkpoints(const ConvLstmArguments& arguments) {
    const at::ScalarType type = arguments.x.scalar_type();
    return (type == at::kFloat || at::isReducedFloatingType(type)) && misfit_of_shape(arguments) == nullptr;
}

std::string layer_text(const ConvLstmArguments& a) {
    std::string text = std::to_string(a.x.size(2)) + " -> " + std::to_string(a.filters()) + ", ";
    for (const std::int64_t side : a.weights.input.sizes().slice(2)) {
        text += (text.ends_with(", ") ? "" : "x") + std::to_string(side);
    }
    text += ", batch " + std::to_string(a.x.size(0)) + ", ";
    for (const std::int64_t side : a.x.sizes().slice(3))
        text += (text.ends_with(", ") ? "" : "x") + std::to_string(side);
    return text;
}

ConvLstmResult cpu_forward(const ConvLstmArguments& a, Saved saved) {
    if (const char* const reason = obstacle(a)) {
        note_reference(a, reason, false);
        return conv_lstm_forward(a, saved);
    }
    ConvLstmResult result = conv_lstm_allocate(a, saved);
    Call call(a, saved != Saved::none);
    const cpu::WeightStamp stamp = call.stamp();
    cpu::PlanLease plan(call.problem(), call.weights(), stamp, call.steps());
    plan->pack(call.weights(), stamp, false);
    auto forward = call.of_kernels<cpu::ForwardCall>(result);
    forward.h_last = call.frames(result.last.h);
    forward.c_last = call.frames(result.last.c);
    const cpu::ArenaLease arena;
    cpu::run_forward(plan->layer(call.peephole()), plan->kernels(), plan->workers(), parallel(), *arena.get(), forward);
    call.note(*plan, false);
    return result;
}

std::vector<torch::Tensor> cpu_backward(const ConvLstmArguments& a, const ConvLstmResult& result,
                                        const torch::Tensor& outputs, const State& last,
                                        const std::vector<bool>& wanted) {
    if (const char* const reason = obstacle(a)) {
        note_reference(a, reason, true);
        return conv_lstm_backward(a, result, outputs, last, wanted);
    }
    const ConvLstmWeights& w = a.weights;
    Call call(a, true);
    const cpu::WeightStamp stamp = call.stamp();
    cpu::PlanLease plan(call.problem(), call.weights(), stamp, call.steps());
    plan->pack(call.weights(), stamp, true);
    std::vector<torch::Tensor> d(kConvLstmGradients);
    const auto gradient = [&](std::size_t index, const torch::Tensor& like) {
        if (wanted[index] && like.defined()) d[index] = at::empty_like(like, at::MemoryFormat::Contiguous);
    };
    if (wanted[kX]) d[kX] = empty_gradient(a.x);
    gradient(kH, a.state.h);
    gradient(kC, a.state.c);
    if (wanted[kInput] || wanted[kHidden]) {
        d[kInput] = at::empty_like(w.input, at::MemoryFormat::Contiguous);
        d[kHidden] = at::empty_like(w.hidden, at::MemoryFormat::Contiguous);
    }
    gradient(kBias, w.bias);
    torch::Tensor d_peephole;
    if (wanted[kPeephole]) d_peephole = at::empty_like(w.peephole.permute({0, 2, 3, 1}), at::MemoryFormat::Contiguous);

    auto backward = call.of_kernels<cpu::BackwardCall>(result);
    backward.d_h = call.frames(outputs);
    backward.d_h_last = call.frames(last.h);
    backward.d_c_last = call.frames(last.c);
    backward.d_x = call.frames(d[kX]);
    backward.d_h_first = call.frames(d[kH]);
    backward.d_c_first = call.frames(d[kC]);
    const auto pointer = [](const torch::Tensor& t) { return t.defined() ? t.mutable_data_ptr<float>() : nullptr; };
    backward.weights = {pointer(d[kInput]), pointer(d[kHidden])};
    backward.d_bias = pointer(d[kBias]);
    backward.d_peephole = pointer(d_peephole);
    const cpu::ArenaLease arena;
    cpu::run_backward(plan->layer(call.peephole()), plan->kernels(), plan->workers(), parallel(), *arena.get(),
                      backward);
    call.note(*plan, true);
    if (d_peephole.defined()) d[kPeephole] = d_peephole.permute({0, 3, 1, 2}).contiguous();
    for (const std::size_t weight : {kInput, kHidden}) {  // computed together
        if (!wanted[weight]) d[weight] = torch::Tensor();
    }
    return d;
}

}  // namespace nowcell
