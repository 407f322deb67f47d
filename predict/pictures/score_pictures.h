// Pictures of scores: curves over lead times, spectra, reliability, ROC, rank histograms. SVG where `path` ends with
// ".svg", else PNG; written atomically; Throws Error(output). What has no value (NaN) is left out.
#pragma once

#include "predict/pictures/chart.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// A curve of a forecaster, with how many cases stand behind each point.
struct NamedCurve {
    std::string name;
    std::vector<double> x, y;
    std::vector<double> weight = {};  ///< may be empty
};

/// A score of each lead time. Curve::x counts lead times from 1; step_s: seconds between them, 0 when unknown.
Picture lead_curves(const std::string& title, const std::string& y_label, double step_s, std::vector<Curve> curves);

/// Spectra on logarithmic axes. x: wavelengths in px, or in what x_label says, such as "wavelength [km]"; long waves
/// stand left. Zeros have no place. A curve named "truth" is a grey guide. y_label: "power [K^2]".
Picture spectra(const std::string& title, const std::vector<NamedCurve>& curves, const std::string& y_label = "power",
                const std::string& x_label = "wavelength [px]");

/// Curves over wavenumbers (1/px) as curves over wavelengths (px); the mean, of wavenumber 0, has none and is left out.
std::vector<NamedCurve> by_wavelength(std::vector<NamedCurve> curves);

/// How often what was forecast with a probability (x, 0..1) came true (y, 0..1); weight: how often it was forecast. The
/// diagonal is perfect; below the dashed line (half way to the observed frequency) a forecast has no skill. A histogram
/// of the weights stands below. Source: Hsu and Murphy, "The attributes diagram", Int. J. Forecasting 2 (1986).
Picture reliability(const std::string& title, const std::vector<NamedCurve>& curves);

/// Hits (y) over false alarms (x), both as shares 0..1 of what could have been; the area under each curve is named.
Picture roc(const std::string& title, const std::vector<NamedCurve>& curves);

/// The share of cases in which the truth had each rank among M members: y are counts or shares, x is taken as 1..M+1.
/// Members that behave like the truth give the dashed line.
Picture rank_histogram(const std::string& title, const std::vector<NamedCurve>& curves);

/// Area under a ROC curve by trapezes, with the corners (0,0) and (1,1); NaN without points.
double area_under(const NamedCurve& curve);

void write_lead_curves(const std::string& path, const std::string& title, const std::string& y_label, double step_s,
                       const std::vector<Curve>& curves);
void write_spectra(const std::string& path, const std::string& title, const std::vector<NamedCurve>& curves,
                   const std::string& y_label = "power", const std::string& x_label = "wavelength [px]");
void write_reliability(const std::string& path, const std::string& title, const std::vector<NamedCurve>& curves);
void write_roc(const std::string& path, const std::string& title, const std::vector<NamedCurve>& curves);
void write_rank_histogram(const std::string& path, const std::string& title, const std::vector<NamedCurve>& curves);

}  // namespace nowcell
