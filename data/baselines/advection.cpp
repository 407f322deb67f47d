#include "data/baselines/advection.h"

#include "data/missing.h"
#include "src/error.h"

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cstring>

namespace nowcell {

void check_side(const torch::Tensor& frames) {
    constexpr std::int64_t kMostSide = 32766;  // positions are 16-bit numbers inside cv::remap
    if (std::max(frames.size(-2), frames.size(-1)) <= kMostSide) return;
    throw Error(ExitCode::data,
                fmt::format("motion can be followed in frames of at most {0}x{0} px, these have {1}x{2}", kMostSide,
                            frames.size(-2), frames.size(-1)));
}

cv::Mat as_mat(const torch::Tensor& plane) {
    return cv::Mat(static_cast<int>(plane.size(0)), static_cast<int>(plane.size(1)), CV_32F, plane.data_ptr());
}

cv::Mat as_mask(const torch::Tensor& plane) {
    const torch::Tensor bytes = (plane.to(torch::kUInt8) * 255).contiguous();
    return cv::Mat(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), CV_8U, bytes.data_ptr()).clone();
}

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

std::vector<cv::Mat> whole_planes(const torch::Tensor& past, std::int64_t frame) {
    const torch::Tensor shown = hold(past.slice(0, 0, frame + 1).unsqueeze(0))[0][frame];
    std::vector<cv::Mat> planes;
    for (std::int64_t channel = 0; channel < shown.size(0); ++channel) {
        const torch::Tensor plane = shown[channel].contiguous();
        const torch::Tensor known = known_values(plane);
        planes.push_back(extended(as_mat(plane), known.defined() ? as_mask(known) : cv::Mat()).clone());
    }
    return planes;
}

static cv::Mat read_at(const cv::Mat& field, const cv::Mat& positions, int border) {
    cv::Mat out;
    cv::remap(field, out, positions, cv::noArray(), cv::INTER_LINEAR, border);
    return out;
}

WayBack::WayBack(const cv::Mat& flow) : flow_(flow), positions_(flow.size(), CV_32FC2) {
    for (int y = 0; y < flow.rows; ++y) {
        for (int x = 0; x < flow.cols; ++x) {
            positions_.at<cv::Vec2f>(y, x) = {static_cast<float>(x), static_cast<float>(y)};
        }
    }
}

void WayBack::step() { positions_ += read_at(flow_, positions_, cv::BORDER_REPLICATE); }

cv::Mat WayBack::moved(const cv::Mat& field) const { return read_at(field, positions_, cv::BORDER_REPLICATE); }

cv::Mat WayBack::inside(const cv::Mat& weights) const { return read_at(weights, positions_, cv::BORDER_CONSTANT); }

}  // namespace nowcell
