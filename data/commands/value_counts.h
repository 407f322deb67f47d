// How often values occur, and what follows: percentiles and histograms.
#pragma once

#include <cstdint>
#include <vector>

namespace nowcell {

/// Counts float32 values in bounded memory. Exact while there are at most 2^17 different ones, as always from files of
/// 8 or 16 bits; then values that agree in their upper 20 bits (sign, exponent, 11 bits of the fraction) are counted
/// together, and a percentile is off by at most 0.05 % of itself.
class ValueCounts {
 public:
    ValueCounts();

    /// NaN and infinities are passed over.
    void add(const float* values, std::int64_t count);

    bool exact() const { return !slots_.empty(); }

    struct Entry {
        float low, high;  ///< the values counted together; the same while exact
        double count;
    };

    /// Everything counted, ascending.
    std::vector<Entry> sorted() const;

 private:
    struct Slot {
        std::uint32_t key;
        std::uint64_t count;
    };

    void put(std::uint32_t key, std::uint64_t count);
    void coarsen();

    std::vector<Slot> slots_;  // a hash table with open addressing; empty once coarse
    std::size_t used_ = 0;
    std::vector<std::uint64_t> bins_;  // by the upper bits of the key
};

/// The value below which a part q (0..1) of the counted ones lie, the lower of two; NaN without values.
double percentile(const std::vector<ValueCounts::Entry>& sorted, double q);

/// Counts in `bins` intervals of one width from the least value to the largest.
std::vector<double> histogram(const std::vector<ValueCounts::Entry>& sorted, int bins);

}  // namespace nowcell
