// How the pixels of two frames moved.
#pragma once

#include <opencv2/core.hpp>
#include <torch/types.h>

namespace nowcell {

enum class FlowEstimator { dis, farneback };

/// Where each pixel of `last` was one frame earlier, relative to itself: (H,W) of two floats (right, down), px.
/// Dense flow between grey scales of the mean of the channels, smoothed over what both frames know; 0 where nothing
/// can be seen of it. last, previous: (C,H,W), NaN where missing.
/// Source: Kroeger et al. 2016 (DIS); Farneback 2003. README.md has the trials.
cv::Mat backward_flow(const torch::Tensor& last, const torch::Tensor& previous, FlowEstimator estimator);

}  // namespace nowcell
