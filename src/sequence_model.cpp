#include "src/sequence_model.h"

#include "cells/cuda_graph.h"
#include "src/strategy.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace nowcell {

SequenceModel::SequenceModel(std::int64_t channels, ModelOptions options, const std::optional<FrameSize>& frame)
    : channels_(channels), options_(std::move(options)) {
    const std::string tie = options_.tie();
    TORCH_CHECK_VALUE(tie.empty() || frame, tie, " ties the network to a frame size, but none was given");
    if (!tie.empty()) frame_ = frame;
}

std::shared_ptr<LayerStack> SequenceModel::make_stack(std::int64_t frames_seen) const {
    return std::make_shared<Stack>(folded_channels() * frames_seen, options_.layers, folded_frame());
}

std::shared_ptr<LayerStack> SequenceModel::make_encoder() const {
    std::vector<LayerOptions> layers = options_.layers;
    layers.back().norm = "none";
    layers.back().residual = false;
    return std::make_shared<Stack>(folded_channels(), layers, folded_frame());
}

std::shared_ptr<LayerStack> SequenceModel::make_decoder(std::int64_t frames_seen) const {
    if (!options_.scaled()) return make_stack(frames_seen);
    return std::make_shared<UpStack>(folded_channels() * frames_seen, options_.layers, folded_frame());
}

std::optional<FrameSize> SequenceModel::folded_frame() const {
    if (!frame_) return frame_;
    return FrameSize{frame_->height / options_.patch, frame_->width / options_.patch};
}

std::shared_ptr<Head> SequenceModel::make_head(const LayerStack& stack) const {
    return std::make_shared<Head>(stack.output_channels(), folded_channels(), options_, options_.corrects());
}

std::int64_t SequenceModel::parameter_count() const {
    std::int64_t count = 0;
    for (const torch::Tensor& parameter : parameters()) count += parameter.numel();
    return count;
}

SequenceMemory SequenceModel::begin(const torch::Tensor& input) {
    check_frames(input, "input", channels_);
    SequenceMemory memory;
    memory.level = level_of(input, options_);
    read(input, memory);
    memory.frames = input.size(1);
    return memory;
}

void SequenceModel::observe(const torch::Tensor& frames, SequenceMemory& memory) {
    check_frames(frames, "frames", channels_);
    TORCH_CHECK_VALUE(!options_.relative,
                      "model.relative: frames are read relative to the last one of a window, which frames that are "
                      "read one by one do not have; begin() reads a window");
    TORCH_CHECK_VALUE(memory.leads == 0, "this memory has made ", memory.leads,
                      " lead times: read on with a copy from before the forecast");
    for (std::int64_t t = 0; t < frames.size(1); ++t) {
        read(frames.narrow(1, t, 1), memory);
        ++memory.frames;
    }
}

torch::Tensor SequenceModel::advance(SequenceMemory& memory, const torch::Tensor& guides, std::int64_t leads) {
    TORCH_CHECK_VALUE(memory.frames > 0, "a forecast needs frames that were read before");
    TORCH_CHECK_VALUE(leads >= 1, "got ", leads, " lead times, expected at least 1");
    TORCH_CHECK_VALUE(!guides.defined() || guides.size(1) == leads, "guides have ", guides.size(1),
                      " lead times, expected ", leads);
    TORCH_CHECK_VALUE(!options_.looks_ahead(),
                      "model.time_padding = \"same\": a lead time depends on later ones, so that a forecast cannot be "
                      "made piece by piece");
    std::vector<torch::Tensor> frames;
    for (std::int64_t lead = 0; lead < leads; ++lead, ++memory.leads) {
        frames.push_back(next(memory, guides.defined() ? guides.narrow(1, lead, 1) : guides));
    }
    return leads == 1 ? frames.front() : at::cat(frames, 1);
}

torch::Tensor SequenceModel::forecast(const torch::Tensor& input, const torch::Tensor& guides, std::int64_t horizon) {
    SequenceMemory memory = begin(input);
    return advance(memory, guides, horizon);
}

void SequenceModel::set_tiling(const Tiling& tiling) {
    const std::string tie = options_.tie();
    if (tiling.on() && !tie.empty()) {
        throw Error(ExitCode::usage, fmt::format("frames cannot be computed in tiles: {} needs whole ones", tie), "",
                    "forecast without tiles, or train with peephole = \"channel\" or gate_norm = \"channels\"");
    }
    const auto folded = [this](std::int64_t side) { return (side + options_.patch - 1) / options_.patch; };
    const FrameSize tile = {folded(tiling.height), folded(tiling.width)};
    for (const std::shared_ptr<torch::nn::Module>& part : children()) {
        if (auto* const stack = dynamic_cast<LayerStack*>(part.get())) stack->set_tile(tile);
    }
}

torch::Tensor SequenceModel::fold(const torch::Tensor& frames) const {
    return options_.patch == 1 ? frames : at::pixel_unshuffle(frames, options_.patch);
}

torch::Tensor SequenceModel::unfold(const torch::Tensor& frames) const {
    return options_.patch == 1 ? frames : at::pixel_shuffle(frames, options_.patch);
}

torch::Tensor SequenceModel::seen_guides(const torch::Tensor& guides, const torch::Tensor& level,
                                         std::int64_t horizon) const {
    const auto count = static_cast<std::int64_t>(options_.guides().size());
    TORCH_CHECK_VALUE(guides.defined(), "the network sees ", count, " baselines, but none was given");
    check_frames(guides, "guides", count * channels_);
    TORCH_CHECK_VALUE(guides.size(1) == horizon, "guides have ", guides.size(1), " lead times, expected ", horizon);
    return fold(lowered(guides, level.defined() ? level.repeat({1, 1, count, 1, 1}) : level));
}

torch::Tensor SequenceModel::completed(const torch::Tensor& frames, const torch::Tensor& guides,
                                       const torch::Tensor& level) const {
    return options_.corrects() ? frames + guides.narrow(2, 0, channels_) : raised(frames, level);
}

void SequenceModel::check_frames(const torch::Tensor& frames, const char* what, std::int64_t channels) const {
    TORCH_CHECK_VALUE(frames.dim() == 5, what, " must be (B,T,C,H,W), got ", frames.dim(), " dimensions");
    TORCH_CHECK_VALUE(frames.size(2) == channels, what, " has ", frames.size(2), " channels, expected ", channels);
    const std::optional<Problem> problem = misfit(size_of(frames));
    TORCH_CHECK_VALUE(!problem, what, ": ", problem->what);
}

std::shared_ptr<SequenceModel> make_sequence_model(std::int64_t channels, const ModelOptions& options,
                                                   const std::optional<FrameSize>& frame) {
    use_cuda_graphs(options.cuda_graph);
    if (options.strategy == "next-frame") return make_next_frame(channels, options, frame);
    if (options.strategy == "direct") return make_direct(channels, options, frame);
    return make_encoder_forecaster(channels, options, frame);
}

}  // namespace nowcell
