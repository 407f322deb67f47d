#include "predict/scores/ssim.h"

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

}  // namespace nowcell
