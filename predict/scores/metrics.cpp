#include "predict/scores/metrics.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace nowcell {
namespace {

constexpr std::int64_t kWindow = kSsimWindow;
constexpr double kSigma = 1.5;
constexpr double kC1 = 0.01 * 0.01;
constexpr double kC2 = 0.03 * 0.03;
constexpr double kLeastError = 1e-10;  // 100 dB

torch::Tensor gaussian() {
    const c10::InferenceMode recordable(false);  // autograd takes no tensor that was made in inference mode
    const torch::Tensor x = at::arange(kWindow, at::kDouble) - (kWindow - 1) / 2;
    const torch::Tensor weights = at::exp(-(x * x) / (2.0 * kSigma * kSigma));
    return weights / weights.sum();
}

// Separable Gaussian mean of the windows that lie inside: (N,1,H,W) -> (N,1,H-10,W-10).
torch::Tensor local_mean(const torch::Tensor& x) {
    static const torch::Tensor made = gaussian();
    const torch::Tensor weights = made.to(x.device());
    return at::conv2d(at::conv2d(x, weights.view({1, 1, kWindow, 1})), weights.view({1, 1, 1, kWindow}));
}

// Mean of the rows of x (N,n) over the columns that `known` names; NaN where it names none.
torch::Tensor masked_mean(const torch::Tensor& x, const torch::Tensor& known) {
    return at::where(known, x, 0.0).sum(1) / known.sum(1).to(at::kDouble);
}

// (N,1,1,1): the mean of each plane (N,1,H,W) over what is not missing, 0 where all is.
torch::Tensor mean_of_known(const torch::Tensor& planes, const torch::Tensor& missing) {
    return masked_mean(planes.flatten(1), missing.logical_not().flatten(1)).nan_to_num(0.0).view({-1, 1, 1, 1});
}

bool on_range(const std::string& metric) { return metric == "ssim" || metric == "psnr"; }

}  // namespace

