#include "src/stack.h"

#include "cells/frame_layout.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <string>

namespace nowcell {
namespace {

constexpr double kSlope = 0.2;  // of the leaky ReLU between scales, as in Shi et al. 2017

torch::Tensor rectified(const torch::Tensor& x) { return at::leaky_relu(x, kSlope); }

}  // namespace

torch::Tensor LayerStack::laid_out(const torch::Tensor& x) const {
    return own_kernels_ && x.is_cpu() ? to_channels_last(x) : x;
}

bool LayerStack::tiled() const {
    return (tile_.height > 0 || tile_.width > 0) && !at::GradMode::is_enabled() && !is_training();
}

FrameSize LayerStack::tile_at(const FrameSize& size, const FrameSize& frame) const {
    const auto scaled = [](std::int64_t tile, std::int64_t to, std::int64_t from) {
        return (tile * to + from - 1) / from;
    };
    return {scaled(tile_.height, size.height, frame.height), scaled(tile_.width, size.width, frame.width)};
}

Stack::Stack(std::int64_t input_channels, const std::vector<LayerOptions>& layers, std::optional<FrameSize> frame)
    : LayerStack(layers) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
        std::shared_ptr<FrameConvolution> down;
        if (layers[i].downsample > 1) {
            down = register_module("down" + std::to_string(i),
                                   std::make_shared<FrameConvolution>(input_channels, layers[i].filters,
                                                                      layers[i].scale_kernel, layers[i].downsample,
                                                                      /*bias=*/true));
            input_channels = layers[i].filters;
            if (frame) frame = scaled_size(layers[i], *frame);
        }
        parts_.push_back({std::move(down), StackLayer(*this, i, layers[i], input_channels, frame)});
        input_channels = layers[i].filters;
        if (frame) frame = hidden_size(layers[i], *frame);
    }
}

torch::Tensor Stack::forward(torch::Tensor x, std::vector<State>& states) {
    states.resize(parts_.size());
    x = laid_out(x);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        if (parts_[i].down) x = laid_out(rectified(parts_[i].down->forward(x)));
        x = parts_[i].layer.forward(x, states[i]);
    }
    return x;
}

FrameView Stack::step(const torch::Tensor& x, std::vector<State>& states) {
    states.resize(parts_.size());
    FrameView frames(x);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        if (parts_[i].down) frames = mapped(parts_[i].down->forward(frames), rectified);
        frames = parts_[i].layer.step(frames, states[i],
                                      tile_at(hidden_size(layer_options()[i], frames.size()), size_of(x)));
    }
    return frames;
}

UpStack::UpStack(std::int64_t input_channels, const std::vector<LayerOptions>& layers,
                 const std::optional<FrameSize>& frame)
    : LayerStack(layers) {
    std::optional<FrameSize> read = frame;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        std::shared_ptr<FrameConvolution> up;
        if (layers[i].downsample > 1) {
            up = register_module("up" + std::to_string(i),
                                 std::make_shared<FrameConvolution>(layers[i].filters, layers[i].filters,
                                                                    layers[i].scale_kernel, 1, /*bias=*/true));
            if (read) read = scaled_size(layers[i], *read);
        }
        const std::int64_t coarser = i + 1 < layers.size() ? layers[i + 1].filters : 0;
        parts_.push_back({std::move(up), StackLayer(*this, i, layers[i], input_channels + coarser, read)});
    }
}

std::vector<FrameSize> UpStack::sizes_for(const FrameSize& frame) const {
    std::vector<FrameSize> sizes = {frame};
    for (const LayerOptions& layer : layer_options()) sizes.push_back(scaled_size(layer, sizes.back()));
    return sizes;
}

torch::Tensor UpStack::forward(torch::Tensor x, std::vector<State>& states) {
    states.resize(parts_.size());
    const std::vector<FrameSize> sizes = sizes_for(size_of(x));
    torch::Tensor hidden;
    for (std::size_t i = parts_.size(); i-- > 0;) {
        const torch::Tensor frame = averaged(x, sizes[i + 1]);
        const torch::Tensor read = laid_out(hidden.defined() ? at::cat({hidden, frame}, 2) : frame);
        hidden = parts_[i].layer.forward(read, states[i]);
        if (parts_[i].up) hidden = rectified(parts_[i].up->forward(resized(hidden, sizes[i])));
    }
    return hidden;
}

FrameView UpStack::step(const torch::Tensor& x, std::vector<State>& states) {
    states.resize(parts_.size());
    const std::vector<FrameSize> sizes = sizes_for(size_of(x));
    FrameView hidden;
    for (std::size_t i = parts_.size(); i-- > 0;) {
        const FrameView frame(averaged(x, sizes[i + 1]));
        hidden = parts_[i].layer.step(hidden.defined() ? joined(hidden, frame) : frame, states[i],
                                      tile_at(sizes[i + 1], sizes[0]));
        if (parts_[i].up) hidden = mapped(parts_[i].up->forward(resized(hidden, sizes[i])), rectified);
    }
    return hidden;
}

}  // namespace nowcell
