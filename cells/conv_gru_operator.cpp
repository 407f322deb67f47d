#include "cells/conv_gru_operator.h"

#include "cells/check.h"
#include "cells/choice.h"
#include "cells/rules.h"
#include "cells/sequence_function.h"

#include <ATen/ATen.h>
#include <torch/library.h>

namespace nowcell {
namespace {

using torch::autograd::AutogradContext;
using Tensors = std::vector<torch::Tensor>;

const char* name_of(Reset reset) { return reset == Reset::before ? "before" : "after"; }
const char* name_of(Update update) { return update == Update::keep ? "keep" : "replace"; }

using ResultTuple = std::tuple<torch::Tensor, torch::Tensor, torch::Tensor>;

ConvGruArguments arguments_from(const OptionalTensors& tensors, const CellRules& rules, std::string_view reset,
                                std::string_view update) {
    ConvGruArguments arguments = ConvGruArguments::from(
        plain(tensors), {rules, reset_from(std::string(reset)), update_from(std::string(update))});
    arguments.check();
    return arguments;
}

// The operators below autograd. A backend (CPU, CUDA) implements these two.

ResultTuple forward_operator(const OptionalTensors& tensors, at::IntArrayRef stride, at::IntArrayRef dilation,
                             std::string_view padding, std::string_view activation,
                             std::string_view recurrent_activation, std::string_view reset, std::string_view update,
                             std::string_view saved) {
    const CellRules rules = rules_from(stride, dilation, padding, activation, recurrent_activation);
    const ConvGruResult r = conv_gru_forward(arguments_from(tensors, rules, reset, update), saved_from(saved));
    return {r.h, r.last, r.gates};
}

ResultTuple forward_shapes(const OptionalTensors& tensors, at::IntArrayRef stride, at::IntArrayRef dilation,
                           std::string_view padding, std::string_view activation, std::string_view recurrent_activation,
                           std::string_view reset, std::string_view update, std::string_view saved) {
    const CellRules rules = rules_from(stride, dilation, padding, activation, recurrent_activation);
    const ConvGruResult r = conv_gru_allocate(arguments_from(tensors, rules, reset, update), saved_from(saved));
    return {r.h, r.last, r.gates};
}

// The gradients are in the order of `tensors`; those not wanted are empty.
std::vector<torch::Tensor> backward_operator(const OptionalTensors& tensors, at::TensorList results,
                                             const OptionalTensors& gradients, at::IntArrayRef stride,
                                             at::IntArrayRef dilation, std::string_view padding,
                                             std::string_view activation, std::string_view recurrent_activation,
                                             std::string_view reset, std::string_view update,
                                             const c10::List<bool>& wanted) {
    const CellRules rules = rules_from(stride, dilation, padding, activation, recurrent_activation);
    const ConvGruArguments arguments = arguments_from(tensors, rules, reset, update);
    TORCH_CHECK_VALUE(results.size() == 3 && gradients.size() == 2 && wanted.size() == kConvGruGradients,
                      "ConvGru: backward got ", results.size(), " results, ", gradients.size(), " gradients and ",
                      wanted.size(), " wanted, expected 3, 2 and ", kConvGruGradients);
    const std::vector<torch::Tensor> d = plain(gradients);
    return or_empty(conv_gru_backward(arguments, {results[0], results[1], results[2]}, d[0], d[1], wanted.vec()),
                    arguments.x);
}

std::vector<torch::Tensor> backward_shapes(const OptionalTensors& tensors, at::TensorList, const OptionalTensors&,
                                           at::IntArrayRef, at::IntArrayRef, std::string_view, std::string_view,
                                           std::string_view, std::string_view, std::string_view,
                                           const c10::List<bool>& wanted) {
    return empty_gradients(plain(tensors), wanted.vec());
}

TORCH_LIBRARY_IMPL(nowcell, CPU, library) {
    library.impl("conv_gru_forward", forward_operator);
    library.impl("conv_gru_backward", backward_operator);
}

// What has no kernels of its own runs on ATen's operators.
TORCH_LIBRARY_IMPL(nowcell, CompositeExplicitAutograd, library) {
    library.impl("conv_gru_forward", forward_operator);
    library.impl("conv_gru_backward", backward_operator);
}

TORCH_LIBRARY_IMPL(nowcell, Meta, library) {
    library.impl("conv_gru_forward", forward_shapes);
    library.impl("conv_gru_backward", backward_shapes);
}

// What SequenceFunction needs to know.
struct ConvGruCell {
    using Rules = ConvGruRules;
    static constexpr std::size_t kGradients = kConvGruGradients;
    static constexpr std::size_t kOutputs = 2;

    static Tensors forward(const Tensors& tensors, const Rules& rules, Saved saved) {
        static const auto call = c10::Dispatcher::singleton()
                                     .findSchemaOrThrow("nowcell::conv_gru_forward", "")
                                     .typed<decltype(forward_operator)>();
        const auto [h, last, gates] =
            call.call(optional(tensors), rules.convolution.stride, rules.convolution.dilation,
                      nowcell::name_of(rules.convolution.padding), nowcell::name_of(rules.activation),
                      nowcell::name_of(rules.recurrent_activation), name_of(rules.reset), name_of(rules.update),
                      nowcell::name_of(saved));
        return {h, last, gates};
    }

