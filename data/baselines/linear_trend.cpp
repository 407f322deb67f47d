#include "data/baseline.h"
#include "data/missing.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace nowcell {
namespace {

// Each pixel's line: its value at the last frame and its change per step, (B,C,H,W). NaN where nothing is known.
struct Lines {
    torch::Tensor level;
    torch::Tensor slope;
};

// frames: (B,n,C,H,W). Least squares over what is known, in double precision: levels may be large beside changes.
Lines fit(const torch::Tensor& frames) {
    const std::int64_t count = frames.size(1);
    const torch::Tensor values = frames.to(torch::kFloat64);
    const torch::Tensor known = values.isfinite();
    const torch::Tensor weight = known.to(torch::kFloat64);
    const torch::Tensor times = at::arange(1 - count, 1, values.options()).view({1, count, 1, 1, 1});
    const torch::Tensor weights = weight.sum(1, /*keepdim=*/true);
    const torch::Tensor whole = values.masked_fill(known.logical_not(), 0.0);
    const torch::Tensor mean_time = (weight * times).sum(1, true) / weights;
    const torch::Tensor mean = whole.sum(1, true) / weights;
    const torch::Tensor apart = (times - mean_time) * weight;
    const torch::Tensor spread = (apart * apart).sum(1, true);
    const torch::Tensor rise = (apart * (whole - mean)).sum(1, true);
    const torch::Tensor slope = at::where(spread > 0, rise / spread, at::zeros_like(spread));
    return {(mean - slope * mean_time).squeeze(1), slope.squeeze(1)};
}

class LinearTrend : public Baseline {
 public:
    explicit LinearTrend(double mean) : mean_(mean) {}
    std::string name() const override { return "linear-trend"; }
    std::int64_t history() const override { return 2; }
    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        check_past(past, horizon);
        torch::Tensor out = at::empty({past.size(0), horizon, past.size(2), past.size(3), past.size(4)},
                                      past.options().dtype(torch::kFloat32));
        for (std::int64_t n = 0; n < past.size(0); ++n) {  // one by one: frames may be large
            const torch::Tensor window = past.slice(0, n, n + 1);
            const std::int64_t count = std::min(kTrendFrames, past.size(1));
            Lines lines = fit(window.slice(1, past.size(1) - count));
            // What the last frames do not know, an earlier one may.
            const torch::Tensor held = hold(window).select(1, past.size(1) - 1).to(torch::kFloat64);
            lines.level = at::where(lines.level.isfinite(), lines.level, held);
            for (std::int64_t lead = 0; lead < horizon; ++lead) {
                out.select(0, n).select(0, lead).copy_(
                    (lines.level + lines.slope * static_cast<double>(lead + 1)).squeeze(0));
            }
        }
        return fill_missing(out, "mask", mean_);
    }

 private:
    double mean_;
};

}  // namespace

std::unique_ptr<Baseline> make_linear_trend(double mean) { return std::make_unique<LinearTrend>(mean); }

}  // namespace nowcell
