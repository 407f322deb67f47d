#include "data/baselines/cascade.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace nowcell {
namespace {

constexpr double kBandRatio = 2.5;
constexpr double kBandWidth = 0.5;  // standard deviation of a filter, in bands
constexpr double kMostLag1 = 0.9999;

double mean_of(const torch::Tensor& values, const torch::Tensor& known) {
    const torch::Tensor chosen = known.defined() ? values.masked_select(known) : values;
    return chosen.mean(torch::kFloat64).item<double>();
}

}  // namespace

torch::Tensor band_filters(std::int64_t height, std::int64_t width) {
    const double side = static_cast<double>(std::max(height, width));
    const std::int64_t bands =
        std::max<std::int64_t>(1, std::lround(std::log(std::max(1.0, side / 2)) / std::log(kBandRatio)));
    const auto double_options = torch::TensorOptions(torch::kFloat64);
    const torch::Tensor down = at::fft_fftfreq(height, 1.0, double_options).view({-1, 1});
    const torch::Tensor right = at::fft_rfftfreq(width, 1.0, double_options).view({1, -1});
    const torch::Tensor waves = (down.square() + right.square()).sqrt() * side;  // along the longest side
    const double apart = bands > 1 ? std::log(side / 2) / static_cast<double>(bands) : 1.0;
    const torch::Tensor position = waves.clamp_min(1.0).log() / apart;
    const torch::Tensor centres = at::arange(bands, double_options).view({-1, 1, 1});
    torch::Tensor filters = ((position.unsqueeze(0) - centres) / kBandWidth).square().mul(-0.5).exp();
    filters.select(1, 0).select(1, 0).zero_();  // the mean of the field
    filters[0][0][0] = 1.0;
    return (filters / filters.sum(0, /*keepdim=*/true)).to(torch::kFloat32);
}

Cascade::Cascade(const torch::Tensor& fields)
    : filters_(band_filters(fields.size(1), fields.size(2))),
      spectrum_(at::fft_rfft2(fields)),
      size_({fields.size(1), fields.size(2)}) {}

torch::Tensor Cascade::band(std::int64_t index) const { return at::fft_irfft2(spectrum_ * filters_[index], size_); }

Autoregression autoregression(double lag1, std::optional<double> lag2) {
    const double first = std::clamp(lag1, 0.0, kMostLag1);
    if (!lag2) return {first, 0.0};
    const double rest = 1.0 - first * first;
    // With a double root z, phi1 = 2 z and phi2 = -z^2: with a second correlation below this one it would swing or
    // grow.
    const double root = first > 0.0 ? (1.0 - std::sqrt(rest)) / first : 0.0;
    const double second = std::clamp(*lag2, 2.0 * root * first - root * root, first);
    return {first * (1.0 - second) / rest, (second - first * first) / rest};
}

Scale::Scale(const torch::Tensor& fields, const torch::Tensor& known) {
    std::vector<torch::Tensor> normal;
    for (std::int64_t n = 0; n < fields.size(0); ++n) {
        mean_ = mean_of(fields[n], known);
        const torch::Tensor apart = fields[n] - mean_;
        deviation_ = std::sqrt(mean_of(apart.square(), known));
        normal.push_back(deviation_ > 0.0 ? apart / deviation_ : torch::zeros_like(apart));
    }
    const std::size_t count = normal.size();
    now_ = normal[count - 1];
    before_ = normal[count - 2];
    std::optional<double> lag2;
    if (count > 2) lag2 = mean_of(now_ * normal[count - 3], known);
    process_ = autoregression(mean_of(now_ * before_, known), lag2);
}

void Scale::add_next(const torch::Tensor& sum) {
    torch::Tensor next = now_ * process_.phi1 + before_ * process_.phi2;
    sum.add_(next, deviation_).add_(mean_);
    before_ = std::exchange(now_, next);
}

}  // namespace nowcell
