// Scores that need every value at once.
#pragma once

#include "predict/scores/score_family.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// The pairs behind "corr-s" and "scatter". They cannot be summed up, so that they are known only as long as all values
/// fit here; "corr-s-frame" and "scatter-frame" have no such limit.
class PooledRanks {
 public:
    static constexpr std::size_t kMostPairs = 1 << 22;

    PooledRanks(std::int64_t leads, bool wanted) : pairs_(wanted ? static_cast<std::size_t>(leads) : 0) {}

    bool wanted() const { return !pairs_.empty(); }

    /// lead: from 0.
    void add(std::int64_t lead, const FramePair& frame);
    /// lead: 1..T, 0: all. NaN once there were too many.
    double value(const std::string& metric, std::int64_t lead) const;

 private:
    struct Pairs {
        std::vector<float> forecast, truth;
    };

    std::vector<Pairs> pairs_;  // of each lead time; none when they are not wanted or too many
    std::size_t count_ = 0;
};

}  // namespace nowcell
