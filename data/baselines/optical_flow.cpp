#include "data/baseline.h"
#include "data/baselines/advection.h"
#include "data/baselines/motion.h"
#include "data/missing.h"

#include <ATen/Parallel.h>

#include <optional>
#include <utility>
#include <vector>

namespace nowcell {
namespace {

// One window on its way: what moves, and where each pixel of the lead time at hand was in it.
struct Path {
    std::vector<cv::Mat> last;
    WayBack way;
};

// past: (P,C,H,W) contiguous.
Path path_of(const torch::Tensor& past, FlowEstimator estimator) {
    const std::int64_t now = past.size(0) - 1;
    return {whole_planes(past, now), WayBack(backward_flow(past[now], past[now - 1], estimator))};
}

// out: (leads,C,H,W) contiguous, written in place.
void extrapolate(Path& path, const torch::Tensor& out) {
    for (std::int64_t lead = 0; lead < out.size(0); ++lead) {
        path.way.step();
        for (std::int64_t channel = 0; channel < out.size(1); ++channel) {
            path.way.moved(path.last[static_cast<std::size_t>(channel)]).copyTo(as_mat(out[lead][channel]));
        }
    }
}

template <typename Use>  // use(n)
void for_each_window(std::int64_t batch, const Use& use) {
    at::parallel_for(0, batch, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; ++n) use(n);
    });
}

class Motion : public Extrapolation {
 public:
    Motion(const torch::Tensor& past, FlowEstimator estimator, double mean)
        : shape_(past.sizes().vec()), device_(past.device()), mean_(mean) {
        const torch::Tensor frames = past.to(torch::kCPU, torch::kFloat32).contiguous();
        paths_.resize(static_cast<std::size_t>(shape_[0]));
        for_each_window(shape_[0], [&](std::int64_t n) {
            paths_[static_cast<std::size_t>(n)].emplace(path_of(frames[n], estimator));
        });
    }

    torch::Tensor next(std::int64_t leads) override {
        const torch::Tensor out = torch::empty({shape_[0], leads, shape_[2], shape_[3], shape_[4]});
        for_each_window(shape_[0], [&](std::int64_t n) { extrapolate(*paths_[static_cast<std::size_t>(n)], out[n]); });
        return fill_missing(out, "mask", mean_).to(device_);
    }

 private:
    std::vector<std::int64_t> shape_;
    torch::Device device_;
    double mean_;
    std::vector<std::optional<Path>> paths_;
};

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
        return start(past)->next(horizon);
    }

    std::unique_ptr<Extrapolation> start(const torch::Tensor& past) const override {
        check_past(past, 1);
        check_side(past);
        return std::make_unique<Motion>(past, estimator_, mean_);
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
