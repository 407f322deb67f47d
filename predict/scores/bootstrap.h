// Whether one forecaster is better than another, or only luckier on these windows.
#pragma once

#include <cstdint>
#include <vector>

namespace nowcell {

/// How two forecasters did on one window.
struct PairedError {
    std::int64_t recording;
    std::int64_t frame;   ///< of the recording, when the forecast is made
    double difference;    ///< sum of the one's errors minus sum of the other's
    double weight = 1.0;  ///< what the sums are over
};

/// The mean difference and what it could have been; all NaN without any weight.
struct PairedInterval {
    double difference = 0.0;  ///< sum of differences over sum of weights
    double low = 0.0;         ///< of the 95 % interval; NaN below three blocks
    double high = 0.0;
    std::int64_t block_windows = 0;  ///< of the longest block
    std::int64_t blocks = 0;         ///< that the windows make, and that a resample draws
};

constexpr int kResamples = 10000;

/// Bootstrap over blocks of neighbouring windows, since windows that overlap or follow each other err alike: a block is
/// as many windows of a recording as start within `block_frames`, round its end to its beginning; a recording that is
/// shorter is a block. The quantiles of the resamples are wider than 2.5 % to 97.5 % by what Student's t for so many
/// blocks is wider than the normal distribution. The same arguments give the same numbers on every machine.
/// Source: Politis & Romano 1992 (circular blocks); Hesterberg 2015, section 5.3 (expanded percentile interval).
PairedInterval paired_bootstrap(std::vector<PairedError> errors, std::int64_t block_frames, std::uint64_t seed = 0);

}  // namespace nowcell
