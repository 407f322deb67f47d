#include "predict/scores/bootstrap.h"

#include "data/counter_random.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <tuple>

namespace nowcell {
namespace {

// Mean over a block, so that long and short blocks count the same for each of their windows.
struct Block {
    double difference = 0.0;
    double weight = 0.0;
};

using Errors = std::vector<PairedError>;

// The most windows of [begin, end), which are those of one recording, in time, that start within `block_frames`.
std::size_t block_length(const Errors& errors, std::size_t begin, std::size_t end, std::int64_t block_frames) {
    std::size_t longest = 1;
    for (std::size_t first = begin, last = begin; last < end; ++last) {
        while (first < last && errors[last].frame - errors[first].frame >= block_frames) ++first;
        longest = std::max(longest, last - first + 1);
    }
    return longest;
}

// One block for each window, which begins with it.
struct Blocks {
    std::vector<Block> all;
    std::int64_t drawn = 0;
    std::size_t longest = 0;
};

Blocks cut_blocks(const Errors& errors, std::int64_t block_frames) {
    Blocks out;
    for (std::size_t begin = 0, end = 0; begin < errors.size(); begin = end) {
        while (end < errors.size() && errors[end].recording == errors[begin].recording) ++end;
        const std::size_t windows = end - begin;
        const std::size_t length = block_length(errors, begin, end, block_frames);
        out.drawn += static_cast<std::int64_t>((windows + length - 1) / length);
        out.longest = std::max(out.longest, length);
        for (std::size_t first = 0; first < windows; ++first) {
            Block block;
            for (std::size_t i = 0; i < length; ++i) {
                const PairedError& one = errors[begin + (first + i) % windows];
                block.difference += one.difference / static_cast<double>(length);
                block.weight += one.weight / static_cast<double>(length);
            }
            out.all.push_back(block);
        }
    }
    return out;
}

// The 97.5 % quantile of Student's t. Source: Abramowitz & Stegun 26.7.5.
double student(double freedom) {
    const double z = 1.959963984540054;
    const double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
    return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * std::pow(freedom, 2)) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * std::pow(freedom, 3));
}

// The part of the resamples that lies outside on either side.
double tail(std::int64_t blocks) {
    const auto count = static_cast<double>(blocks);
    return 0.5 * std::erfc(student(count - 1) * std::sqrt(count / (count - 1)) / std::numbers::sqrt2);
}

std::vector<double> resample(const Blocks& blocks, std::uint64_t seed) {
    std::vector<double> means;
    for (int i = 0; i < kResamples; ++i) {
        CounterRandom random(seed, static_cast<std::uint64_t>(i));
        Block sum;
        for (std::int64_t drawn = 0; drawn < blocks.drawn; ++drawn) {
            const std::int64_t at = random.between(0, static_cast<std::int64_t>(blocks.all.size()) - 1);
            sum.difference += blocks.all[static_cast<std::size_t>(at)].difference;
            sum.weight += blocks.all[static_cast<std::size_t>(at)].weight;
        }
        if (sum.weight > 0) means.push_back(sum.difference / sum.weight);
    }
    std::sort(means.begin(), means.end());
    return means;
}

}  // namespace

PairedInterval paired_bootstrap(Errors errors, std::int64_t block_frames, std::uint64_t seed) {
    const double unknown = std::numeric_limits<double>::quiet_NaN();
    std::sort(errors.begin(), errors.end(), [](const PairedError& a, const PairedError& b) {
        return std::tie(a.recording, a.frame) < std::tie(b.recording, b.frame);
    });
    double difference = 0.0, weight = 0.0;
    for (const PairedError& one : errors) {
        difference += one.difference;
        weight += one.weight;
    }
    const Blocks blocks = cut_blocks(errors, block_frames);
    PairedInterval out{weight > 0 ? difference / weight : unknown, unknown, unknown,
                       static_cast<std::int64_t>(blocks.longest), blocks.drawn};
    if (blocks.drawn < 3 || !(weight > 0)) return out;
    const std::vector<double> means = resample(blocks, seed);
    const double last = static_cast<double>(means.size() - 1);
    const auto outside = static_cast<std::size_t>(tail(blocks.drawn) * last);
    out.low = means[outside];
    out.high = means[means.size() - 1 - outside];
    return out;
}

}  // namespace nowcell
