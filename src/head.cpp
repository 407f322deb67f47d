#include "src/head.h"

#include "cells/convolution.h"
#include "src/frame_convolution.h"

#include <ATen/ATen.h>
#include <torch/nn/init.h>

#include <algorithm>

namespace nowcell {

torch::Tensor activated(const torch::Tensor& frames, const std::string& activation) {
    if (activation == "sigmoid") return at::sigmoid(frames);
    if (activation == "tanh") return at::tanh(frames);
    if (activation == "relu") return at::relu(frames);
    if (activation == "softplus") return at::softplus(frames);
    TORCH_CHECK_VALUE(activation == "linear", "output_activation: got \"", activation,
                      "\", expected linear, sigmoid, tanh, relu or softplus");
    return frames;
}

Head::Head(std::int64_t input_channels, std::int64_t output_channels, const ModelOptions& options, bool zero)
    : over_time_(options.head == "conv3d"),
      causal_(options.time_padding == "causal"),
      activation_(options.output_activation) {
    const std::int64_t kernel = options.head_kernel;
    std::vector<std::int64_t> shape = {output_channels, input_channels, kernel, kernel};
    if (over_time_) shape.insert(shape.begin() + 2, kernel);
    weight_ = register_parameter("weight", torch::zeros(shape));
    if (!zero) torch::nn::init::xavier_uniform_(weight_);
    if (options.head_bias) bias_ = register_parameter("bias", torch::zeros({output_channels}));
}

torch::Tensor Head::forward(const torch::Tensor& hidden, const FrameSize& frame, HeadHistory& history) {
    return activated(convolve(resized(hidden, frame), history), activation_);
}

torch::Tensor Head::last(const torch::Tensor& hidden, const FrameSize& frame, HeadHistory& history) {
    const std::int64_t earlier = hidden.size(1) - 1;
    if (over_time_ && earlier > 0) remembered(resized(hidden.narrow(1, 0, earlier), frame), history);
    return forward(hidden.narrow(1, earlier, 1), frame, history);
}

torch::Tensor Head::remembered(const torch::Tensor& hidden, HeadHistory& history) const {
    if (!history.hidden.defined()) {
        std::vector<std::int64_t> shape = hidden.sizes().vec();
        shape[1] = past();
        history.hidden = hidden.new_zeros(shape);
    }
    torch::Tensor known = at::cat({history.hidden, hidden}, 1);
    // A copy: a part would keep all of it alive.
    history.hidden = known.narrow(1, known.size(1) - past(), past()).clone();
    return known;
}

torch::Tensor Head::convolve(const torch::Tensor& hidden, HeadHistory& history) const {
    if (!over_time_) return over_space(hidden);
    return over_time(at::constant_pad_nd(remembered(hidden, history), {0, 0, 0, 0, 0, 0, 0, ahead()}));
}

torch::Tensor Head::over_space(const torch::Tensor& hidden) const {
    return nowcell::convolve(hidden.flatten(0, 1), weight_, bias_).unflatten(0, {hidden.size(0), hidden.size(1)});
}

torch::Tensor Head::over_time(const torch::Tensor& hidden) const {
    const std::int64_t less = (weight_.size(-1) - 1) / 2;
    const std::int64_t more = weight_.size(-1) / 2;
    const torch::Tensor padded = at::constant_pad_nd(hidden.transpose(1, 2), {less, more, less, more});
    return at::conv3d(padded, weight_, bias_).transpose(1, 2);
}

std::int64_t Head::past() const {
    if (!over_time_) return 0;
    return causal_ ? weight_.size(-1) - 1 : (weight_.size(-1) - 1) / 2;
}

std::int64_t Head::ahead() const { return over_time_ && !causal_ ? weight_.size(-1) / 2 : 0; }

torch::Tensor Head::in_tiles(const std::vector<FrameView>& hidden, const FrameSize& tile) const {
    const FrameView& known = *std::find_if(hidden.begin(), hidden.end(), [](const auto& h) { return h.defined(); });
    const std::int64_t kernel = weight_.size(-1);
    const Reach reach = {(kernel - 1) / 2, kernel / 2};
    torch::Tensor frame;
    for (const Tile& each : tiles_of(known.size(), tile, {reach, reach})) {
        std::vector<torch::Tensor> steps;
        for (const FrameView& h : hidden) steps.push_back(h.defined() ? h.read(each.computed) : torch::Tensor());
        const torch::Tensor zeros =
            at::zeros_like(*std::find_if(steps.begin(), steps.end(), [](const auto& s) { return s.defined(); }));
        for (torch::Tensor& step : steps) step = step.defined() ? step : zeros;
        const torch::Tensor seen = steps.size() == 1 ? steps.front() : at::cat(steps, 1);
        put_tile(frame, known.size(), each, activated(over_time_ ? over_time(seen) : over_space(seen), activation_));
    }
    return frame;
}

}  // namespace nowcell