torch::Tensor ssim(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& valid) {
    const std::int64_t frames = a.size(0);
    if (a.size(2) < kWindow || a.size(3) < kWindow) {
        return at::full({frames}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
    }
    torch::Tensor x = a.to(at::kDouble).flatten(0, 1).unsqueeze(1);
    torch::Tensor y = b.to(at::kDouble).flatten(0, 1).unsqueeze(1);
    torch::Tensor missing;
    if (valid.defined()) {
        missing = valid.logical_not().flatten(0, 1).unsqueeze(1);
        const torch::Tensor neutral = mean_of_known(y, missing);
        x = at::where(missing, neutral, x);
        y = at::where(missing, neutral, y);
    }
    const torch::Tensor mean_x = local_mean(x);
    const torch::Tensor mean_y = local_mean(y);
    const torch::Tensor var_x = local_mean(x * x) - mean_x * mean_x;
    const torch::Tensor var_y = local_mean(y * y) - mean_y * mean_y;
    const torch::Tensor covariance = local_mean(x * y) - mean_x * mean_y;
    const torch::Tensor map = ((2.0 * mean_x * mean_y + kC1) * (2.0 * covariance + kC2)) /
                              ((mean_x * mean_x + mean_y * mean_y + kC1) * (var_x + var_y + kC2));
    if (missing.defined()) {
        const std::int64_t margin = (kWindow - 1) / 2;
        const torch::Tensor centres =
            missing.slice(2, margin, -margin).slice(3, margin, -margin).logical_not().view({frames, -1});
        return masked_mean(map.view({frames, -1}), centres);
    }
    return map.flatten(1).mean(1).view({frames, a.size(1)}).mean(1);
}

torch::Tensor psnr(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& valid) {
    const torch::Tensor squares = (a.to(at::kDouble) - b.to(at::kDouble)).square().flatten(1);
    const torch::Tensor error = valid.defined() ? masked_mean(squares, valid.flatten(1)) : squares.mean(1);
    return error.clamp_min(kLeastError).log10() * -10.0;
}

Scores::Scores(std::int64_t leads, ScoreOptions options) : leads_(leads), options_(std::move(options)) {
    for (const char* name : {"mae", "mse", "rmse", "bias", "ssim", "psnr"}) {
        const auto& asked = options_.metrics;
        if (asked.empty() || std::find(asked.begin(), asked.end(), name) != asked.end()) quantities_.push_back({name});
    }
    const auto slots = static_cast<std::size_t>(leads);
    for (const char* name : {"mae", "mse", "bias", "ssim", "psnr"}) {
        sums_[name] = {std::vector<double>(slots, 0.0), std::vector<double>(slots, 0.0)};
    }
}

void Scores::add_to(const std::string& metric, const torch::Tensor& totals, const torch::Tensor& weights) {
    const torch::Tensor total = totals.contiguous(), weight = weights.contiguous();
    const double* values = total.const_data_ptr<double>();
    const double* counts = weight.const_data_ptr<double>();
    Sums& sums = sums_.at(metric);
    std::vector<double>& windows = window_sums_[metric];
    const auto slots = static_cast<std::size_t>(leads_);
    for (std::size_t b = 0; b < static_cast<std::size_t>(totals.size(0)); ++b) {
        windows.insert(windows.end(), 2, 0.0);
        for (std::size_t lead = 0; lead < slots; ++lead) {
            sums.total[lead] += values[b * slots + lead];
            sums.weight[lead] += counts[b * slots + lead];
            *(windows.end() - 2) += values[b * slots + lead];
            windows.back() += counts[b * slots + lead];
        }
    }
}

void Scores::add(const torch::Tensor& forecast, const torch::Tensor& truth, const torch::Tensor& valid) {
    torch::Tensor difference = forecast.to(at::kDouble) - truth.to(at::kDouble);
    torch::Tensor known = at::ones({forecast.size(0), leads_}, at::kDouble);  // what part of each frame counts
    if (valid.defined()) {
        difference.masked_fill_(valid.logical_not(), 0.0);
        known = valid.to(at::kDouble).flatten(2).mean(2);
    }
    add_to("mae", difference.abs().flatten(2).mean(2), known);
    add_to("mse", difference.square().flatten(2).mean(2), known);
    add_to("bias", difference.flatten(2).mean(2), known);
    windows_ += forecast.size(0);
    if (std::none_of(quantities_.begin(), quantities_.end(), [](const Quantity& q) { return on_range(q.metric); })) {
        return;
    }
    const double range = options_.max > options_.min ? options_.max - options_.min : 1.0;
    const torch::Tensor a = ((forecast - options_.min) / range).flatten(0, 1);
    const torch::Tensor b = ((truth - options_.min) / range).flatten(0, 1);
    const torch::Tensor mask = valid.defined() ? valid.flatten(0, 1) : valid;
    const auto add_frames = [&](const std::string& metric, const torch::Tensor& values) {
        const torch::Tensor frames = values.view({-1, leads_});
        // A frame without a value is left out where values are missing; else it is an error to be seen.
        const torch::Tensor seen = valid.defined() ? frames.isnan().logical_not() : frames.new_ones({}, at::kBool);
        add_to(metric, at::where(seen, frames, 0.0), seen.expand_as(frames).to(at::kDouble));
    };
    add_frames("ssim", ssim(a, b, mask));
    add_frames("psnr", psnr(a, b, mask));
}

double Scores::value(const Quantity& quantity, std::int64_t lead) const {
    if (std::find(quantities_.begin(), quantities_.end(), quantity) == quantities_.end()) return std::nan("");
    const Sums& sums = sums_.at(quantity.metric == "rmse" ? "mse" : quantity.metric);
    double total = 0.0, weight = 0.0;
    for (std::int64_t one = 1; one <= leads_; ++one) {
        if (lead != 0 && one != lead) continue;
        total += sums.total[static_cast<std::size_t>(one - 1)];
        weight += sums.weight[static_cast<std::size_t>(one - 1)];
    }
    return from_parts(quantity, {total, weight});
}

std::vector<double> Scores::window_parts(const Quantity& quantity, std::int64_t window) const {
    const auto found = window_sums_.find(quantity.metric == "rmse" ? "mse" : quantity.metric);
    if (found == window_sums_.end()) return {};
    const auto at = found->second.begin() + 2 * window;
    return {at, at + 2};
}

double Scores::from_parts(const Quantity& quantity, const std::vector<double>& parts) const {
    const double mean = parts[1] > 0.0 ? parts[0] / parts[1] : std::nan("");
    return quantity.metric == "rmse" ? std::sqrt(mean) : mean;
}

}  // namespace nowcell
