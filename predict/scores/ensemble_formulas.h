// Scores and curves of an ensemble from its sums and counts.
#pragma once

#include "predict/scores/ensemble_sums.h"
#include "predict/scores/quantity.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace nowcell {

/// Bins of probability in a reliability diagram.
constexpr std::size_t kReliabilityBins = 10;

// Sums over the pixels of `sums`; over sums.pixels they are the scores.
double crps_total(const EnsembleSums& sums);
double fair_crps_total(const EnsembleSums& sums);
double brier_total(const EnsembleSums& sums, std::size_t threshold);

/// Mean CRPS = reliability + potential. Source: Hersbach 2000, equations 36 and 37.
struct CrpsParts {
    double reliability = 0.0, potential = 0.0;
};
CrpsParts crps_parts(const EnsembleSums& sums, const EnsembleCounts& counts);

/// Brier score = reliability - resolution + uncertainty, exact since there are no bins but the M+1 probabilities.
/// Source: Murphy 1973. All NaN without a pixel.
struct BrierParts {
    double reliability = 0.0, resolution = 0.0, uncertainty = 0.0;
};

/// (M+1,2): one threshold of EnsembleCounts.events.
using Events = std::span<const std::int64_t>;
BrierParts brier_parts(Events events);

/// Area below the points of roc_curve() and (0,0), by trapezoids; NaN without an event or without a non-event.
double roc_area(Events events, bool pysteps);

/// x: false alarm rate, y: POD, ascending. One point for each number of members that may be asked for, M+1 to 0; with
/// pysteps for the probabilities 1, 8/9, ..., 0. Empty where roc_area() is NaN.
ScoreCurve roc_curve(Events events, bool pysteps);

/// x: mean probability of a bin, y: how often the event came, weight: pixels; bins without any are left out. Bins are
/// tenths of 0..1 that include their upper ends, as pysteps' `reldiag`; with `least` pixels at least.
ScoreCurve reliability_curve(Events events, std::int64_t least = 1);

/// x: members below the truth, 0..M; y: share of pixels; weight: pixels, where a tie with n members counts 1/(n+1) for
/// each rank it may take. counts: (M+1,M+1) of EnsembleCounts.ranks. Empty without a pixel.
ScoreCurve rank_histogram(std::span<const std::int64_t> counts, std::size_t members);

}  // namespace nowcell
