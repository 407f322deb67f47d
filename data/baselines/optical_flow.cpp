#include "data/baseline.h"
#include "data/baselines/advection.h"
#include "data/baselines/motion.h"
#include "data/missing.h"

#include <ATen/Parallel.h>

#include <utility>

namespace nowcell {
namespace {

// past: (P,C,H,W) contiguous; out: (horizon,C,H,W) contiguous, written in place.
void extrapolate(const torch::Tensor& past, FlowEstimator estimator, const torch::Tensor& out) {
    const std::int64_t now = past.size(0) - 1;
    const std::vector<cv::Mat> last = whole_planes(past, now);
    WayBack way(backward_flow(past[now], past[now - 1], estimator));
    for (std::int64_t lead = 0; lead < out.size(0); ++lead) {
        way.step();
        for (std::int64_t channel = 0; channel < out.size(1); ++channel) {
            way.moved(last[static_cast<std::size_t>(channel)]).copyTo(as_mat(out[lead][channel]));
        }
    }
}

class OpticalFlow : public Baseline {
 public:
    OpticalFlow(std::string name, FlowEstimator estimator, double mean)
        : name_(std::move(name)), estimator_(estimator), mean_(mean) {
        cv::setNumThreads(1);
    }
    std::string name() const override { return name_; }
    std::int64_t history() const override { return 2; }

    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        check_past(past, horizon);
        check_side(past);
        const torch::Tensor frames = past.to(torch::kCPU, torch::kFloat32).contiguous();
        const torch::Tensor out = torch::empty({past.size(0), horizon, past.size(2), past.size(3), past.size(4)});
        at::parallel_for(0, past.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t n = begin; n < end; ++n) extrapolate(frames[n], estimator_, out[n]);
        });
        return fill_missing(out, "mask", mean_).to(past.device());
    }

 private:
    std::string name_;
    FlowEstimator estimator_;
    double mean_;
};

}  // namespace

std::unique_ptr<Baseline> make_optical_flow(double mean) {
    return std::make_unique<OpticalFlow>("optical-flow", FlowEstimator::dis, mean);
}

std::unique_ptr<Baseline> make_farneback(double mean) {
    return std::make_unique<OpticalFlow>("farneback", FlowEstimator::farneback, mean);
}

}  // namespace nowcell
