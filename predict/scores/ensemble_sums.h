// What all scores of ensembles are made of: sums and counts over pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nowcell {

/// What ensembles are scored with.
struct EnsembleRules {
    std::size_t members = 0;        ///< M
    std::vector<float> thresholds;  ///< K, physical units; an event is a value of at least that
    /// As pysteps: intervals of the CRPS that begin or end at the truth are lost, pixels where a member is not finite
    /// take no part, and members are scored one by one and in pairs. Else such pixels make every score NaN.
    bool pysteps = false;
};

/// Sums over the pixels of a frame, or of many.
struct EnsembleSums {
    explicit EnsembleSums(const EnsembleRules& rules);

    std::int64_t pixels = 0;  ///< that take part
    std::int64_t broken = 0;  ///< of these: with members that are not finite; they are in no other sum
    /// (M+1) Of the interval between members i-1 and i in ascending order, the length below the truth and the length
    /// above; [0] and [M]: outside all members. Source: Hersbach 2000, equations 26 and 27.
    std::vector<double> below, above;
    double variance = 0.0;              ///< of the members, unbiased; 0 with one member
    double squared_error = 0.0;         ///< of the ensemble mean
    std::vector<std::int64_t> squares;  ///< (K) squares of (members with an event - M if there was one)
    std::int64_t frames = 0;            ///< with a pixel
    double member_rmse = 0.0;           ///< a frame's mean RMSE of a member, and of a pair of members; pysteps only
    double pair_rmse = 0.0;

    void add(const EnsembleSums& other);
};

/// Counts of what happened beside what was forecast; exact.
struct EnsembleCounts {
    explicit EnsembleCounts(const EnsembleRules& rules);

    std::int64_t truth_below = 0;  ///< pixels with the truth below all members
    std::int64_t truth_above = 0;
    std::vector<std::int64_t> events;  ///< (K,M+1,2) by members with an event, and by whether there was one
    /// (1+K,M+1,M+1) by members below the truth and members equal to it. First all pixels; then those where a member or
    /// the truth reaches the threshold, all values below it being equal.
    std::vector<std::int64_t> ranks;

    void add(const EnsembleCounts& other);
};

/// Adds a frame to `counts` and returns its sums. Where the truth is not finite or `valid` (null: all true) is false, a
/// pixel takes no part. members: M planes of `pixels` values, `stride` apart.
EnsembleSums add_ensemble_frame(const EnsembleRules& rules, const float* members, std::size_t stride,
                                const float* truth, const bool* valid, std::size_t pixels, EnsembleCounts& counts);

}  // namespace nowcell
