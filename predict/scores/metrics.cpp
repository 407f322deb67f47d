#include "predict/scores/metrics.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <limits>

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

void append(std::vector<double>& to, const torch::Tensor& values) {
    const torch::Tensor all = values.contiguous();
    to.insert(to.end(), all.const_data_ptr<double>(), all.const_data_ptr<double>() + all.numel());
}

}  // namespace

std::string to_string(Metric metric) {
    switch (metric) {
        case Metric::mae: return "mae";
        case Metric::mse: return "mse";
        case Metric::ssim: return "ssim";
        case Metric::psnr: return "psnr";
    }
    return "";
}

std::string unit_of(Metric metric, const std::string& data_units) {
    if (metric == Metric::ssim || metric == Metric::psnr || data_units == "1") return "1";
    if (metric == Metric::mae) return data_units;
    const bool compound = data_units.find_first_of(" /") != std::string::npos;
    return compound ? "(" + data_units + ")^2" : data_units + "^2";
}

bool larger_is_better(Metric metric) { return metric == Metric::ssim || metric == Metric::psnr; }

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

Scores::Scores(std::int64_t leads, bool images) : leads_(leads), images_(images) {
    for (std::vector<double>& sum : sums_) sum.assign(static_cast<std::size_t>(leads), 0.0);
    weights_ = sums_;
}

void Scores::add(const torch::Tensor& forecast, const torch::Tensor& truth, const Normalizer& normalizer,
                 const torch::Tensor& valid) {
    torch::Tensor difference = forecast.to(at::kDouble) - truth.to(at::kDouble);
    torch::Tensor known = at::ones({forecast.size(0), leads_}, at::kDouble);  // what part of each frame counts
    if (valid.defined()) {
        difference.masked_fill_(valid.logical_not(), 0.0);
        known = valid.to(at::kDouble).flatten(2).mean(2);
    }
    const auto add_to = [&](std::vector<double>& slots, const torch::Tensor& per_window) {  // (B,T)
        const torch::Tensor total = per_window.sum(0).contiguous();
        const double* values = total.const_data_ptr<double>();
        for (std::size_t lead = 0; lead < slots.size(); ++lead) slots[lead] += values[lead];
    };
    const auto add = [&](Metric metric, const torch::Tensor& sums, const torch::Tensor& weights) {
        add_to(sums_[static_cast<std::size_t>(metric)], sums);
        add_to(weights_[static_cast<std::size_t>(metric)], weights);
    };
    const torch::Tensor absolute = difference.abs().flatten(2).mean(2);
    append(window_errors_, absolute.sum(1));
    append(window_weights_, known.sum(1));
    add(Metric::mae, absolute, known);
    add(Metric::mse, difference.square().flatten(2).mean(2), known);
    windows_ += forecast.size(0);
    if (!images_) return;
    const torch::Tensor a = normalizer.unit_range(forecast).flatten(0, 1);
    const torch::Tensor b = normalizer.unit_range(truth).flatten(0, 1);
    const torch::Tensor mask = valid.defined() ? valid.flatten(0, 1) : valid;
    const auto add_frames = [&](Metric metric, const torch::Tensor& values) {
        const torch::Tensor frames = values.view({-1, leads_});
        // A frame without a value is left out where values are missing; else it is an error to be seen.
        const torch::Tensor seen = valid.defined() ? frames.isnan().logical_not() : frames.new_ones({}, at::kBool);
        add(metric, at::where(seen, frames, 0.0), seen.expand_as(frames).to(at::kDouble));
    };
    add_frames(Metric::ssim, ssim(a, b, mask));
    add_frames(Metric::psnr, psnr(a, b, mask));
}

double Scores::value(Metric metric, std::int64_t lead) const {
    const bool computed = images_ || metric == Metric::mae || metric == Metric::mse;
    if (!computed) return std::numeric_limits<double>::quiet_NaN();
    const auto at = static_cast<std::size_t>(metric);
    double total = 0.0, weight = 0.0;
    for (std::int64_t one = 1; one <= leads_; ++one) {
        if (lead != 0 && one != lead) continue;
        total += sums_[at][static_cast<std::size_t>(one - 1)];
        weight += weights_[at][static_cast<std::size_t>(one - 1)];
    }
    return weight > 0.0 ? total / weight : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace nowcell
