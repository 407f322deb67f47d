// What a training step shows a network, made of a batch.
#pragma once

#include "data/loader.h"
#include "predict/forecaster.h"

namespace nowcell {

/// A lesson and where what it teaches is known.
class BatchLesson {
 public:
    /// The lesson of a batch in model units, on the network's device, with missing values filled as data.missing says.
    /// Of pairs, a next-frame network is shown the input's frames and taught the target of each: its input is then
    /// the first frame alone. `shown` is left to the caller.
    BatchLesson(const Forecaster& forecaster, const Batch& batch);

    const Lesson& lesson() const { return lesson_; }

    /// Which of the taught values are known, (B,T,C,H,W) bool on the network's device; undefined: all.
    torch::Tensor known(const Supervised& taught) const;

 private:
    torch::Tensor input_;  // as read, (B,T,C,H,W); the targets follow it
    torch::Tensor target_;
    torch::Device device_;
    Lesson lesson_;
};

}  // namespace nowcell
