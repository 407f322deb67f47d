#include "train/sampling.h"

#include "data/counter_random.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

// Of the generator: apart from the loader's draws of the same seed.
constexpr std::uint64_t kSamplingSeed = 0x73686f776e;

}  // namespace

ShownShares shown_shares(const SamplingOptions& options, std::int64_t step) {
    if (options.name == "none") return {};
    const bool reverse = options.name == "reverse";
    const double since = static_cast<double>(step - options.start);
    const double line = std::clamp(1.0 - since / static_cast<double>(options.stop - options.start), 0.0, 1.0);
    double fading = options.decay == "linear" ? line : std::exp(-since / options.alpha);  // from 1 to 0
    if (step < options.start) fading = 1.0;
    if (step >= options.stop) fading = 0.0;
    if (reverse) return {1.0 - 0.5 * fading, 0.5 * line};
    return {1.0, fading};
}

torch::Tensor draw_shown(const SamplingOptions& options, std::int64_t step, std::int64_t batch,
                         std::int64_t input_steps, std::int64_t output_steps) {
    if (options.name == "none") return {};
    const ShownShares shares = shown_shares(options, step);
    const std::int64_t steps = input_steps + output_steps - 1;
    torch::Tensor shown = at::empty({batch, steps}, at::kBool);
    bool* out = shown.mutable_data_ptr<bool>();
    CounterRandom random(options.seed ^ kSamplingSeed, static_cast<std::uint64_t>(step));
    for (std::int64_t i = 0; i < batch * steps; ++i) {
        const std::int64_t s = i % steps;
        const double share = s == 0 ? 1.0 : s < input_steps ? shares.input : shares.taught;
        out[i] = static_cast<double>(random.bits() >> 11) * 0x1p-53 < share;
    }
    return shown;
}

std::int64_t taught_steps(const TrainOptions& options, std::int64_t epoch, std::int64_t output_steps) {
    if (options.curriculum_start == 0) return output_steps;
    const std::int64_t done = std::clamp<std::int64_t>(epoch - 1, 0, options.curriculum_epochs);
    const std::int64_t start = std::min(options.curriculum_start, output_steps);
    return start + (output_steps - start) * done / options.curriculum_epochs;
}

}  // namespace nowcell
