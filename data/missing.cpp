#include "data/missing.h"

#include "data/formats/stored.h"

#include <ATen/ATen.h>

namespace nowcell {

// Without ATen's threads, which would spin beside the readers on the loader's behalf.
static bool all_finite(const torch::Tensor& frames) {
    if (frames.is_contiguous()) return count_non_finite(frames.const_data_ptr<float>(), frames.numel()) == 0;
    for (std::int64_t i = 0; i < frames.size(0); ++i) {
        if (!all_finite(frames[i])) return false;
    }
    return true;
}

torch::Tensor known_values(const torch::Tensor& frames) {
    if (frames.device().is_cpu() && frames.scalar_type() == torch::kFloat32 && all_finite(frames)) return {};
    torch::Tensor known = frames.isfinite();
    return known.all().item<bool>() ? torch::Tensor() : known;
}

torch::Tensor hold(const torch::Tensor& frames) {
    const torch::Tensor known = known_values(frames);
    if (!known.defined()) return frames;
    torch::Tensor held = frames.clone();
    for (std::int64_t t = 1; t < held.size(1); ++t) {
        held.select(1, t).copy_(at::where(known.select(1, t), held.select(1, t), held.select(1, t - 1)));
    }
    return held;
}

torch::Tensor fill_missing(const torch::Tensor& frames, const std::string& policy, double mean) {
    const torch::Tensor filled = policy == "hold" ? hold(frames) : frames;
    const torch::Tensor known = known_values(filled);
    return known.defined() ? filled.masked_fill(known.logical_not(), mean) : filled;
}

}  // namespace nowcell
