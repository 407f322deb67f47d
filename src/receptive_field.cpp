#include "src/receptive_field.h"

#include <algorithm>

namespace nowcell {
namespace {

/// Pixels along one axis that a path through the network depends on, followed from the forecast back to the input.
class Path {
 public:
    explicit Path(std::size_t axis) : axis_(axis) {}

    void convolution(std::int64_t kernel, std::int64_t stride = 1) { extent_ = (extent_ - 1) * stride + kernel; }
    /// Nearest pixel, `factor` larger; pixels may stand astride.
    void resize(std::int64_t factor) {
        if (factor > 1) extent_ = (extent_ + factor - 2) / factor + 1;
    }
    /// `steps` recurrent convolutions.
    void recurrence(const LayerOptions& layer, std::int64_t steps) { extent_ += steps * (along(layer.kernel) - 1); }
    void input(const LayerOptions& layer) {
        convolution((along(layer.kernel) - 1) * along(layer.dilation) + 1, along(layer.stride));
    }
    void down(const LayerOptions& layer) {
        if (layer.downsample > 1) convolution(layer.scale_kernel, layer.downsample);
    }
    void up(const LayerOptions& layer) {
        if (layer.downsample == 1) return;
        convolution(layer.scale_kernel);
        resize(layer.downsample);
    }
    void head(const ModelOptions& options) {
        convolution(options.head_kernel);
        std::int64_t factor = 1;
        for (const LayerOptions& layer : options.layers) factor *= along(layer.stride);
        resize(factor);
    }
    std::int64_t pixels(std::int64_t patch) const { return extent_ * patch; }

 private:
    std::int64_t along(const std::vector<std::int64_t>& sizes) const {
        return sizes.size() == 1 ? sizes[0] : sizes[axis_];
    }

    std::size_t axis_;
    std::int64_t extent_ = 1;
};

// From layer `last` down to the input, `back` steps earlier: the steps are spent in the layer `slow`.
void through_encoder(Path& path, const std::vector<LayerOptions>& layers, std::size_t last, std::size_t slow,
                     std::int64_t back) {
    for (std::size_t i = last + 1; i-- > 0;) {
        if (i == slow) path.recurrence(layers[i], back);
        path.input(layers[i]);
        path.down(layers[i]);
    }
}

// Through the decoder's layers to the state of layer `last`, which the encoder left.
void through_decoder(Path& path, const ModelOptions& options, std::size_t last) {
    const std::vector<LayerOptions>& layers = options.layers;
    if (options.scaled()) {
        path.up(layers[0]);
        for (std::size_t i = 0; i < last; ++i) {
            path.input(layers[i]);
            path.up(layers[i + 1]);
        }
    } else {
        for (std::size_t i = layers.size() - 1; i > last; --i) path.input(layers[i]);
    }
    path.recurrence(layers[last], 1);
}

std::int64_t widest(const ModelOptions& options, std::size_t axis, std::int64_t back) {
    const std::vector<LayerOptions>& layers = options.layers;
    const bool decodes = options.strategy == "encoder-forecaster";
    std::int64_t most = 0;
    for (std::size_t last = decodes ? 0 : layers.size() - 1; last < layers.size(); ++last) {
        for (std::size_t slow = 0; slow <= last; ++slow) {
            Path path(axis);
            path.head(options);
            if (decodes) through_decoder(path, options, last);
            through_encoder(path, layers, last, slow, back);
            most = std::max(most, path.pixels(options.patch));
        }
    }
    return most;
}

}  // namespace

ReceptiveField receptive_field(const ModelOptions& options, std::int64_t input_steps) {
    const auto at = [&](std::int64_t back) { return FrameSize{widest(options, 0, back), widest(options, 1, back)}; };
    const bool whole = std::any_of(options.layers.begin(), options.layers.end(), [](const LayerOptions& layer) {
        return layer.gate_norm == "frame" || layer.norm == "group";
    });
    return {at(0), at(input_steps - 1), whole};
}

}  // namespace nowcell
