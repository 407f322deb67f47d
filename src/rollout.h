// What a network remembers of the frames it has read, from one frame to the next.
#pragma once

#include "cells/state.h"
#include "src/head.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nowcell {

/// The memory of a SequenceModel between frames and between lead times. A copy is cheap and apart: networks put other
/// tensors in the place of these and change none. Which of them are defined is the strategy's business.
struct SequenceMemory {
    std::vector<State> states;  ///< of each layer: of the frames read, then of the forecast
    HeadHistory history;        ///< of a head over time
    torch::Tensor last;         ///< what comes next is made from it; direct: the last frames, (B,n,C,H,W)
    torch::Tensor level;        ///< (B,1,C,H,W): what a relative network subtracts; else undefined
    torch::Tensor pending;      ///< direct: what its head gave for the lead times of this block, (B,leads,C,H,W) folded
    std::int64_t frames = 0;    ///< how many were read
    std::int64_t leads = 0;     ///< lead times made since

    /// Everything, for a file: from(tensors()) goes on bit for bit.
    std::map<std::string, torch::Tensor> tensors() const;
    /// Throws c10::ValueError on names that tensors() does not give.
    static SequenceMemory from(const std::map<std::string, torch::Tensor>& tensors);
};

}  // namespace nowcell
