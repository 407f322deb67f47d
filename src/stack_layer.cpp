#include "src/stack_layer.h"

#include "cells/frame_layout.h"
#include "src/layer.h"
#include "src/tiled_state.h"

#include <ATen/ATen.h>

namespace nowcell {
namespace {

// Side, px, that divides the tiles of every engine that may compute the layer. Winograd's round by where a pixel lies
// in such a tile: parts of a frame that begin where these do give the same bits as the frame.
std::int64_t engine_tile(const LayerOptions& options) {
    if (options.cell != "conv_lstm" || options.algorithm == "reference" || options.algorithm == "direct") return 1;
    const std::int64_t kernel = options.kernel.front();
    return kernel == 3 ? 12 : kernel == 5 ? 4 : kernel == 7 ? 2 : 1;
}

}  // namespace

StackLayer::StackLayer(torch::nn::Module& owner, std::size_t index, const LayerOptions& options,
                       std::int64_t input_channels, const std::optional<FrameSize>& frame)
    : residual_(options.residual),
      last_only_(!options.return_sequences),
      own_kernels_(options.algorithm != "reference"),
      convolves_twice_(options.cell == "conv_gru" && options.reset == "before"),
      engine_tile_(engine_tile(options)) {
    const std::string number = std::to_string(index);
    cell_ = owner.register_module("layer" + number, make_layer(options, input_channels, frame));
    if (options.norm != "none") {
        norm_ = owner.register_module("norm" + number,
                                      std::make_shared<Norm>(options.norm, options.filters, options.norm_groups));
    }
    if (residual_ && input_channels != options.filters) {
        projection_ = owner.register_module(
            "residual" + number, std::make_shared<FrameConvolution>(input_channels, options.filters, 1, 1, false));
    }
}

torch::Tensor StackLayer::forward(const torch::Tensor& x, State& state) {
    const auto wanted = [this](const torch::Tensor& frames) {
        return last_only_ ? frames.narrow(1, frames.size(1) - 1, 1) : frames;
    };
    torch::Tensor out = wanted(cell_->forward(x, state));
    if (norm_) out = norm_->forward(out);
    if (!residual_) return out;
    const torch::Tensor input = wanted(x);
    return out + (projection_ ? projection_->forward(input) : input);
}

FrameAxes StackLayer::axes(const FrameSize& frame) const {
    const RecurrentOptions& options = cell_->recurrent_options();
    const auto along = [&](std::int64_t size, std::size_t axis) {
        return ConvolutionAxis(size, options.kernel[axis], options.stride[axis], options.dilation[axis],
                               options.padding);
    };
    return {along(frame.height, 0), along(frame.width, 1)};
}

Reach StackLayer::margin(const ConvolutionAxis& input, std::int64_t kernel) const {
    const Reach recurrent = {(kernel - 1) / 2, kernel / 2};
    const Reach first = larger(input.reach(), recurrent);
    return convolves_twice_ ? first + recurrent : first;
}

TileRule StackLayer::tile_rule(const FrameAxes& axes) const {
    const std::vector<std::int64_t>& kernel = cell_->recurrent_options().kernel;
    return {margin(axes.rows, kernel[0]), margin(axes.columns, kernel[1]), engine_tile_};
}

void StackLayer::run_cell(const torch::Tensor& x, State& state) {
    cell_->forward(own_kernels_ && x.is_cpu() ? to_channels_last(x) : x, state);
}

FrameView StackLayer::step(const FrameView& x, State& state, const FrameSize& tile) {
    const FrameAxes see = axes(x.size());
    const std::vector<Tile> tiles = tiles_of(see.outputs(), tile, tile_rule(see));
    TiledState h(state.h, see.outputs(), tiles, true);
    TiledState c(state.c, see.outputs(), tiles, false);  // of which a pixel sees its own
    for (const Tile& each : tiles) {
        State part = {h.read(each), c.read(each)};
        run_cell(x.read(see.input(each.computed)), part);
        h.write(each, part.h);
        c.write(each, part.c);
    }
    state = {h.written(), c.written()};
    return output(x, state.h.unsqueeze(1));
}

FrameView StackLayer::output(const FrameView& x, const torch::Tensor& hidden) {
    const FrameView out = norm_ ? norm_->forward_in_parts(hidden) : FrameView(hidden);
    if (!residual_) return out;
    const FrameView input = projection_ ? projection_->forward(x) : x;
    return {out.size(), [out, input](const Region& region) { return out.read(region) + input.read(region); }};
}

}  // namespace nowcell
