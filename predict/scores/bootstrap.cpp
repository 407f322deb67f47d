#include "predict/scores/bootstrap.h"

#include "data/counter_random.h"
#include "src/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <tuple>

namespace nowcell {
namespace {

using Windows = std::vector<PairedParts>;

// The most windows of [begin, end), which are those of one recording, in time, that start within `block_frames`.
std::size_t block_length(const Windows& windows, std::size_t begin, std::size_t end, std::int64_t block_frames) {
    std::size_t longest = 1;
    for (std::size_t first = begin, last = begin; last < end; ++last) {
        while (first < last && windows[last].frame - windows[first].frame >= block_frames) ++first;
        longest = std::max(longest, last - first + 1);
    }
    return longest;
}

// Rows of `width` numbers: the parts of the one, then those of the other.
struct Rows {
    std::size_t width = 0;
    std::vector<double> values = {};

    std::size_t count() const { return width == 0 ? 0 : values.size() / width; }
    void add(std::size_t row, double* sum) const {
        const double* from = values.data() + row * width;
        for (std::size_t i = 0; i < width; ++i) sum[i] += from[i];
    }
};

Rows rows_of(const Windows& windows) {
    Rows rows{windows.front().one.size() + windows.front().other.size()};
    for (const PairedParts& window : windows) {
        if (window.one.size() != windows.front().one.size() || window.other.size() != windows.front().other.size()) {
            throw Error(ExitCode::internal, "windows differ in their number of parts");
        }
        rows.values.insert(rows.values.end(), window.one.begin(), window.one.end());
        rows.values.insert(rows.values.end(), window.other.begin(), window.other.end());
    }
    return rows;
}

// One block for each window, which begins with it: means, so that a window counts the same in long and short blocks.
struct Blocks {
    Rows means;
    std::int64_t drawn = 0;
    std::size_t longest = 0;
};

Blocks cut_blocks(const Windows& windows, const Rows& rows, std::int64_t block_frames) {
    Blocks out{{rows.width, std::vector<double>(rows.values.size(), 0.0)}};
    for (std::size_t begin = 0, end = 0; begin < windows.size(); begin = end) {
        while (end < windows.size() && windows[end].recording == windows[begin].recording) ++end;
        const std::size_t count = end - begin;
        const std::size_t length = block_length(windows, begin, end, block_frames);
        out.drawn += static_cast<std::int64_t>((count + length - 1) / length);
        out.longest = std::max(out.longest, length);
        for (std::size_t first = 0; first < count; ++first) {
            double* mean = out.means.values.data() + (begin + first) * rows.width;
            for (std::size_t i = 0; i < length; ++i) rows.add(begin + (first + i) % count, mean);
            for (std::size_t i = 0; i < rows.width; ++i) mean[i] /= static_cast<double>(length);
        }
    }
    return out;
}

// Each row becomes the sum of `size` blocks that follow each other from it on.
Rows grouped(const Blocks& blocks, std::int64_t size) {
    const Rows& means = blocks.means;
    Rows out{means.width, std::vector<double>(means.values.size(), 0.0)};
    for (std::size_t row = 0; row < means.count(); ++row) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(size); ++i) {
            means.add((row + i * blocks.longest) % means.count(), out.values.data() + row * out.width);
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

// A statistic of rows summed, which are brought to the size that all windows together have.
class Asked {
 public:
    Asked(const PairedStatistic& statistic, std::size_t one, std::size_t other)
        : statistic_(statistic), one_(one), other_(other) {}

    double operator()(const std::vector<double>& sum, double scale) {
        for (std::size_t i = 0; i < one_.size(); ++i) one_[i] = sum[i] * scale;
        for (std::size_t i = 0; i < other_.size(); ++i) other_[i] = sum[one_.size() + i] * scale;
        return statistic_(one_, other_);
    }

 private:
    const PairedStatistic& statistic_;
    std::vector<double> one_;
    std::vector<double> other_;
};

// In order, without those that are unknown.
std::vector<double> resample(const Blocks& blocks, Asked& asked, std::uint64_t seed) {
    const std::int64_t size = (blocks.drawn + kMostDraws - 1) / kMostDraws;
    const Rows groups = size > 1 ? grouped(blocks, size) : blocks.means;
    const std::int64_t draws = (blocks.drawn + size - 1) / size;
    const auto last = static_cast<std::int64_t>(groups.count()) - 1;
    const double scale = static_cast<double>(groups.count()) / static_cast<double>(draws * size);
    std::vector<double> found;
    for (int i = 0; i < kResamples; ++i) {
        CounterRandom random(seed, static_cast<std::uint64_t>(i));
        std::vector<double> sum(groups.width, 0.0);
        for (std::int64_t n = 0; n < draws; ++n) {
            groups.add(static_cast<std::size_t>(random.between(0, last)), sum.data());
        }
        const double value = asked(sum, scale);
        if (!std::isnan(value)) found.push_back(value);
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

PairedInterval paired_bootstrap(std::vector<PairedParts> parts, std::int64_t block_frames,
                                const PairedStatistic& statistic, std::uint64_t seed) {
    const double unknown = std::numeric_limits<double>::quiet_NaN();
    if (parts.empty()) return {unknown, unknown, unknown, 0, 0};
    std::sort(parts.begin(), parts.end(), [](const PairedParts& a, const PairedParts& b) {
        return std::tie(a.recording, a.frame) < std::tie(b.recording, b.frame);
    });
    const Rows rows = rows_of(parts);
    std::vector<double> total(rows.width, 0.0);
    for (std::size_t row = 0; row < parts.size(); ++row) rows.add(row, total.data());
    Asked asked(statistic, parts.front().one.size(), parts.front().other.size());
    const Blocks blocks = cut_blocks(parts, rows, block_frames);
    PairedInterval out{asked(total, 1.0), unknown, unknown, static_cast<std::int64_t>(blocks.longest), blocks.drawn};
    if (blocks.drawn < 3 || std::isnan(out.difference)) return out;
    const std::vector<double> found = resample(blocks, asked, seed);
    if (found.empty()) return out;
    const auto outside = static_cast<std::size_t>(tail(blocks.drawn) * static_cast<double>(found.size() - 1));
    out.low = found[outside];
    out.high = found[found.size() - 1 - outside];
    return out;
}

}  // namespace nowcell
