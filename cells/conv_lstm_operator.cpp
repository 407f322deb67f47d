#include "cells/conv_lstm_operator.h"

#include "cells/check.h"
#include "cells/conv_lstm_backend.h"
#include "cells/cpu/conv_lstm_engine.h"
#include "cells/sequence_function.h"

#include <ATen/ATen.h>
#include <torch/library.h>

namespace nowcell {
namespace {

using backend::backward_operator;
using backend::forward_operator;
using torch::autograd::AutogradContext;
using Tensors = std::vector<torch::Tensor>;

// Gradients lie in memory as conv_lstm_backward and cpu_backward leave them.
std::vector<torch::Tensor> backward_shapes(const ConvLstmArguments& arguments, const ConvLstmResult&,
                                           const torch::Tensor&, const State&, const std::vector<bool>& wanted) {
    std::vector<torch::Tensor> d = empty_gradients(arguments.tensors(), wanted);
    if (wanted[kX]) d[kX] = empty_gradient(arguments.x);
    return d;
}

TORCH_LIBRARY_IMPL(nowcell, CPU, library) {
    library.impl("conv_lstm_forward", forward_operator<cpu_forward>);
    library.impl("conv_lstm_backward", backward_operator<cpu_backward>);
}

// What has no kernels of its own runs on ATen's operators.
TORCH_LIBRARY_IMPL(nowcell, CompositeExplicitAutograd, library) {
    library.impl("conv_lstm_forward", forward_operator<conv_lstm_forward>);
    library.impl("conv_lstm_backward", backward_operator<conv_lstm_backward>);
}

TORCH_LIBRARY_IMPL(nowcell, Meta, library) {
    library.impl("conv_lstm_forward", forward_operator<conv_lstm_allocate>);
    library.impl("conv_lstm_backward", backward_operator<backward_shapes>);
}

// What SequenceFunction needs to know.
struct ConvLstmCell {
    struct Rules {
        CellRules cell;
        Algorithm algorithm;
    };
    static constexpr std::size_t kGradients = kConvLstmGradients;
    static constexpr std::size_t kOutputs = 3;

    static Tensors forward(const Tensors& tensors, const Rules& rules, Saved saved) {
        static const auto call = c10::Dispatcher::singleton()
                                     .findSchemaOrThrow("nowcell::conv_lstm_forward", "")
                                     .typed<decltype(forward_operator<cpu_forward>)>();
        const CellRules& cell = rules.cell;
        const auto [h, h_last, c_last, c, gates] = call.call(
            optional(tensors), cell.convolution.stride, cell.convolution.dilation, name_of(cell.convolution.padding),
            name_of(cell.activation), name_of(cell.recurrent_activation), name_of(saved), name_of(rules.algorithm));
        return {h, h_last, c_last, c, gates};
    }

    static Tensors backward(const Tensors& tensors, const Tensors& results, const Tensors& gradients,
                            const Rules& rules, const std::vector<bool>& wanted) {
        static const auto call = c10::Dispatcher::singleton()
                                     .findSchemaOrThrow("nowcell::conv_lstm_backward", "")
                                     .typed<decltype(backward_operator<cpu_backward>)>();
        const CellRules& cell = rules.cell;
        return call.call(optional(tensors), results, optional(gradients), cell.convolution.stride,
                         cell.convolution.dilation, name_of(cell.convolution.padding), name_of(cell.activation),
                         name_of(cell.recurrent_activation), name_of(rules.algorithm), list_of(wanted));
    }

    static Tensors reference(const Tensors& tensors, const Rules& rules) {
        const ConvLstmArguments a = ConvLstmArguments::from(tensors, rules.cell);
        State state = a.state;
        const torch::Tensor h = conv_lstm_reference(a.x, state, a.weights, rules.cell, a.noise);
        return {h, state.h, state.c};
    }

