// Colours in OKLab, where equal distances look alike. Source: Ottosson, "A perceptual color space for image
// processing", 2020.
#pragma once

#include "predict/pictures/drawing.h"

#include <array>
#include <vector>

namespace nowcell {

/// Lightness 0..1, and the axes green to red and blue to yellow.
using OkLab = std::array<double, 3>;

OkLab oklab_of(Rgb colour);

/// Colours outside of sRGB end at its edge.
Rgb rgb_of(const OkLab& colour);

double distance(const OkLab& a, const OkLab& b);

/// `count` (odd, 3 or more) colours from dark blue over white to dark red in steps of one size in OKLab; those at the
/// same distance from the middle are equally light.
std::vector<Rgb> diverging_map(int count);

}  // namespace nowcell
