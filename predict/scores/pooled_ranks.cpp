#include "predict/scores/pooled_ranks.h"

#include "predict/scores/families.h"

#include <cmath>

namespace nowcell {

void PooledRanks::add(std::int64_t lead, const FramePair& frame) {
    if (pairs_.empty()) return;
    Pairs& pairs = pairs_[static_cast<std::size_t>(lead)];
    for (std::int64_t i = 0; i < frame.values(); ++i) {
        if (!frame.counts(i)) continue;
        pairs.forecast.push_back(frame.forecast[i]);
        pairs.truth.push_back(frame.truth[i]);
        ++count_;
    }
    if (count_ > kMostPairs) pairs_ = {};
}

double PooledRanks::value(const std::string& metric, std::int64_t lead) const {
    Pairs all;
    for (std::size_t t = 0; t < pairs_.size(); ++t) {
        if (lead != 0 && t + 1 != static_cast<std::size_t>(lead)) continue;
        all.forecast.insert(all.forecast.end(), pairs_[t].forecast.begin(), pairs_[t].forecast.end());
        all.truth.insert(all.truth.end(), pairs_[t].truth.begin(), pairs_[t].truth.end());
    }
    return metric == "scatter" ? scatter(all.forecast, all.truth) : rank_correlation(all.forecast, all.truth);
}

}  // namespace nowcell
