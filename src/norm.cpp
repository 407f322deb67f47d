#include "src/norm.h"

#include "cells/layer_norm.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace nowcell {
namespace {

constexpr double kEps = 1e-5;
constexpr double kKerasEps = 1e-3;
constexpr double kMomentum = 0.1;        // of the new value
constexpr double kKerasMomentum = 0.01;  // likewise: Keras says 0.99, of the old one

}  // namespace

Norm::Norm(const std::string& kind, std::int64_t channels, std::int64_t groups) : kind_(kind), groups_(groups) {
    TORCH_CHECK_VALUE(kind == "batch" || kind == "batch_keras" || kind == "layer" || kind == "group", "norm: got \"",
                      kind, "\", expected batch, batch_keras, layer or group");
    TORCH_CHECK_VALUE(kind != "group" || channels % groups == 0, "norm: ", channels,
                      " channels cannot be divided into ", groups, " groups");
    weight_ = register_parameter("weight", torch::ones({channels}));
    bias_ = register_parameter("bias", torch::zeros({channels}));
    if (kind.rfind("batch", 0) != 0) return;
    running_mean_ = register_buffer("running_mean", torch::zeros({channels}));
    running_var_ = register_buffer("running_var", torch::ones({channels}));
}

torch::Tensor Norm::forward(const torch::Tensor& hidden) {
    const torch::Tensor frames = hidden.flatten(0, 1);
    const torch::Tensor normal = kind_ == "layer"   ? layer_norm(frames, weight_, bias_)
                                 : kind_ == "group" ? at::group_norm(frames, groups_, weight_, bias_, kEps)
                                                    : batch(frames);
    return normal.unflatten(0, {hidden.size(0), hidden.size(1)});
}

FrameView Norm::forward_in_parts(const torch::Tensor& hidden) {
    if (kind_ == "group") return group(hidden);
    return mapped(FrameView(hidden), [this](const torch::Tensor& part) { return forward(part); });
}

FrameView Norm::group(const torch::Tensor& hidden) const {
    const std::int64_t batch = hidden.size(0);
    const std::int64_t channels = hidden.size(2);
    const auto [variance, mean] = at::var_mean(hidden.reshape({batch, groups_, -1}), {2}, /*correction=*/0);
    const auto of_channel = [&](const torch::Tensor& of_group) {
        return of_group.repeat_interleave(channels / groups_, 1).view({batch, 1, channels, 1, 1});
    };
    const torch::Tensor scale = of_channel((variance + kEps).rsqrt()) * weight_.view({channels, 1, 1});
    const torch::Tensor shift = bias_.view({channels, 1, 1}) - of_channel(mean) * scale;
    return mapped(FrameView(hidden), [scale, shift](const torch::Tensor& part) { return part * scale + shift; });
}

torch::Tensor Norm::batch(const torch::Tensor& frames) {
    const bool keras = kind_ == "batch_keras";
    const auto apply = [&](const torch::Tensor& mean, const torch::Tensor& var, double momentum) {
        return at::batch_norm(frames, weight_, bias_, mean, var, is_training(), momentum, keras ? kKerasEps : kEps,
                              /*cudnn_enabled=*/true);
    };
    if (!keras || !is_training()) return apply(running_mean_, running_var_, kMomentum);
    // The operator divides the variance that it hands out by N-1: taken alone, it is brought to N before it is mixed
    // in.
    const torch::Tensor mean = at::zeros_like(running_mean_);
    const torch::Tensor var = at::zeros_like(running_var_);
    const torch::Tensor normal = apply(mean, var, 1.0);
    const c10::NoGradGuard no_grad;
    const auto count = static_cast<double>(frames.numel() / frames.size(1));
    running_mean_.lerp_(mean, kKerasMomentum);
    running_var_.lerp_(var * ((count - 1.0) / count), kKerasMomentum);
    return normal;
}

}  // namespace nowcell
