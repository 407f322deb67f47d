#include "cells/sequence_order.h"

#include "cells/check.h"
#include "cells/shapes.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

namespace nowcell {
namespace {

// A skipped step keeps all of its state, whatever zoneout says.
torch::Tensor keep_skipped(const torch::Tensor& keep, const torch::Tensor& skipped) {
    return keep.defined() ? at::where(skipped.to(at::kBool), at::ones({}, skipped.options()), keep) : skipped;
}

bool autocasts(const torch::Tensor& x) {
    const at::DeviceType device = x.device().type();
    return at::autocast::is_autocast_available(device) && at::autocast::is_autocast_enabled(device);
}

// Everything that comes with the weights in their type, where autocast asks for it.
SequenceInputs cast(const SequenceInputs& given, at::ScalarType type) {
    if (!autocasts(given.x)) return given;
    const auto to_type = [type](const torch::Tensor& tensor) {
        return tensor.defined() && tensor.is_floating_point() ? tensor.to(type) : tensor;
    };
    const SequenceNoise& noise = given.noise;
    return {
        to_type(given.x),
        {to_type(given.state.h), to_type(given.state.c)},
        {to_type(noise.input_dropout), to_type(noise.hidden_dropout), to_type(noise.keep_h), to_type(noise.keep_c)}};
}

}  // namespace

torch::Tensor autocast_weight(const torch::Tensor& x, const torch::Tensor& weight) {
    if (!weight.defined() || !x.defined() || !autocasts(x)) return weight;
    const at::DeviceType device = x.device().type();
    return at::autocast::cached_cast(at::autocast::get_autocast_dtype(device), weight, device);
}

torch::Tensor in_order(const char* name, const SequenceInputs& given, at::ScalarType type, const SequenceOrder& order,
                       const std::function<torch::Tensor(const SequenceInputs&)>& cell) {
    TORCH_CHECK_VALUE(given.x.defined(), name, ": x is undefined, expected (B,T,C,size...)");
    SequenceInputs inputs = cast(given, type);
    // The convolutions inside would be cast one by one, and not again in the backward pass.
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    {
        const TensorCheck is(name, inputs.x);
        is.mask(order.mask);
        is.over_time("keep_h", inputs.noise.keep_h);
        is.over_time("keep_c", inputs.noise.keep_c);
    }
    if (order.go_backwards) inputs.x = inputs.x.flip(1);
    if (!order.mask.defined()) return cell(inputs);
    const torch::Tensor mask = (order.go_backwards ? order.mask.flip(1) : order.mask).contiguous();
    const torch::Tensor zero = at::zeros({}, inputs.x.options());
    inputs.x = at::where(beside(mask, inputs.x), inputs.x, zero);
    const torch::Tensor skipped = beside(mask, inputs.x).logical_not().to(inputs.x.scalar_type());
    inputs.noise.keep_h = keep_skipped(inputs.noise.keep_h, skipped);
    inputs.noise.keep_c = keep_skipped(inputs.noise.keep_c, skipped);
    const torch::Tensor outputs = cell(inputs);
    const torch::Tensor shown = order.zero_output_for_mask ? mask : mask.cumsum(1) > 0;
    return at::where(beside(shown, outputs), outputs, zero);
}

}  // namespace nowcell
