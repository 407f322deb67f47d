#include "data/baseline.h"
#include "data/missing.h"
#include "src/error.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace nowcell {
namespace {

constexpr double kSmoothing_px = 4.0;  // of the flow field, standard deviation; README.md has the trials
constexpr double kContrast = 100.0;    // of the logarithmic grey scale
constexpr int kLeastSide = 32;         // what the pyramid of DIS needs
constexpr int kPatch_px = 4;           // half a patch of DIS: how far a missing pixel reaches into the motion
constexpr float kLeastWeight = 1e-3F;  // of smoothed motion, below which it is continued from elsewhere

cv::Mat as_mat(const torch::Tensor& plane) {
    return cv::Mat(static_cast<int>(plane.size(0)), static_cast<int>(plane.size(1)), CV_32F, plane.data_ptr());
}

// A plane and where it is known (8 bits, 255); no mask: everywhere.
struct Plane {
    cv::Mat values;
    cv::Mat known;
};

cv::Mat as_mask(const torch::Tensor& plane) {
    const torch::Tensor bytes = (plane.to(torch::kUInt8) * 255).contiguous();
    return cv::Mat(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), CV_8U, bytes.data_ptr()).clone();
}

// The mean of the known channels of a frame (C,H,W).
Plane channel_mean(const torch::Tensor& frame) {
    const torch::Tensor known = known_values(frame);
    if (!known.defined()) return {as_mat(frame.mean(0).contiguous()).clone(), {}};
    const torch::Tensor count = known.sum(0).to(torch::kFloat32);
    const torch::Tensor mean = frame.masked_fill(known.logical_not(), 0.0).sum(0) / count.clamp_min(1.0);
    return {as_mat(mean.contiguous()).clone(), as_mask(count > 0)};
}

// Every unknown pixel becomes the nearest known one, as at the border of the frame. Without any known one: unchanged.
cv::Mat extended(const cv::Mat& values, const cv::Mat& known) {
    if (known.empty() || cv::countNonZero(known) == 0) return values;
    cv::Mat distance, labels;
    cv::distanceTransform(known == 0, distance, labels, cv::DIST_L2, cv::DIST_MASK_5, cv::DIST_LABEL_PIXEL);
    std::vector<cv::Point> nearest(values.total() + 1);
    for (int y = 0; y < values.rows; ++y) {
        for (int x = 0; x < values.cols; ++x) {
            if (known.at<uchar>(y, x) != 0) nearest[static_cast<std::size_t>(labels.at<int>(y, x))] = {x, y};
        }
    }
    cv::Mat out = values.clone();
    const std::size_t bytes = values.elemSize();
    for (int y = 0; y < values.rows; ++y) {
        for (int x = 0; x < values.cols; ++x) {
            if (known.at<uchar>(y, x) != 0) continue;
            const cv::Point from = nearest[static_cast<std::size_t>(labels.at<int>(y, x))];
            std::memcpy(out.ptr(y, x), values.ptr(from.y, from.x), bytes);
        }
    }
    return out;
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

// Where each pixel of `last` was one frame earlier, relative to itself, in px.
cv::Mat backward_flow(const Plane& last, const Plane& previous) {
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
    cv::Mat flow;
    cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_FAST)
        ->calc(grey(extended(last.values, last.known), least, most),
               grey(extended(previous.values, previous.known), least, most), flow);
    return smoothed(flow(cv::Rect(0, 0, last.values.cols, last.values.rows)).clone(), known);
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

// What the last frame shows, for moving it: the last known values (C,H,W), continued where a pixel has none.
std::vector<cv::Mat> moved_planes(const torch::Tensor& past) {
    const torch::Tensor last = hold(past.unsqueeze(0))[0][past.size(0) - 1];
    std::vector<cv::Mat> planes;
    for (std::int64_t channel = 0; channel < last.size(0); ++channel) {
        const torch::Tensor plane = last[channel].contiguous();
        const torch::Tensor known = known_values(plane);
        planes.push_back(extended(as_mat(plane), known.defined() ? as_mask(known) : cv::Mat()).clone());
    }
    return planes;
}

// One item on its way: what moves, and where each pixel of the lead time at hand was in it.
struct Path {
    std::vector<cv::Mat> last;
    cv::Mat flow;
    cv::Mat positions;
};

// past: (P,C,H,W) contiguous.
Path path_of(const torch::Tensor& past) {
    Path path{moved_planes(past),
              backward_flow(channel_mean(past[past.size(0) - 1]), channel_mean(past[past.size(0) - 2])),
              {}};
    path.positions = pixel_positions(path.flow.size());
    return path;
}

// out: (leads,C,H,W) contiguous, written in place.
void extrapolate(Path& path, const torch::Tensor& out) {
    for (std::int64_t lead = 0; lead < out.size(0); ++lead) {
        // One step back along the path of each pixel, with the flow met there.
        path.positions += sample(path.flow, path.positions);
        for (std::int64_t channel = 0; channel < out.size(1); ++channel) {
            sample(path.last[static_cast<std::size_t>(channel)], path.positions).copyTo(as_mat(out[lead][channel]));
        }
    }
}

template <typename Use>  // use(n)
void for_each_item(std::int64_t batch, const Use& use) {
    at::parallel_for(0, batch, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; ++n) use(n);
    });
}

class Motion : public Extrapolation {
 public:
    Motion(const torch::Tensor& past, double mean)
        : shape_(past.sizes().vec()), device_(past.device()), mean_(mean), paths_(static_cast<std::size_t>(shape_[0])) {
        const torch::Tensor frames = past.to(torch::kCPU, torch::kFloat32).contiguous();
        for_each_item(shape_[0], [&](std::int64_t n) { paths_[static_cast<std::size_t>(n)] = path_of(frames[n]); });
    }

    torch::Tensor next(std::int64_t leads) override {
        const torch::Tensor out = torch::empty({shape_[0], leads, shape_[2], shape_[3], shape_[4]});
        for_each_item(shape_[0], [&](std::int64_t n) { extrapolate(paths_[static_cast<std::size_t>(n)], out[n]); });
        return fill_missing(out, "mask", mean_).to(device_);
    }

 private:
    std::vector<std::int64_t> shape_;
    torch::Device device_;
    double mean_;
    std::vector<Path> paths_;
};

class OpticalFlow : public Baseline {
 public:
    explicit OpticalFlow(double mean) : mean_(mean) { cv::setNumThreads(1); }
    std::string name() const override { return "optical-flow"; }
    std::int64_t history() const override { return 2; }

    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        return start(past)->next(horizon);
    }

    std::unique_ptr<Extrapolation> start(const torch::Tensor& past) const override {
        constexpr std::int64_t kMostSide = 32766;  // positions are 16-bit numbers inside cv::remap
        if (past.dim() != 5 || past.size(1) < 2 || std::max(past.size(3), past.size(4)) > kMostSide) {
            throw Error(ExitCode::data,
                        fmt::format("the optical-flow baseline needs 2 past frames of at most {0}x{0} px", kMostSide));
        }
        return std::make_unique<Motion>(past, mean_);
    }

 private:
    double mean_;
};

}  // namespace

std::unique_ptr<Baseline> make_optical_flow(double mean) { return std::make_unique<OpticalFlow>(mean); }

}  // namespace nowcell
