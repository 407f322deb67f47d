#include "predict/metrics.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

namespace nowcell {
namespace {

constexpr std::int64_t kWindow = 11;
constexpr double kSigma = 1.5;
constexpr double kC1 = 0.01 * 0.01;
constexpr double kC2 = 0.03 * 0.03;
constexpr double kLeastError = 1e-10;  // 100 dB

torch::Tensor gaussian() {
    const torch::Tensor x = at::arange(kWindow, at::kDouble) - (kWindow - 1) / 2;
    const torch::Tensor weights = at::exp(-(x * x) / (2.0 * kSigma * kSigma));
    return weights / weights.sum();
}

// Separable Gaussian mean of the windows that lie inside: (N,1,H,W) -> (N,1,H-10,W-10).
torch::Tensor local_mean(const torch::Tensor& x) {
    static const torch::Tensor weights = gaussian();
    return at::conv2d(at::conv2d(x, weights.view({1, 1, kWindow, 1})), weights.view({1, 1, 1, kWindow}));
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

torch::Tensor ssim(const torch::Tensor& a, const torch::Tensor& b) {
    const std::int64_t frames = a.size(0);
    if (a.size(2) < kWindow || a.size(3) < kWindow) {
        return at::full({frames}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
    }
    const torch::Tensor x = a.to(at::kDouble).flatten(0, 1).unsqueeze(1);
    const torch::Tensor y = b.to(at::kDouble).flatten(0, 1).unsqueeze(1);
    const torch::Tensor mean_x = local_mean(x);
    const torch::Tensor mean_y = local_mean(y);
    const torch::Tensor var_x = local_mean(x * x) - mean_x * mean_x;
    const torch::Tensor var_y = local_mean(y * y) - mean_y * mean_y;
    const torch::Tensor covariance = local_mean(x * y) - mean_x * mean_y;
    const torch::Tensor map = ((2.0 * mean_x * mean_y + kC1) * (2.0 * covariance + kC2)) /
                              ((mean_x * mean_x + mean_y * mean_y + kC1) * (var_x + var_y + kC2));
    return map.flatten(1).mean(1).view({frames, a.size(1)}).mean(1);
}

torch::Tensor psnr(const torch::Tensor& a, const torch::Tensor& b) {
    const torch::Tensor error = (a.to(at::kDouble) - b.to(at::kDouble)).square().flatten(1).mean(1);
    return error.clamp_min(kLeastError).log10() * -10.0;
}

Scores::Scores(std::int64_t leads, bool images) : leads_(leads), images_(images) {
    for (std::vector<double>& sum : sums_) sum.assign(static_cast<std::size_t>(leads), 0.0);
}

void Scores::add(const torch::Tensor& forecast, const torch::Tensor& truth, const Normalizer& normalizer) {
    const torch::Tensor difference = forecast.to(at::kDouble) - truth.to(at::kDouble);
    const auto add_means = [&](Metric metric, const torch::Tensor& per_window) {  // (B,T)
        const torch::Tensor total = per_window.sum(0).contiguous();
        const double* values = total.const_data_ptr<double>();
        std::vector<double>& sum = sums_[static_cast<std::size_t>(metric)];
        for (std::size_t lead = 0; lead < sum.size(); ++lead) sum[lead] += values[lead];
    };
    add_means(Metric::mae, difference.abs().flatten(2).mean(2));
    add_means(Metric::mse, difference.square().flatten(2).mean(2));
    windows_ += forecast.size(0);
    if (!images_) return;
    const torch::Tensor a = normalizer.unit_range(forecast).flatten(0, 1);
    const torch::Tensor b = normalizer.unit_range(truth).flatten(0, 1);
    add_means(Metric::ssim, ssim(a, b).view({-1, leads_}));
    add_means(Metric::psnr, psnr(a, b).view({-1, leads_}));
}

double Scores::value(Metric metric, std::int64_t lead) const {
    const bool computed = images_ || metric == Metric::mae || metric == Metric::mse;
    if (!computed || windows_ == 0) return std::numeric_limits<double>::quiet_NaN();
    const std::vector<double>& sum = sums_[static_cast<std::size_t>(metric)];
    const auto count = static_cast<double>(windows_);
    if (lead > 0) return sum[static_cast<std::size_t>(lead - 1)] / count;
    double total = 0.0;
    for (const double value : sum) total += value;
    return total / (count * static_cast<double>(leads_));
}

}  // namespace nowcell
