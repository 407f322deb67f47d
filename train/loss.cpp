#include "train/loss.h"

#include "predict/scores/ssim.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace nowcell {
namespace {

// Mean over what is known (undefined: all) of values times weights; 0 when nothing is known.
torch::Tensor weighted_mean(const torch::Tensor& values, const torch::Tensor& known, const torch::Tensor& weights) {
    const torch::Tensor weighted = weights.defined() ? values * weights : values;
    if (!known.defined()) return weighted.mean();
    return at::where(known, weighted, 0.0).sum() / known.sum().clamp_min(1);
}

torch::Tensor steps_along(const torch::Tensor& frames, std::int64_t axis) {
    return frames.narrow(axis, 1, frames.size(axis) - 1) - frames.narrow(axis, 0, frames.size(axis) - 1);
}

torch::Tensor both_known(const torch::Tensor& known, std::int64_t axis) {
    if (!known.defined()) return known;
    return known.narrow(axis, 1, known.size(axis) - 1).logical_and(known.narrow(axis, 0, known.size(axis) - 1));
}

torch::Tensor gradient_difference(const Supervised& frames, const torch::Tensor& known, const torch::Tensor& weights) {
    torch::Tensor sum = at::zeros({}, frames.prediction.options());
    for (const std::int64_t axis : {3, 4}) {
        if (frames.target.size(axis) < 2) continue;
        const torch::Tensor forecast = steps_along(frames.prediction, axis).abs();
        const torch::Tensor truth = steps_along(frames.target, axis).abs();
        sum = sum + weighted_mean((forecast - truth).abs(), both_known(known, axis), weights);
    }
    return sum;
}

void check_shapes(const Supervised& frames, const torch::Tensor& valid) {
    const auto& target = frames.target;
    TORCH_CHECK_VALUE(target.dim() == 5 && frames.prediction.sizes() == target.sizes(), "loss: prediction ",
                      frames.prediction.sizes(), ", target ", target.sizes(), ", expected (B,T,C,H,W) both");
    TORCH_CHECK_VALUE(!valid.defined() || valid.sizes() == target.sizes(), "loss: mask ",
                      valid.defined() ? valid.sizes() : at::IntArrayRef(), ", target ", target.sizes());
}

}  // namespace

Loss::Loss(LossOptions options, Normalizer normalizer)
    : options_(std::move(options)), normalizer_(std::move(normalizer)) {}

torch::Tensor Loss::operator()(const Supervised& given, const torch::Tensor& valid, std::int64_t input_steps) const {
    check_shapes(given, valid);
    Supervised frames = given;
    frames.prediction = given.prediction.to(given.target.scalar_type());  // of a network that computes in bfloat16
    if (valid.defined()) {                                                // what is not known may hold NaN
        frames.prediction = at::where(valid, frames.prediction, 0.0);
        frames.target = at::where(valid, given.target, 0.0);
    }
    const torch::Tensor weights = lead_weights(frames, input_steps);
    const auto similarity = [&] {
        const torch::Tensor values = dissimilarity(frames, valid);
        const torch::Tensor known = valid.defined() ? values.isnan().logical_not() : torch::Tensor();
        return weighted_mean(values, known, weights.defined() ? weights.flatten() : weights);
    };
    torch::Tensor loss;
    if (options_.name == "ssim") {
        loss = similarity();
    } else if (options_.name == "gdl") {
        loss = gradient_difference(frames, valid, weights);
    } else {
        loss = weighted_mean(pixel_errors(frames.prediction - frames.target, frames.target), valid, weights);
    }
    if (options_.gradient_weight > 0.0) {
        loss = loss + options_.gradient_weight * gradient_difference(frames, valid, weights);
    }
    if (options_.ssim_weight > 0.0) loss = loss + options_.ssim_weight * similarity();
    return loss;
}

torch::Tensor Loss::count(const Supervised& frames, const torch::Tensor& valid) {
    if (valid.defined()) return valid.sum().to(at::kDouble);
    return at::full({}, static_cast<double>(frames.target.numel()), frames.target.options().dtype(at::kDouble));
}

// (T,1,1,1), or undefined where all leads weigh the same.
torch::Tensor Loss::lead_weights(const Supervised& frames, std::int64_t input_steps) const {
    const std::vector<double>& of_lead = options_.lead_weights;
    if (of_lead.empty()) return {};
    std::vector<double> weights;
    for (std::int64_t t = 0; t < frames.target.size(1); ++t) {
        const std::int64_t place = std::max<std::int64_t>(0, frames.first + t - input_steps);  // lead 1 is at 0
        TORCH_CHECK_VALUE(place < static_cast<std::int64_t>(of_lead.size()), "loss: lead ", place + 1,
                          " has no weight, there are ", of_lead.size());
        weights.push_back(of_lead[static_cast<std::size_t>(place)]);
    }
    return at::tensor(weights, at::kDouble).to(frames.prediction.options()).view({-1, 1, 1, 1});
}

torch::Tensor Loss::pixel_errors(const torch::Tensor& difference, const torch::Tensor& target) const {
    const std::string& name = options_.name;
    const torch::Tensor size = difference.abs();
    if (name == "huber") {
        const torch::Tensor near = size.clamp_max(options_.huber_delta);
        return near * (size - 0.5 * near);
    }
    const bool absolute = name.find("mae") != std::string::npos;
    const bool square = name.find("mse") != std::string::npos;
    torch::Tensor errors = absolute ? size : difference.square();
    if (absolute && square) errors = errors + difference.square();
    return name.rfind("b-", 0) == 0 ? errors * class_weights(target) : errors;
}

torch::Tensor Loss::class_weights(const torch::Tensor& target) const {
    // Through the same arithmetic as the target, so that a value on a threshold stays on it.
    const torch::Tensor thresholds = normalizer_.apply(at::tensor(options_.thresholds, target.options()));
    return at::tensor(options_.threshold_weights, target.options())
        .take(at::bucketize(target.contiguous(), thresholds, /*out_int32=*/false, /*right=*/true));
}

// 1 - SSIM of each frame, (B,T); NaN where no window is known.
torch::Tensor Loss::dissimilarity(const Supervised& frames, const torch::Tensor& valid) const {
    const torch::Tensor& target = frames.target;
    TORCH_CHECK_VALUE(std::min(target.size(3), target.size(4)) >= kSsimWindow, "loss: SSIM needs frames of at least ",
                      kSsimWindow, "x", kSsimWindow, ", got ", target.size(3), "x", target.size(4));
    const auto unit = [&](const torch::Tensor& x) {
        return normalizer_.unit_range(normalizer_.invert(x)).flatten(0, 1);
    };
    const torch::Tensor values =
        ssim(unit(frames.prediction), unit(target), valid.defined() ? valid.flatten(0, 1) : valid);
    return 1.0 - values.view({target.size(0), target.size(1)}).to(frames.prediction.scalar_type());
}

}  // namespace nowcell
