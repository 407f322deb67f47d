#include "cells/sequence_order.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

namespace nowcell {
namespace {

// (B,T) as (B,T,1,1...) beside a sequence.
torch::Tensor beside(const torch::Tensor& mask, const torch::Tensor& sequence) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(sequence.dim()), 1);
    shape[0] = mask.size(0);
    shape[1] = mask.size(1);
    return mask.view(shape);
}

// A skipped step keeps all of its state, whatever zoneout says.
torch::Tensor keep_skipped(const torch::Tensor& keep, const torch::Tensor& skipped) {
    return keep.defined() ? at::where(skipped.to(at::kBool), at::ones({}, skipped.options()), keep) : skipped;
}

}  // namespace

torch::Tensor in_order(const char* name, const torch::Tensor& given, at::ScalarType type, const SequenceNoise& noise,
                       const SequenceOrder& order,
                       const std::function<torch::Tensor(const torch::Tensor&, const SequenceNoise&)>& cell) {
    const at::DeviceType device = given.device().type();
    const bool autocast = at::autocast::is_autocast_available(device) && at::autocast::is_autocast_enabled(device);
    const torch::Tensor x = autocast && given.is_floating_point() ? given.to(type) : given;
    // The convolutions inside would be cast one by one, and not again in the backward pass.
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    torch::Tensor frames = order.go_backwards ? x.flip(1) : x;
    if (!order.mask.defined()) return cell(frames, noise);
    TORCH_CHECK_VALUE(x.dim() > 1 && order.mask.sizes() == x.sizes().slice(0, 2), name, ": mask is ",
                      order.mask.sizes(), ", expected (B,T) as x is ", x.sizes());
    TORCH_CHECK_TYPE(order.mask.scalar_type() == at::kBool, name, ": mask is ", order.mask.scalar_type(),
                     ", expected bool");
    TORCH_CHECK_VALUE(order.mask.device() == x.device(), name, ": mask is on ", order.mask.device(), ", expected ",
                      x.device(), " like x");
    const torch::Tensor mask = (order.go_backwards ? order.mask.flip(1) : order.mask).contiguous();
    const torch::Tensor zero = at::zeros({}, x.options());
    frames = at::where(beside(mask, frames), frames, zero);
    const torch::Tensor skipped = beside(mask, x).logical_not().to(x.scalar_type());
    SequenceNoise held = noise;
    held.keep_h = keep_skipped(noise.keep_h, skipped);
    held.keep_c = keep_skipped(noise.keep_c, skipped);
    const torch::Tensor outputs = cell(frames, held);
    const torch::Tensor shown = order.zero_output_for_mask ? mask : mask.cumsum(1) > 0;
    return at::where(beside(shown, outputs), outputs, zero);
}

}  // namespace nowcell
