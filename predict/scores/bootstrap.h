// Whether one forecaster is better than another, or only luckier on these windows.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace nowcell {

/// How two forecasters did on one window, in parts that add up over windows: sums of errors and of their weights,
/// counts of hits and misses. As many parts in every window.
struct PairedParts {
    std::int64_t recording;
    std::int64_t frame;         ///< of the recording, when the forecast is made
    std::vector<double> one;    ///< of the one forecaster
    std::vector<double> other;  ///< of the other
};

/// What is asked of the parts summed over windows: a difference of means or of CSI, a skill 1 - a / b. NaN: unknown.
using PairedStatistic = std::function<double(const std::vector<double>& one, const std::vector<double>& other)>;

/// A statistic of all windows and what it could have been; NaN where it is unknown.
struct PairedInterval {
    double difference = 0.0;  ///< the statistic
    double low = 0.0;         ///< of the 95 % interval; NaN below three blocks
    double high = 0.0;
    std::int64_t block_windows = 0;  ///< of the longest block
    std::int64_t blocks = 0;         ///< that the windows make
};

constexpr int kResamples = 10000;
constexpr std::int64_t kMostDraws = 1000;  ///< of a resample

/// Bootstrap over blocks of neighbouring windows, since windows that overlap or follow each other err alike: a block is
/// as many windows of a recording as start within `block_frames`, round its end to its beginning; a recording that is
/// shorter is a block. More than kMostDraws blocks are drawn in groups of neighbours, which takes less time and tells
/// the same. The quantiles of the resamples are wider than 2.5 % to 97.5 % by what Student's t for so many blocks is
/// wider than the normal distribution. Resamples whose statistic is NaN take no part. The same arguments give the same
/// numbers on every machine. Throws Error(internal) when windows differ in their number of parts.
/// Source: Politis & Romano 1992 (circular blocks); Hesterberg 2015, section 5.3 (expanded percentile interval).
PairedInterval paired_bootstrap(std::vector<PairedParts> parts, std::int64_t block_frames,
                                const PairedStatistic& statistic, std::uint64_t seed = 0);

}  // namespace nowcell
