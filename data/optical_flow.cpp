#include "data/baseline.h"
#include "src/error.h"

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

constexpr double kSmoothing_px = 4.0;  // of the flow field, standard deviation; README.md has the trials
constexpr double kContrast = 100.0;    // of the logarithmic grey scale
constexpr int kLeastSide = 32;         // what the pyramid of DIS needs

cv::Mat as_mat(const torch::Tensor& plane) {
    return cv::Mat(static_cast<int>(plane.size(0)), static_cast<int>(plane.size(1)), CV_32F, plane.data_ptr());
}

// The channel mean of a frame (C,H,W), without what is not finite.
cv::Mat channel_mean(const torch::Tensor& frame) {
    const torch::Tensor mean = frame.nan_to_num(0.0, 0.0, 0.0).mean(0).contiguous();
    return as_mat(mean).clone();
}

// 8 bits on a logarithmic scale of the common range: rain is mostly drizzle, which a linear scale would not show.
cv::Mat grey(const cv::Mat& frame, double low, double high) {
    cv::Mat scaled;
    frame.convertTo(scaled, CV_32F, kContrast / (high - low), 1.0 - kContrast * low / (high - low));
    cv::log(cv::max(scaled, 1.0), scaled);
    cv::Mat bytes;
    scaled.convertTo(bytes, CV_8U, 255.0 / std::log(kContrast + 1.0));
    const int down = std::max(0, kLeastSide - bytes.rows);
    const int right = std::max(0, kLeastSide - bytes.cols);
    cv::copyMakeBorder(bytes, bytes, 0, down, 0, right, cv::BORDER_REPLICATE);
    return bytes;
}

// Where each pixel of `last` was one frame earlier, relative to itself, in px.
cv::Mat backward_flow(const cv::Mat& last, const cv::Mat& previous) {
    double low[2];
    double high[2];
    cv::minMaxLoc(last, &low[0], &high[0]);
    cv::minMaxLoc(previous, &low[1], &high[1]);
    const double least = std::min(low[0], low[1]);
    const double most = std::max(high[0], high[1]);
    if (!(most > least) || !std::isfinite(most - least)) return cv::Mat::zeros(last.size(), CV_32FC2);
    cv::Mat flow;
    cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_FAST)
        ->calc(grey(last, least, most), grey(previous, least, most), flow);
    flow = flow(cv::Rect(0, 0, last.cols, last.rows)).clone();
    cv::GaussianBlur(flow, flow, {}, kSmoothing_px, kSmoothing_px, cv::BORDER_REPLICATE);
    return flow;
}

cv::Mat pixel_positions(const cv::Size& size) {
    cv::Mat positions(size, CV_32FC2);
    for (int y = 0; y < size.height; ++y) {
        for (int x = 0; x < size.width; ++x) {
            positions.at<cv::Vec2f>(y, x) = {static_cast<float>(x), static_cast<float>(y)};
        }
    }
    return positions;
}

cv::Mat sample(const cv::Mat& field, const cv::Mat& positions) {
    cv::Mat out;
    cv::remap(field, out, positions, cv::noArray(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    return out;
}

// past: (P,C,H,W) contiguous; out: (horizon,C,H,W) contiguous, written in place.
void extrapolate(const torch::Tensor& past, const torch::Tensor& out) {
    const torch::Tensor last = past[past.size(0) - 1];
    const cv::Mat flow = backward_flow(channel_mean(last), channel_mean(past[past.size(0) - 2]));
    cv::Mat positions = pixel_positions(flow.size());
    for (std::int64_t lead = 0; lead < out.size(0); ++lead) {
        // One step back along the path of each pixel, with the flow met there.
        positions += sample(flow, positions);
        for (std::int64_t channel = 0; channel < out.size(1); ++channel) {
            sample(as_mat(last[channel]), positions).copyTo(as_mat(out[lead][channel]));
        }
    }
}

class OpticalFlow : public Baseline {
 public:
    OpticalFlow() { cv::setNumThreads(1); }
    std::string name() const override { return "optical-flow"; }
    std::int64_t history() const override { return 2; }

    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        constexpr std::int64_t kMostSide = 32766;  // positions are 16-bit numbers inside cv::remap
        if (past.dim() != 5 || past.size(1) < 2 || std::max(past.size(3), past.size(4)) > kMostSide) {
            throw Error(ExitCode::data,
                        fmt::format("the optical-flow baseline needs 2 past frames of at most {0}x{0} px", kMostSide));
        }
        const torch::Tensor frames = past.to(torch::kCPU, torch::kFloat32).contiguous();
        const torch::Tensor out = torch::empty({past.size(0), horizon, past.size(2), past.size(3), past.size(4)});
        for (std::int64_t n = 0; n < past.size(0); ++n) extrapolate(frames[n], out[n]);
        return out.to(past.device());
    }
};

}  // namespace

std::unique_ptr<Baseline> make_optical_flow() { return std::make_unique<OpticalFlow>(); }

}  // namespace nowcell
