#include "cells/convolution.h"
#include "src/read_out.h"
#include "src/strategy.h"

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

    torch::Tensor forecast(const torch::Tensor& input, const torch::Tensor& guides, std::int64_t horizon) override {
        check_frames(input, "input", channels());
        TORCH_CHECK_VALUE(!guides.defined() || guides.size(1) == horizon, "guides have ", guides.size(1),
                          " lead times, expected ", horizon);
        torch::Tensor known = input;
        std::vector<torch::Tensor> blocks;
        for (std::int64_t done = 0; done < horizon; done += leads_) {
            const std::int64_t leads = std::min(leads_, horizon - done);
            blocks.push_back(block(known, guides.defined() ? guides.slice(1, done, done + leads) : guides, leads));
            known = at::cat({known, blocks.back()}, 1).slice(1, leads);
        }
        return at::cat(blocks, 1);
    }

    Supervised supervised(const Lesson& lesson) override {
        check_shown(lesson);
        return {forecast(lesson.input, lesson.guides, lesson.target.size(1)), lesson.target, lesson.input.size(1)};
    }

 private:
    // The first `leads` of the lead times that one state gives.
    torch::Tensor block(const torch::Tensor& input, const torch::Tensor& guides, std::int64_t leads) {
        const torch::Tensor level = level_of(input, options());
        const torch::Tensor known = fold(lowered(input, level));
        std::vector<State> states;
        torch::Tensor frames = read_out_state(*encoder_, *head_, known, states);
        if (guide_weight_.defined()) frames = frames + guide_part(seen_guides(guides, level, leads));
        frames = activated(frames, options().output_activation);
        frames = frames.flatten(0, 1).unflatten(1, {leads_, folded_channels()}).narrow(1, 0, leads);
        return completed(unfold(frames), guides, level);
    }

    // Each lead time has weights of its own for its own guides: (B,leads,G C,H,W) -> (B,1,leads_ C,H,W).
    torch::Tensor guide_part(const torch::Tensor& seen) const {
        const torch::Tensor all = at::constant_pad_nd(seen, {0, 0, 0, 0, 0, 0, 0, leads_ - seen.size(1)});
        return convolve(all.flatten(1, 2), guide_weight_, {}, {}, leads_).unsqueeze(1);
    }

    std::int64_t leads_;
    std::shared_ptr<LayerStack> encoder_;
    std::shared_ptr<Head> head_;
    torch::Tensor guide_weight_;  // (leads C, G C, K, K), a group of channels per lead time
};

}  // namespace

std::shared_ptr<SequenceModel> make_direct(std::int64_t channels, const ModelOptions& options,
                                           const std::optional<FrameSize>& frame) {
    return std::make_shared<Direct>(channels, options, frame);
}

}  // namespace nowcell