    static void save(AutogradContext& context, const Rules& rules) {
        save_rules(context, rules.cell);
        context.saved_data["algorithm"] = static_cast<std::int64_t>(rules.algorithm);
    }
    static Rules saved(AutogradContext& context) {
        return {saved_rules(context), static_cast<Algorithm>(context.saved_data["algorithm"].toInt())};
    }
};

// The operator of Python: everything by name, see operators.cpp.
std::tuple<torch::Tensor, torch::Tensor, torch::Tensor> python_conv_lstm(
    const torch::Tensor& x, const OptionalTensor& h, const OptionalTensor& c, const torch::Tensor& input,
    const torch::Tensor& hidden, const OptionalTensor& bias, const OptionalTensor& peephole,
    const OptionalTensor& norm_input_scale, const OptionalTensor& norm_input_shift,
    const OptionalTensor& norm_hidden_scale, const OptionalTensor& norm_hidden_shift,
    const OptionalTensor& input_dropout, const OptionalTensor& hidden_dropout, const OptionalTensor& keep_h,
    const OptionalTensor& keep_c, const OptionalTensor& mask, at::IntArrayRef stride, at::IntArrayRef dilation,
    std::string_view padding, std::string_view activation, std::string_view recurrent_activation, bool go_backwards,
    bool zero_output_for_mask, std::string_view memory, std::string_view algorithm) {
    State state{plain(h), plain(c)};
    const ConvLstmWeights weights{input,
                                  hidden,
                                  plain(bias),
                                  plain(peephole),
                                  plain(norm_input_scale),
                                  plain(norm_input_shift),
                                  plain(norm_hidden_scale),
                                  plain(norm_hidden_shift)};
    const SequenceNoise noise{plain(input_dropout), plain(hidden_dropout), plain(keep_h), plain(keep_c)};
    const torch::Tensor outputs = conv_lstm(
        x, state, weights, rules_from(stride, dilation, padding, activation, recurrent_activation), noise,
        {plain(mask), go_backwards, zero_output_for_mask}, memory_from(std::string(memory)), algorithm_from(algorithm));
    return {outputs, state.h, state.c};
}

TORCH_LIBRARY_IMPL(nowcell, CompositeImplicitAutograd, library) { library.impl("conv_lstm", python_conv_lstm); }

}  // namespace

std::vector<torch::Tensor> ConvLstmArguments::tensors() const {
    return {x,
            state.h,
            state.c,
            weights.input,
            weights.hidden,
            weights.bias,
            weights.peephole,
            weights.norm_input_scale,
            weights.norm_input_shift,
            weights.norm_hidden_scale,
            weights.norm_hidden_shift,
            noise.input_dropout,
            noise.hidden_dropout,
            noise.keep_h,
            noise.keep_c};
}

ConvLstmArguments ConvLstmArguments::from(const std::vector<torch::Tensor>& t, const CellRules& rules,
                                          Algorithm algorithm) {
    TORCH_CHECK_VALUE(t.size() == 15, "ConvLstm: ", t.size(), " tensors, expected 15");
    return {t[0],  {t[1], t[2]}, {t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10]}, {t[11], t[12], t[13], t[14]},
            rules, algorithm};
}

std::vector<std::int64_t> ConvLstmArguments::frame_size() const {
    return rules.convolution.output_size(x.sizes().slice(3), weights.input.sizes().slice(2));
}

void ConvLstmArguments::check() const {
    TensorCheck is("ConvLstm", x);
    is.weights(weights.input, weights.hidden, 4, rules.convolution);
    const std::int64_t filters = is.filters();
    const std::int64_t gates = 4 * filters;
    const torch::Tensor& scale = weights.norm_input_scale;
    TORCH_CHECK_VALUE(scale.defined() == weights.norm_input_shift.defined() &&
                          weights.norm_hidden_scale.defined() == weights.norm_hidden_shift.defined() &&
                          (scale.defined() || !weights.norm_hidden_scale.defined()),
                      "ConvLstm: a norm needs scale and shift, and one of the hidden part one of the input part");
    is.shape("state h", state.h, is.with_size({is.batch(), filters}), "(B,F,size'...)");
    is.shape("state c", state.c, is.with_size({is.batch(), filters}), "(B,F,size'...)");
    is.shape("bias", weights.bias, {gates}, "(4F)");
    is.broadcasts("peephole", weights.peephole, is.with_size({3, filters}), "(3,F,size'...)");
    TORCH_CHECK_VALUE(!weights.peephole.defined() || weights.peephole.size(0) == 3, "ConvLstm: peephole is ",
                      weights.peephole.sizes(), ", expected 3 along the first axis: i, f, o");
    const bool pixel = scale.defined() && scale.dim() == 1;
    const std::vector<std::int64_t> normed = pixel ? std::vector<std::int64_t>{gates} : is.with_size({gates});
    const char* letters = pixel ? "(4F)" : "(4F,size'...)";
    is.shape("norm_input_scale", scale, normed, letters);
    is.shape("norm_input_shift", weights.norm_input_shift, normed, letters);
    is.shape("norm_hidden_scale", weights.norm_hidden_scale, normed, letters);
    is.shape("norm_hidden_shift", weights.norm_hidden_shift, normed, letters);
    is.noise(noise, 4);
}

torch::Tensor conv_lstm(const torch::Tensor& x, State& state, const ConvLstmWeights& given, const CellRules& rules,
                        const SequenceNoise& noise, const SequenceOrder& order, Memory memory, Algorithm algorithm) {
    const auto cast = [&x](const torch::Tensor& weight) { return autocast_weight(x, weight); };
    const ConvLstmWeights weights{cast(given.input),
                                  cast(given.hidden),
                                  cast(given.bias),
                                  cast(given.peephole),
                                  cast(given.norm_input_scale),
                                  cast(given.norm_input_shift),
                                  cast(given.norm_hidden_scale),
                                  cast(given.norm_hidden_shift)};
    return in_order("ConvLstm", {x, state, noise}, weights.input.scalar_type(), order, [&](const SequenceInputs& in) {
        const ConvLstmArguments arguments{in.x, in.state, weights, in.noise, rules, algorithm};
        arguments.check();
        const Tensors outputs = run_sequence<ConvLstmCell>(arguments.tensors(), {rules, algorithm}, memory);
        state = {outputs[1], outputs[2]};
        return outputs[0];
    });
}

}  // namespace nowcell
