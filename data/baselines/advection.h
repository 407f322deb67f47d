// Planes of numbers moved along a flow.
#pragma once

#include <opencv2/core.hpp>
#include <torch/types.h>

#include <vector>

namespace nowcell {

/// Throws Error(data) where frames (...,H,W) are too large for OpenCV's cv::remap.
void check_side(const torch::Tensor& frames);

/// (H,W) float32 contiguous as a matrix over the same memory.
cv::Mat as_mat(const torch::Tensor& plane);

/// (H,W) bool as 8 bits: 255 or 0. A copy.
cv::Mat as_mask(const torch::Tensor& plane);

/// Every unknown pixel becomes the nearest known one, as at the border of the frame. `known`: as_mask's, empty:
/// everywhere. Without any known pixel: `values` itself.
cv::Mat extended(const cv::Mat& values, const cv::Mat& known);

/// What a frame shows, for moving it: the last known values of its pixels, continued where one has none.
/// past: (P,C,H,W); `frame` of it. Returns C planes.
std::vector<cv::Mat> whole_planes(const torch::Tensor& past, std::int64_t frame);

/// The way back from each pixel through a motion that stays as it is (semi-Lagrangian).
///
/// The flow tells for each pixel of the last frame where it was a frame earlier: not a velocity but a map of the plane
/// into itself, whose repetition is the way of several frames. So one step a frame is exact, round a turn as on a
/// line, where a velocity would need iterations. Positions are rounded to 1/32 px when a field is read there.
class WayBack {
 public:
    explicit WayBack(const cv::Mat& flow);  ///< two floats a pixel, (right, down) in px

    void step();                                   ///< one frame further back
    cv::Mat moved(const cv::Mat& field) const;     ///< read where the ways end; beyond the border: nearest pixel
    cv::Mat inside(const cv::Mat& weights) const;  ///< the same of weights that are 0 beyond the border

 private:
    cv::Mat flow_;
    cv::Mat positions_;
};

}  // namespace nowcell
