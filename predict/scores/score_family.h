// What a group of scores that share their sums must say of itself: scores/README.md has the list of groups.
#pragma once

#include "predict/scores/quantity.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace nowcell {

/// One frame of a forecast beside what happened: (C,H,W) each, physical units, every known value finite.
struct FramePair {
    const float* forecast;
    const float* truth;
    const std::uint8_t* known;  ///< of each value whether it counts; nullptr: all do
    std::int64_t channels, height, width;

    std::int64_t pixels() const { return height * width; }
    std::int64_t values() const { return channels * pixels(); }
    bool counts(std::int64_t i) const { return known == nullptr || known[i] != 0; }
    FramePair channel(std::int64_t c) const {
        const std::int64_t first = c * pixels();
        return {forecast + first, truth + first, known == nullptr ? nullptr : known + first, 1, height, width};
    }
};

/// How the score of all lead times is made.
enum class Across {
    pooled,             ///< from the sums of all
    mean_of_leads,      ///< mean of the scores of each
    log_mean_of_leads,  ///< 2 to the mean of their log2
};

/// Scores that are functions of sums over frames. Immutable; measure() is called from several threads at once.
class ScoreFamily {
 public:
    virtual ~ScoreFamily() = default;

    const std::vector<Quantity>& quantities() const { return quantities_; }

    /// How many sums there are for frames of that size.
    virtual std::size_t slots(const FramePair& frame) const = 0;
    /// Writes each sum over this frame alone; `sums` is all zeros before.
    virtual void measure(const FramePair& frame, double* sums) const = 0;
    /// Which of all sums make up quantities()[index], in the order in which score() takes them.
    virtual std::vector<std::size_t> parts(std::size_t index, std::size_t slots) const = 0;
    virtual double score(std::size_t index, const std::vector<double>& parts) const = 0;
    virtual Across across(std::size_t) const { return Across::pooled; }
    /// Whether the sums of each window are worth their memory.
    virtual bool keeps_windows() const { return true; }
    /// Curves of the sums of a lead time, 0: all of them. Of `frame` only the size is read.
    virtual std::vector<ScoreCurve> curves(std::int64_t, const FramePair&, const std::vector<double>&) const {
        return {};
    }

 protected:
    std::vector<Quantity> quantities_;
};

using Families = std::vector<std::shared_ptr<const ScoreFamily>>;

/// sum / weight; NaN without weight.
double mean_of(double sum, double weight);

}  // namespace nowcell