    static Tensors backward(const Tensors& tensors, const Tensors& results, const Tensors& gradients,
                            const Rules& rules, const std::vector<bool>& wanted) {
        static const auto call = c10::Dispatcher::singleton()
                                     .findSchemaOrThrow("nowcell::conv_gru_backward", "")
                                     .typed<decltype(backward_operator)>();
        return call.call(optional(tensors), results, optional(gradients), rules.convolution.stride,
                         rules.convolution.dilation, nowcell::name_of(rules.convolution.padding),
                         nowcell::name_of(rules.activation), nowcell::name_of(rules.recurrent_activation),
                         name_of(rules.reset), name_of(rules.update), list_of(wanted));
    }

    static Tensors reference(const Tensors& tensors, const Rules& rules) {
        const ConvGruArguments a = ConvGruArguments::from(tensors, rules);
        State state{a.h, {}};
        const torch::Tensor h = conv_gru_reference(a.x, state, a.weights, rules, a.noise);
        return {h, state.h};
    }

    static void save(AutogradContext& context, const Rules& rules) {
        save_rules(context, rules);
        context.saved_data["reset"] = std::string(name_of(rules.reset));
        context.saved_data["update"] = std::string(name_of(rules.update));
    }

    static Rules saved(AutogradContext& context) {
        return {saved_rules(context), reset_from(context.saved_data["reset"].toStringRef()),
                update_from(context.saved_data["update"].toStringRef())};
    }
};

// The operator of Python: everything by name, see operators.cpp.
std::tuple<torch::Tensor, torch::Tensor> python_conv_gru(
    const torch::Tensor& x, const OptionalTensor& h, const torch::Tensor& input, const torch::Tensor& hidden,
    const OptionalTensor& bias, const OptionalTensor& hidden_bias, const OptionalTensor& input_dropout,
    const OptionalTensor& hidden_dropout, const OptionalTensor& keep_h, const OptionalTensor& mask,
    at::IntArrayRef stride, at::IntArrayRef dilation, std::string_view padding, std::string_view activation,
    std::string_view recurrent_activation, std::string_view reset, std::string_view update, bool go_backwards,
    bool zero_output_for_mask, std::string_view memory) {
    State state{plain(h), {}};
    const ConvGruRules rules{rules_from(stride, dilation, padding, activation, recurrent_activation),
                             reset_from(std::string(reset)), update_from(std::string(update))};
    const torch::Tensor outputs =
        conv_gru(x, state, {input, hidden, plain(bias), plain(hidden_bias)}, rules,
                 {plain(input_dropout), plain(hidden_dropout), plain(keep_h), {}},
                 {plain(mask), go_backwards, zero_output_for_mask}, memory_from(std::string(memory)));
    return {outputs, state.h};
}

TORCH_LIBRARY_IMPL(nowcell, CompositeImplicitAutograd, library) { library.impl("conv_gru", python_conv_gru); }

}  // namespace

Reset reset_from(const std::string& name) { return choice<Reset>("reset", name, {"before", "after"}); }

Update update_from(const std::string& name) { return choice<Update>("update", name, {"keep", "replace"}); }

std::vector<torch::Tensor> ConvGruArguments::tensors() const {
    return {x,
            h,
            weights.input,
            weights.hidden,
            weights.bias,
            weights.hidden_bias,
            noise.input_dropout,
            noise.hidden_dropout,
            noise.keep_h};
}

ConvGruArguments ConvGruArguments::from(const std::vector<torch::Tensor>& t, const ConvGruRules& rules) {
    TORCH_CHECK_VALUE(t.size() == 9, "ConvGru: ", t.size(), " tensors, expected 9");
    return {t[0], t[1], {t[2], t[3], t[4], t[5]}, {t[6], t[7], t[8], {}}, rules};
}

std::vector<std::int64_t> ConvGruArguments::frame_size() const {
    return rules.convolution.output_size(x.sizes().slice(3), weights.input.sizes().slice(2));
}

void ConvGruArguments::check() const {
    TensorCheck is("ConvGru", x);
    is.weights(weights.input, weights.hidden, 3, rules.convolution);
    is.shape("state h", h, is.with_size({is.batch(), is.filters()}), "(B,F,size'...)");
    is.shape("bias", weights.bias, {3 * is.filters()}, "(3F)");
    is.shape("hidden_bias", weights.hidden_bias, {3 * is.filters()}, "(3F)");
    TORCH_CHECK_VALUE(rules.reset == Reset::after || !weights.hidden_bias.defined(),
                      "ConvGru: hidden_bias is for reset after, expected none with reset before");
    is.noise(noise, 3);
}

torch::Tensor conv_gru(const torch::Tensor& x, State& state, const ConvGruWeights& given, const ConvGruRules& rules,
                       const SequenceNoise& noise, const SequenceOrder& order, Memory memory) {
    const auto cast = [&x](const torch::Tensor& weight) { return autocast_weight(x, weight); };
    const ConvGruWeights weights{cast(given.input), cast(given.hidden), cast(given.bias), cast(given.hidden_bias)};
    return in_order("ConvGru", {x, state, noise}, weights.input.scalar_type(), order, [&](const SequenceInputs& in) {
        const ConvGruArguments arguments{in.x, in.state.h, weights, in.noise, rules};
        arguments.check();
        const Tensors outputs = run_sequence<ConvGruCell>(arguments.tensors(), rules, memory);
        state.h = outputs[1];
        return outputs[0];
    });
}

}  // namespace nowcell
