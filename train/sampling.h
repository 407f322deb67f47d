// Which frames a network is shown while it learns: true ones or its own, and how many lead times.
// Pure functions of the options and the position in the run: a resumed run needs no state of theirs.
#pragma once

#include "train/train_options.h"

#include <torch/types.h>

namespace nowcell {

/// The probabilities that a step shows the true frame.
struct ShownShares {
    double input = 1.0;   ///< of the steps that read input frames, the first one apart: that is always true
    double taught = 1.0;  ///< of the steps that read frames after the input
};

/// Of a step counted from 0:
///     none       everything is true
///     scheduled  input 1; taught from 1 at `start` down to 0 at `stop`, along a line, or as exp(-(step - start) /
///     alpha)
///                up to `stop`. Source: Bengio et al. 2015
///     reverse    input 1/2 up to `start`, then 1 - exp(-(step - start) / alpha) / 2, or along a line, and 1 from
///     `stop`
///                on; taught 1/2 up to `start`, then along a line to 0 at `stop`. Source: PredRNN-V2 (Wang et al. 2023)
ShownShares shown_shares(const SamplingOptions& options, std::int64_t step);

/// Lesson::shown of a step: (batch, input_steps + output_steps - 1) bool on the CPU, drawn from (seed, step) alone;
/// undefined when everything is true by name.
torch::Tensor draw_shown(const SamplingOptions& options, std::int64_t step, std::int64_t batch,
                         std::int64_t input_steps, std::int64_t output_steps);

/// How many lead times are taught in an epoch, counted from 1: from train.curriculum_start up to output_steps in
/// train.curriculum_epochs equal stages, rounded down.
std::int64_t taught_steps(const TrainOptions& options, std::int64_t epoch, std::int64_t output_steps);

}  // namespace nowcell
