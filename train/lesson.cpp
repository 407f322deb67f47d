#include "train/lesson.h"

#include "data/missing.h"

#include <ATen/ATen.h>

namespace nowcell {
namespace {

bool teaches_every_step(const ModelOptions& options) {
    return options.strategy == "next-frame" && options.layers.back().return_sequences;
}

// The frames after the past as a network may see them: missing values filled as those of the past are.
torch::Tensor filled_after(const torch::Tensor& past, const torch::Tensor& frames, const Forecaster& forecaster) {
    if (!known_values(frames).defined()) return frames;
    const torch::Tensor all = at::cat({past, frames}, 1);
    return fill_missing(all, forecaster.data().source.missing, forecaster.normalizer().mean).slice(1, past.size(1));
}

}  // namespace

BatchLesson::BatchLesson(const Forecaster& forecaster, const Batch& batch)
    : input_(batch.past.slice(1, batch.past.size(1) - forecaster.data().window.input_steps)),
      target_(batch.target),
      device_(forecaster.device()) {
    const auto model_units = [&](const torch::Tensor& frames) {
        return forecaster.normalizer().apply(frames.to(device_, /*non_blocking=*/true));
    };
    const std::int64_t horizon = batch.target.size(1);
    const Prepared prepared = forecaster.prepare(batch.past, horizon, batch.guides);
    lesson_.input = prepared.input;
    lesson_.guides = prepared.guides;
    if (!batch.taught.defined()) {
        lesson_.target = model_units(filled_after(batch.past, batch.target, forecaster));
        return;
    }
    // A target stands in for none of the frames that are seen, so it is filled from targets alone.
    const torch::Tensor taught = model_units(filled_after(batch.taught.slice(1, 0, 0), batch.taught, forecaster));
    const torch::Tensor later = model_units(filled_after(batch.past, batch.later, forecaster));
    // The last frame is shown to nobody: no target follows it.
    const torch::Tensor seen = at::cat({prepared.input.slice(1, 1), later, taught.slice(1, -1)}, 1);
    if (teaches_every_step(forecaster.network().options())) {
        input_ = input_.slice(1, 0, 1);
        target_ = batch.taught;
        lesson_.input = prepared.input.slice(1, 0, 1);
        lesson_.target = taught;
        lesson_.seen = seen;
    } else {
        lesson_.target = taught.slice(1, -horizon);
        lesson_.seen = seen.slice(1, -horizon);
    }
}

torch::Tensor BatchLesson::known(const Supervised& taught) const {
    const std::int64_t steps = input_.size(1);
    const torch::Tensor frames = taught.first >= steps
                                     ? target_.narrow(1, taught.first - steps, taught.target.size(1))
                                     : at::cat({input_, target_}, 1).narrow(1, taught.first, taught.target.size(1));
    const torch::Tensor known = known_values(frames);
    return known.defined() ? known.to(device_) : known;
}

}  // namespace nowcell
