// Structural similarity of planes of numbers, without LibTorch. ssim.h has the one that a loss can differentiate.
#pragma once

#include <cstdint>
#include <vector>

namespace nowcell {

/// The local window and the constants of SSIM.
struct SsimOptions {
    bool gaussian = true;     ///< 11x11, sigma 1.5, population covariance; else 7x7 uniform, sample covariance
    double data_range = 1.0;  ///< C1 = (0.01 R)^2, C2 = (0.03 R)^2

    std::int64_t side() const { return gaussian ? 11 : 7; }
};

/// Sums over the windows that lie inside and whose centre is known.
struct SsimSums {
    double structure = 0.0;  ///< of SSIM
    double contrast = 0.0;   ///< of its factor without the means
    std::int64_t windows = 0;
};

/// x, y: (H,W) row after row. known: (H,W), nullptr: all. Nothing where H or W is below the window's side.
/// Source: Wang et al. 2004.
SsimSums structural_similarity(const SsimOptions& options, const double* x, const double* y, const std::uint8_t* known,
                               std::int64_t height, std::int64_t width);

/// Means of 2x2 pixels; an odd last row or column is averaged with itself. Known where all that it is made of is.
struct Plane {
    std::vector<double> x, y;
    std::vector<std::uint8_t> known;  ///< empty: all
    std::int64_t height, width;

    Plane halved() const;
};

/// Multi-scale SSIM of a plane whose SSIM sums are `first`: up to five scales, as many as hold an 11x11 window, the
/// weights of Wang et al. 2003 divided by their sum; with one scale it is SSIM. A negative mean contrast counts as 0.
/// NaN without any window.
double multi_scale_ssim(const SsimOptions& options, const Plane& plane, const SsimSums& first);

}  // namespace nowcell
