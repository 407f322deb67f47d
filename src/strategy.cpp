#include "src/strategy.h"

#include <ATen/ATen.h>

namespace nowcell {

torch::Tensor last_frame(const torch::Tensor& frames) { return frames.narrow(1, frames.size(1) - 1, 1); }

torch::Tensor level_of(const torch::Tensor& input, const ModelOptions& options) {
    return options.relative ? last_frame(input) : torch::Tensor();
}

torch::Tensor lowered(const torch::Tensor& frames, const torch::Tensor& level) {
    return level.defined() ? frames - level : frames;
}

torch::Tensor raised(const torch::Tensor& frames, const torch::Tensor& level) {
    return level.defined() ? frames + level : frames;
}

torch::Tensor shown_frame(const torch::Tensor& shown, const torch::Tensor& truth, const torch::Tensor& own) {
    if (shown.all().item<bool>()) return truth;
    if (!shown.any().item<bool>()) return own;
    return at::where(shown.to(own.device()).view({-1, 1, 1, 1, 1}), truth, own);
}

void check_shown(const Lesson& lesson) {
    if (!lesson.shown.defined()) return;
    const std::vector<std::int64_t> expected = {lesson.input.size(0), lesson.input.size(1) + lesson.target.size(1) - 1};
    TORCH_CHECK_VALUE(
        lesson.shown.sizes() == expected && lesson.shown.scalar_type() == at::kBool && lesson.shown.is_cpu(),
        "shown must be bool on the CPU of (B,T_in+T_out-1) = ", at::IntArrayRef(expected), ", got ",
        lesson.shown.toString(), " ", lesson.shown.sizes());
}

}  // namespace nowcell
