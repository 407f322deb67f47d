// The groups of scores that there are; scores/README.md defines each score.
#pragma once

#include "predict/scores/pixel_scale.h"
#include "predict/scores/score_family.h"
#include "predict/scores/structure.h"

#include <string>
#include <vector>

namespace nowcell {

/// "mae", "mse", "rmse", "bias": means over values, physical units.
std::shared_ptr<const ScoreFamily> error_family();

/// "mae", "mse", "rmse" of openstl: sums over the values of a frame on 0..1, means over frames.
std::shared_ptr<const ScoreFamily> frame_sum_family(const PixelScale& scale);

/// "mse", "mae", "b-mse", "b-mae", "gdl" of hko7: likewise. Throws Error(data) on measuring pixels outside 0..1.
std::shared_ptr<const ScoreFamily> balanced_family(const PixelScale& scale);

/// How "ssim", "ms-ssim" and "psnr" are taken; frames first, then their mean.
struct ImageRules {
    PixelScale scale;
    SsimOptions ssim;
    bool clip = false;         ///< the forecast, to 0..1
    bool multi_scale = true;   ///< has "ms-ssim"
    double most_psnr = 100.0;  ///< dB, of exact frames
};
std::shared_ptr<const ScoreFamily> image_family(const ImageRules& rules);

/// "sharpness".
std::shared_ptr<const ScoreFamily> sharpness_family();

/// "ralsd" and the curves "spectrum" and "spectrum of truth". by_index: in frames that are not square wavenumbers are
/// cycles per side, whatever its length, as pysteps counts them; else cycles per pixel.
std::shared_ptr<const ScoreFamily> spectrum_family(bool by_index);

/// Which contingency scores to make of which counts.
struct ContingencyRules {
    std::vector<double> thresholds;  ///< as users give them
    std::vector<double> limits;      ///< what they are in the units of the data, as many
    std::int64_t pool = 0;           ///< side of the blocks whose largest values count, px; 0: pixels
    bool above = false;              ///< an event is > instead of >=
    double epsilon_over = 0.0;       ///< added to numerators
    double epsilon_under = 0.0;      ///< added to denominators
    Across across = Across::pooled;
    std::vector<std::string> scores;  ///< names without prefix: "csi", ...; with "-m": the mean over thresholds
    std::string prefix = {};          ///< "pooled-", "earthformer-"
};
std::shared_ptr<const ScoreFamily> contingency_family(const ContingencyRules& rules);

/// Every contingency score by its name.
const std::vector<std::string>& contingency_scores();

/// "fss" of each threshold and scale.
std::shared_ptr<const ScoreFamily> fraction_family(const std::vector<double>& thresholds,
                                                   const std::vector<std::int64_t>& scales);

/// Which pairs the continuous scores of pysteps are over.
enum class Condition { none, either_above, both_above };

/// "nmse", "beta1", "beta2", "rv", "drmse", "corr-p" and, with a condition, "bias", "mae", "mse", "rmse" too, named
/// with "-single" (either_above) or "-double" (both_above).
std::shared_ptr<const ScoreFamily> continuous_family(Condition condition, const std::vector<double>& thresholds);

/// "corr-s-frame" and "scatter-frame": of each channel of a frame, then their mean.
std::shared_ptr<const ScoreFamily> rank_family();

/// Spearman's correlation of pairs; NaN below three, and where one side is constant.
double rank_correlation(const std::vector<float>& forecast, const std::vector<float>& truth);

/// Half the distance of the 16 % and 84 % quantiles of 10 log10(f / o), weighted with o, over pairs where that is
/// finite. As in pysteps, pairs left out stand 1 dB below the least with weight 0. Source: Germann et al. 2006.
double scatter(const std::vector<float>& forecast, const std::vector<float>& truth);

}  // namespace nowcell
