// Forecasts in progress, in physical units: the next lead times each time, for as long as they are wanted.
#pragma once

#include "data/baseline.h"
#include "src/rollout.h"

#include <memory>
#include <vector>

namespace nowcell {

class Forecaster;

/// A forecast that has begun. Memory and time per lead time do not depend on how many there are; the pieces it is taken
/// in change no bit. The forecaster must outlive it.
class Rollout {
 public:
    /// memory: of the frames read. past: (B,P,C,H,W) physical units, P >= model.least_history(), what the network's
    /// baselines go on from. Throws Error(model) where the network's forecast cannot be made piece by piece.
    Rollout(const Forecaster& model, SequenceMemory memory, const torch::Tensor& past);

    /// The lead times after those taken before: (B,leads,C,H,W) float32 on the CPU, physical units, without missing
    /// values; leads >= 1.
    torch::Tensor next(std::int64_t leads);

    std::int64_t done() const { return memory_.leads; }  ///< lead times taken

 private:
    const Forecaster* model_;
    SequenceMemory memory_;
    std::vector<std::unique_ptr<Extrapolation>> guides_;
};

}  // namespace nowcell
