#include "predict/rollout.h"

#include "predict/forecaster.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace nowcell {

Rollout::Rollout(const Forecaster& model, SequenceMemory memory, const torch::Tensor& past)
    : model_(&model), memory_(std::move(memory)) {
    if (model.network().options().looks_ahead()) {
        throw Error(ExitCode::model,
                    "this network cannot forecast one lead time after the other: model.time_padding = \"same\" lets "
                    "each see the baselines of later ones",
                    "", "train with model.time_padding = \"causal\"");
    }
    for (const auto& guide : model.guides()) guides_.push_back(guide->start(past));
}

torch::Tensor Rollout::next(std::int64_t leads) {
    const c10::NoGradGuard no_grad;
    model_->network().eval();
    torch::Tensor guides;
    if (!guides_.empty()) {
        std::vector<torch::Tensor> frames;
        for (const auto& guide : guides_) frames.push_back(guide->next(leads));
        guides = model_->normalizer().apply(at::cat(frames, 2).to(model_->device()));
    }
    const torch::Tensor frames = model_->network().advance(memory_, guides, leads);
    return model_->normalizer().invert(frames.to(torch::kCPU));
}

}  // namespace nowcell
