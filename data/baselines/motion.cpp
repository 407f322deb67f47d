#include "data/baselines/motion.h"

#include "data/baselines/advection.h"
#include "data/missing.h"

#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

constexpr double kSmoothing_px = 4.0;  // of the flow field, standard deviation; README.md has the trials
constexpr double kContrast = 100.0;    // of the logarithmic grey scale
constexpr int kLeastSide = 32;         // what the pyramid of DIS needs
constexpr int kPatch_px = 4;           // half a patch of DIS: how far a missing pixel reaches into the motion
constexpr float kLeastWeight = 1e-3F;  // of smoothed motion, below which it is continued from elsewhere

// A plane and where it is known (8 bits, 255); no mask: everywhere.
struct Plane {
    cv::Mat values;
    cv::Mat known;
};

// The mean of the known channels of a frame (C,H,W).
Plane channel_mean(const torch::Tensor& frame) {
    const torch::Tensor known = known_values(frame);
    if (!known.defined()) return {as_mat(frame.mean(0).contiguous()).clone(), {}};
    const torch::Tensor count = known.sum(0).to(torch::kFloat32);
    const torch::Tensor mean = frame.masked_fill(known.logical_not(), 0.0).sum(0) / count.clamp_min(1.0);
    return {as_mat(mean.contiguous()).clone(), as_mask(count > 0)};
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

cv::Mat smoothed(const cv::Mat& field) {
    cv::Mat out;
    cv::GaussianBlur(field, out, {}, kSmoothing_px, kSmoothing_px, cv::BORDER_REPLICATE);
    return out;
}

// The smoothed flow of the known pixels alone, continued into the rest.
cv::Mat smoothed(const cv::Mat& flow, const cv::Mat& known) {
    if (known.empty()) return smoothed(flow);
    cv::Mat weight;
    known.convertTo(weight, CV_32F, 1.0 / 255.0);
    cv::Mat parts[2];
    cv::split(flow, parts);
    const cv::Mat total = smoothed(weight);
    const cv::Mat enough = total > kLeastWeight;
    for (cv::Mat& part : parts) part = smoothed(part.mul(weight)) / cv::max(total, kLeastWeight);
    cv::Mat out;
    cv::merge(parts, 2, out);
    return extended(out, enough);
}

// Where both planes are known, away from what is not; no mask: everywhere.
cv::Mat known_in_both(const Plane& a, const Plane& b) {
    if (a.known.empty() && b.known.empty()) return {};
    cv::Mat known = a.known.empty() ? b.known : b.known.empty() ? a.known : cv::Mat(a.known & b.known);
    cv::Mat inner;
    const cv::Mat square = cv::getStructuringElement(cv::MORPH_RECT, {2 * kPatch_px + 1, 2 * kPatch_px + 1});
    cv::erode(known, inner, square);
    return cv::countNonZero(inner) > 0 ? inner : known;
}

cv::Mat dense_flow(const cv::Mat& last, const cv::Mat& previous, FlowEstimator estimator) {
    cv::Mat flow;
    if (estimator == FlowEstimator::dis) {
        cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_FAST)->calc(last, previous, flow);
        return flow;
    }
    constexpr int kWindow_px = 31;
    cv::calcOpticalFlowFarneback(last, previous, flow, 0.5, /*levels=*/5, kWindow_px, /*iterations=*/3,
                                 /*poly_n=*/7, /*poly_sigma=*/1.5, 0);
    return flow;
}

// Where each pixel of `last` was one frame earlier, relative to itself, in px.
cv::Mat flow_of(const Plane& last, const Plane& previous, FlowEstimator estimator) {
    const cv::Mat still = cv::Mat::zeros(last.values.size(), CV_32FC2);
    const cv::Mat known = known_in_both(last, previous);
    if (!known.empty() && cv::countNonZero(known) == 0) return still;
    double low[2];
    double high[2];
    cv::minMaxLoc(last.values, &low[0], &high[0], nullptr, nullptr, last.known);
    cv::minMaxLoc(previous.values, &low[1], &high[1], nullptr, nullptr, previous.known);
    const double least = std::min(low[0], low[1]);
    const double most = std::max(high[0], high[1]);
    if (!(most > least) || !std::isfinite(most - least)) return still;
    const cv::Mat flow = dense_flow(grey(extended(last.values, last.known), least, most),
                                    grey(extended(previous.values, previous.known), least, most), estimator);
    return smoothed(flow(cv::Rect(0, 0, last.values.cols, last.values.rows)).clone(), known);
}

}  // namespace

cv::Mat backward_flow(const torch::Tensor& last, const torch::Tensor& previous, FlowEstimator estimator) {
    return flow_of(channel_mean(last), channel_mean(previous), estimator);
}

}  // namespace nowcell
