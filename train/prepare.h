// What a run knows before its first step: the cycle, the windows, the normaliser and the baselines of its data.
#pragma once

#include "predict/forecaster.h"

#include <vector>

namespace nowcell {

/// Windows to learn from and to choose by; nothing of the test part.
struct TrainingWindows {
    std::vector<Window> training;
    std::vector<Window> validation;
};

/// Settles data.period where the configuration leaves it out, and says what was chosen.
void settle_period(Config& config, const SourceInfo& info);

/// Throws Error(data) when a part holds no window, Error(usage) on parts that overlap.
TrainingWindows cut_training_windows(const Config& config, const SourceInfo& info);

/// An untrained network with everything that it needs to know about the data, from the training part alone.
/// Throws Error(usage) on an augmentation or a loss that does not fit the frames or the network.
Forecaster prepare_forecaster(const Config& config, const FrameSource& source, const std::vector<Window>& training,
                              torch::Device device);

}  // namespace nowcell
