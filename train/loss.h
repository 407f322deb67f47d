// What training minimises.
#pragma once

#include "data/normalizer.h"
#include "src/sequence_model.h"
#include "train/train_options.h"

namespace nowcell {

/// The loss of a configuration, in model units: a pixelwise error, the structural similarity or the gradient
/// difference, and what loss.gradient_weight and loss.ssim_weight add to it. Differentiable by the prediction.
///
/// e = prediction - target; every mean is over what is known, each lead time with its weight.
///     mae          mean |e|
///     mse          mean e^2
///     huber        mean of e^2 / 2 where |e| <= delta, delta (|e| - delta / 2) elsewhere
///     mae+mse      the sum of both
///     b-...        the same with each pixel's error times the weight of the class that its target falls into.
///                  Source: Shi et al. 2017 (HKO-7), whose classes and weights are the defaults
///     ssim         1 - SSIM as ssim() in predict/scores/ssim.h defines it, on the normaliser's 0..1 range
///     gdl          mean ||dy prediction| - |dy target|| + the same along x, over pairs of known neighbours.
///                  Source: Mathieu et al. 2016, alpha = 1
class Loss {
 public:
    Loss(LossOptions options, Normalizer normalizer);

    /// frames: as SequenceModel::supervised() gives them. valid: bool of the same shape, or undefined: all is known.
    /// input_steps: T_in, from which lead times are counted; taught input frames have the weight of lead 1.
    /// Computes in the target's type, and returns a 0-dim tensor of it: 0 with zero gradients when nothing is known.
    /// Throws c10::ValueError when shapes differ (nothing is broadcast), or frames are below 11x11 and SSIM is asked.
    torch::Tensor operator()(const Supervised& frames, const torch::Tensor& valid, std::int64_t input_steps) const;

    /// How many values a loss is the mean of, 0-dim float64: the weight of a pass where several make a step.
    /// (sum of count_k loss_k) / (sum of count_k) is then the loss of the large batch: exactly, but for the parts with
    /// SSIM and gradient differences where values are missing, since those count windows and pairs.
    static torch::Tensor count(const Supervised& frames, const torch::Tensor& valid);

    const LossOptions& options() const { return options_; }

 private:
    torch::Tensor lead_weights(const Supervised& frames, std::int64_t input_steps) const;
    torch::Tensor pixel_errors(const torch::Tensor& difference, const torch::Tensor& target) const;
    torch::Tensor class_weights(const torch::Tensor& target) const;
    torch::Tensor dissimilarity(const Supervised& frames, const torch::Tensor& valid) const;

    LossOptions options_;
    Normalizer normalizer_;
};

}  // namespace nowcell
