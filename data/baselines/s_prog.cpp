#include "data/baseline.h"
#include "data/baselines/advection.h"
#include "data/baselines/cascade.h"
#include "data/baselines/motion.h"
#include "data/baselines/rain.h"
#include "data/missing.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace nowcell {
namespace {

constexpr std::int64_t kFrames = 3;      // that an autoregression of order 2 is fitted on
constexpr std::int64_t kLeastPart = 20;  // a twentieth of the pixels
constexpr double kLeastRain = 0.1;       // mm/h; less is no rain
constexpr double kLeastRain_dB = -10.0;
constexpr double kNoRain_dB = -15.0;  // what no rain is in decibels: pysteps' choice

// The last frames of one channel where the last one stands, (n,H,W), and where that is all known (H,W); undefined:
// everywhere, or in too few places to tell anything.
struct Moved {
    torch::Tensor fields;
    torch::Tensor known;
};

// Its steps where the last frame stands, (horizon,H,W).
torch::Tensor evolved(const Moved& moved, std::int64_t horizon) {
    const torch::Tensor& fields = moved.fields;
    const float level = static_cast<float>(fields[fields.size(0) - 1].mean(torch::kFloat64).item<double>());
    const Cascade cascade(fields - level);
    torch::Tensor out = torch::full({horizon, fields.size(1), fields.size(2)}, level);
    for (std::int64_t index = 0; index < cascade.bands(); ++index) {
        Scale scale(cascade.band(index), moved.known);
        for (std::int64_t lead = 0; lead < horizon; ++lead) scale.add_next(out[lead]);
    }
    return out;
}

// As much rain, and as heavy, as in the last frame: a forecast that is sure of less is smoother, not drier. What it
// says is where. (H,W) both; the values of `last` in the order of those of `field`.
torch::Tensor matched(const torch::Tensor& field, const torch::Tensor& last) {
    const torch::Tensor order = at::argsort(field.flatten(), /*stable=*/true);
    const torch::Tensor values = std::get<0>(last.flatten().sort());
    return torch::empty_like(values).index_copy_(0, order, values).view(field.sizes());
}

class SProg : public Baseline {
 public:
    SProg(double mean, double rain) : mean_(mean), rain_(rain) { cv::setNumThreads(1); }
    std::string name() const override { return "s-prog"; }
    std::int64_t history() const override { return 2; }

    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        check_past(past, horizon);
        check_side(past);
        const std::int64_t count = std::min(kFrames, past.size(1));
        const torch::Tensor frames = past.to(torch::kCPU, torch::kFloat32).contiguous();
        const torch::Tensor out = torch::empty({past.size(0), horizon, past.size(2), past.size(3), past.size(4)});
        // One by one, so that a window's forecast does not depend on what it is forecast with.
        for (std::int64_t n = 0; n < past.size(0); ++n) forecast_one(frames[n], count, out[n]);
        return fill_missing(out, "mask", mean_).to(past.device());
    }

 private:
    // past: (P,C,H,W); out: (horizon,C,H,W), written in place.
    void forecast_one(const torch::Tensor& past, std::int64_t count, const torch::Tensor& out) const {
        const std::int64_t now = past.size(0) - 1;
        const cv::Mat flow = backward_flow(past[now], past[now - 1], FlowEstimator::dis);
        for (std::int64_t channel = 0; channel < past.size(1); ++channel) {
            const torch::Tensor own = past.slice(1, channel, channel + 1);
            if (!own.isfinite().any().item<bool>()) {
                out.select(1, channel).fill_(std::nanf(""));
                continue;
            }
            const Moved moved = moved_to_last(own, count, flow);
            const torch::Tensor steps = evolved(moved, out.size(0));
            WayBack way(flow);
            for (std::int64_t lead = 0; lead < out.size(0); ++lead) {
                way.step();
                const torch::Tensor shown = decode(steps[lead], moved.fields[count - 1]).contiguous();
                way.moved(as_mat(shown)).copyTo(as_mat(out[lead][channel]));
            }
        }
    }

    // past: (P,1,H,W)
    Moved moved_to_last(const torch::Tensor& past, std::int64_t count, const cv::Mat& flow) const {
        const std::int64_t first = past.size(0) - count;
        Moved out{torch::empty({count, past.size(2), past.size(3)}), {}};
        cv::Mat both = cv::Mat::ones(flow.size(), CV_32F);
        WayBack way(flow);
        for (std::int64_t n = count - 1; n >= 0; --n) {
            const torch::Tensor known = past[first + n][0].isfinite().to(torch::kFloat32).contiguous();
            both = both.mul(way.inside(as_mat(known)));
            torch::Tensor field = out.fields[n];
            way.moved(whole_planes(past, first + n).front()).copyTo(as_mat(field));
            if (known_values(field).defined()) field.copy_(out.fields[n + 1]);  // nothing known so early
            way.step();
        }
        out.fields = encode(out.fields);
        const torch::Tensor known = torch::from_blob(both.data, {both.rows, both.cols}) > 0.999F;
        const std::int64_t count_known = known.sum().item<std::int64_t>();
        if (count_known < known.numel() && count_known * kLeastPart >= known.numel()) out.known = known;
        return out;
    }

    torch::Tensor encode(const torch::Tensor& field) const {
        if (rain_ == 0.0) return field;
        const torch::Tensor rate = field * rain_;
        return at::where(rate >= kLeastRain, 10.0 * rate.clamp_min(kLeastRain).log10(), kNoRain_dB);
    }

    torch::Tensor decode(const torch::Tensor& field, const torch::Tensor& last) const {
        if (rain_ == 0.0) return field;
        const torch::Tensor same = matched(field, last);
        return at::where(same >= kLeastRain_dB, at::pow(10.0, same / 10.0) / rain_, 0.0);
    }

    double mean_;
    double rain_;  // mm/h that one unit is; 0: no rain
};

}  // namespace

std::unique_ptr<Baseline> make_s_prog(double mean, const std::string& units, double step_s) {
    return std::make_unique<SProg>(mean, rain_mm_per_h(units, step_s));
}

}  // namespace nowcell
