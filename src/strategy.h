// What the strategies of a network share, and the strategies.
#pragma once

#include "src/sequence_model.h"

namespace nowcell {

/// frames: (B,T,C,H,W). Returns the last one, (B,1,C,H,W).
torch::Tensor last_frame(const torch::Tensor& frames);

/// What is subtracted from every frame that the network sees, (B,1,C,H,W); undefined: nothing.
torch::Tensor level_of(const torch::Tensor& input, const ModelOptions& options);
torch::Tensor lowered(const torch::Tensor& frames, const torch::Tensor& level);
torch::Tensor raised(const torch::Tensor& frames, const torch::Tensor& level);

/// Per sample the true frame where `shown` (B) says so, else its own forecast; both (B,1,C,H,W).
torch::Tensor shown_frame(const torch::Tensor& shown, const torch::Tensor& truth, const torch::Tensor& own);

/// The frames that training may show after the input, (B,T_out,C,H,W).
inline const torch::Tensor& later_frames(const Lesson& lesson) {
    return lesson.seen.defined() ? lesson.seen : lesson.target;
}

/// Throws c10::ValueError unless `shown` is as Lesson says.
void check_shown(const Lesson& lesson);

/// Taught with the true previous frame at every step; in prediction its own forecast takes that place.
std::shared_ptr<SequenceModel> make_next_frame(std::int64_t channels, const ModelOptions& options,
                                               const std::optional<FrameSize>& frame);

/// All lead times at once from the last hidden state. Each sees the guides' frame of its own; a forecast of more lead
/// times goes on from its own frames, block by block.
std::shared_ptr<SequenceModel> make_direct(std::int64_t channels, const ModelOptions& options,
                                           const std::optional<FrameSize>& frame);

/// The encoder's last states become the decoder's first. The decoder sees the guides' frame of each lead time, or its
/// own previous forecast where there are none.
std::shared_ptr<SequenceModel> make_encoder_forecaster(std::int64_t channels, const ModelOptions& options,
                                                       const std::optional<FrameSize>& frame);

}  // namespace nowcell
