#include "src/read_out.h"
#include "src/strategy.h"

#include "cells/convolution.h"

#include <ATen/ATen.h>
#include <torch/nn/init.h>

#include <algorithm>

namespace nowcell {
namespace {

// The activation comes after the guides' part.
ModelOptions linear(ModelOptions options) {
    options.output_activation = "linear";
    return options;
}

class Direct final : public SequenceModel {
 public:
    Direct(std::int64_t channels, const ModelOptions& options, const std::optional<FrameSize>& frame)
        : SequenceModel(channels, options, frame),
          leads_(options.output_steps),
          encoder_(register_module("encoder", make_stack(1))),
          head_(register_module("head", std::make_shared<Head>(encoder_->output_channels(), leads_ * folded_channels(),
                                                               linear(options), options.corrects()))) {
        const auto guides = static_cast<std::int64_t>(options.guides().size());
        if (guides == 0) return;
        const std::int64_t kernel = options.head_kernel;
        guide_weight_ = register_parameter(
            "guides", torch::zeros({leads_ * folded_channels(), guides * folded_channels(), kernel, kernel}));
        if (!options.corrects()) torch::nn::init::xavier_uniform_(guide_weight_);
    }

    Supervised supervised(const Lesson& lesson) override {
        check_shown(lesson);
        return {forecast(lesson.input, lesson.guides, lesson.target.size(1)), lesson.target, lesson.input.size(1)};
    }

 private:
    // memory.last: the frames that the next block is made from.
    void read(const torch::Tensor& frames, SequenceMemory& memory) override {
        const torch::Tensor known = fold(lowered(frames, memory.level));
        const torch::Tensor block = read_out_state(*encoder_, *head_, known, memory.states);
        memory.pending = block.flatten(0, 1).unflatten(1, {leads_, folded_channels()});
        const torch::Tensor all = memory.last.defined() ? at::cat({memory.last, frames}, 1) : frames;
        memory.last = all.slice(1, std::max<std::int64_t>(0, all.size(1) - options().input_steps));
    }

    torch::Tensor next(SequenceMemory& memory, const torch::Tensor& guides) override {
        const std::int64_t lead = memory.leads % leads_;
        if (lead == 0 && memory.leads > 0) next_block(memory);
        torch::Tensor frame = memory.pending.narrow(1, lead, 1);
        if (guide_weight_.defined()) frame = frame + guide_part(seen_guides(guides, memory.level, 1), lead);
        frame = completed(unfold(activated(frame, options().output_activation)), guides, memory.level);
        memory.last = at::cat({memory.last, frame}, 1).slice(1, 1);
        return frame;
    }

    // From zeros, on as many frames as before, the last of which are forecasts.
    void next_block(SequenceMemory& memory) {
        SequenceMemory block = begin(memory.last);
        block.frames = memory.frames;
        block.leads = memory.leads;
        memory = std::move(block);
    }

    // Each lead time has weights of its own for its own guides, (B,1,G C,H,W).
    torch::Tensor guide_part(const torch::Tensor& seen, std::int64_t lead) const {
        const torch::Tensor weight = guide_weight_.narrow(0, lead * folded_channels(), folded_channels());
        return convolve(seen.flatten(0, 1), weight, {}).unsqueeze(1);
    }

    std::int64_t leads_;
    std::shared_ptr<LayerStack> encoder_;
    std::shared_ptr<Head> head_;
    torch::Tensor guide_weight_;  // (leads C, G C, K, K): C per lead time
};

}  // namespace

std::shared_ptr<SequenceModel> make_direct(std::int64_t channels, const ModelOptions& options,
                                           const std::optional<FrameSize>& frame) {
    return std::make_shared<Direct>(channels, options, frame);
}

}  // namespace nowcell
