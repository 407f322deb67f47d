#include "predict/scores/bootstrap.h"
#include "data/counter_random.h"
#include "src/error.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

using namespace nowcell;

namespace {

// Normal numbers, the same on every machine (Box and Muller).
class Normal {
 public:
    explicit Normal(std::uint64_t seed) : random_(seed, 0) {}

    double next() {
        const double radius = std::sqrt(-2.0 * std::log(uniform()));
        return radius * std::cos(2.0 * std::numbers::pi * uniform());
    }

 private:
    double uniform() { return (static_cast<double>(random_.bits() >> 11) + 0.5) * 0x1p-53; }

    CounterRandom random_;
};

// What is paired: sums of errors and their weights.
PairedParts error_at(std::int64_t recording, std::int64_t frame, double difference, double weight = 1.0) {
    return {recording, frame, {difference + 0.5, weight}, {0.5, weight}};
}

PairedInterval mean_interval(const std::vector<PairedParts>& errors, std::int64_t block_frames,
                             std::uint64_t seed = 0) {
    const auto difference = [](const std::vector<double>& one, const std::vector<double>& other) {
        return (one[0] - other[0]) / one[1];
    };
    return paired_bootstrap(errors, block_frames, difference, seed);
}

// Windows of one recording, every `stride` frames, whose errors share the noise of `shared` neighbours.
std::vector<PairedParts> overlapping(std::uint64_t seed, std::int64_t windows, std::int64_t stride, int shared,
                                     double mean = 0.0) {
    Normal normal(seed);
    std::vector<double> noise;
    for (std::int64_t i = 0; i < windows + shared; ++i) noise.push_back(normal.next());
    std::vector<PairedParts> errors;
    for (std::int64_t i = 0; i < windows; ++i) {
        double value = 0.0;
        for (std::int64_t k = i; k < i + shared; ++k) value += noise[static_cast<std::size_t>(k)];
        errors.push_back(error_at(0, i * stride, mean + value / shared));
    }
    return errors;
}

// How often the interval holds the truth.
double coverage(double truth, const std::function<PairedInterval(std::uint64_t trial)>& interval_of) {
    int held = 0;
    constexpr std::uint64_t kTrials = 200;
    for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
        const PairedInterval interval = interval_of(1000 + trial);
        held += interval.low <= truth && interval.high >= truth ? 1 : 0;
    }
    return static_cast<double>(held) / kTrials;
}

// Of the true mean, 0.
double mean_coverage(std::int64_t windows, std::int64_t stride, int shared, std::int64_t block_frames) {
    return coverage(0.0, [&](std::uint64_t seed) {
        return mean_interval(overlapping(seed, windows, stride, shared), block_frames);
    });
}

double skill(const std::vector<double>& one, const std::vector<double>& other) { return 1.0 - one[0] / other[0]; }

double csi(const std::vector<double>& counts) { return counts[0] / (counts[0] + counts[1] + counts[2]); }

double csi_difference(const std::vector<double>& one, const std::vector<double>& other) {
    return csi(one) - csi(other);
}

// Errors of mean 3 and 4 that rise and fall together, and whose size is shared with the next window.
std::vector<PairedParts> common_weather(std::uint64_t seed, std::int64_t windows) {
    Normal normal(seed);
    std::vector<PairedParts> parts;
    double before = normal.next();
    for (std::int64_t i = 0; i < windows; ++i) {
        const double now = normal.next();
        const double hard = std::exp(0.4 * (before + now) - 0.16);  // mean 1
        before = now;
        parts.push_back({0, i, {hard * (3.0 + 0.5 * normal.next())}, {hard * (4.0 + 0.5 * normal.next())}});
    }
    return parts;
}

// Hits, misses, false alarms of 100 pixels: CSI 0.5 and 0.4 where it rains, which it does in a third of the windows.
std::vector<PairedParts> showers(std::uint64_t seed, std::int64_t windows) {
    CounterRandom random(seed, 1);
    std::vector<PairedParts> parts;
    for (std::int64_t i = 0; i < windows; ++i) {
        PairedParts window{i, 0, {0, 0, 0}, {0, 0, 0}};
        const std::int64_t pixels = random.between(0, 2) == 0 ? 100 : 0;
        for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
            const std::int64_t fate = random.between(0, 9);
            window.one[fate < 5 ? 0 : fate < 8 ? 1 : 2] += 1;
            window.other[fate < 4 ? 0 : fate < 7 ? 1 : 2] += 1;
        }
        parts.push_back(window);
    }
    return parts;
}

}  // namespace

TEST_CASE("a difference that is the same in all windows has an interval of no width") {
    std::vector<PairedParts> errors;
    for (std::int64_t i = 0; i < 40; ++i) errors.push_back(error_at(i / 10, i % 10, -0.25 * 3.0, 3.0));
    const PairedInterval interval = mean_interval(errors, 5);
    CHECK(interval.difference == Catch::Approx(-0.25));
    CHECK(interval.low == Catch::Approx(-0.25));
    CHECK(interval.high == Catch::Approx(-0.25));
    CHECK(interval.block_windows == 5);
    CHECK(interval.blocks == 8);
}

TEST_CASE("the same errors give the same interval, in whatever order they come") {
    std::vector<PairedParts> errors = overlapping(3, 50, 2, 3);
    const PairedInterval one = mean_interval(errors, 12);
    std::reverse(errors.begin(), errors.end());
    const PairedInterval other = mean_interval(errors, 12);
    CHECK(one.low == other.low);
    CHECK(one.high == other.high);
    CHECK(one.block_windows == 6);
    CHECK(one.blocks == 9);
    CHECK(mean_interval(errors, 12, 1).low != one.low);
    CHECK(one.low < one.difference);
    CHECK(one.high > one.difference);
}

TEST_CASE("a clear difference excludes zero, noise about zero does not, and signs are kept") {
    const PairedInterval better = mean_interval(overlapping(5, 60, 1, 1, -2.0), 1);
    CHECK(better.high < 0.0);
    const PairedInterval worse = mean_interval(overlapping(5, 60, 1, 1, 2.0), 1);
    CHECK(worse.low > 0.0);
    std::vector<PairedParts> even;
    for (std::int64_t i = 0; i < 60; ++i) even.push_back(error_at(0, i, i % 2 == 0 ? 1.0 : -1.0));
    const PairedInterval none = mean_interval(even, 1);
    CHECK(none.difference == 0.0);
    CHECK(none.low < 0.0);
    CHECK(none.high > 0.0);
}

TEST_CASE("about 95 of 100 intervals hold the truth") {
    const double independent = mean_coverage(40, 1, 1, 1);
    CHECK(independent > 0.91);
    CHECK(independent < 0.985);
    const double overlap =
        mean_coverage(60, 4, 3, 24);  // blocks of 6 windows that share noise with two neighbours each
    CHECK(overlap > 0.89);
    CHECK(overlap < 0.99);
}

TEST_CASE("about 95 of 100 intervals hold a true ratio") {
    const double skills =
        coverage(0.25, [](std::uint64_t seed) { return paired_bootstrap(common_weather(seed, 60), 3, skill); });
    CHECK(skills > 0.90);
    CHECK(skills < 0.99);
    const double rain =
        coverage(0.1, [](std::uint64_t seed) { return paired_bootstrap(showers(seed, 60), 1, csi_difference); });
    CHECK(rain > 0.90);
    CHECK(rain < 0.99);
}

TEST_CASE("what is asked sees sums as large as those of all windows") {
    const auto sums = [](const std::vector<double>& one, const std::vector<double>& other) {
        return one[0] * 1e6 + one[1] * 1e3 + other[0];
    };
    for (const std::int64_t windows : {40, 4000}) {
        std::vector<PairedParts> parts;
        for (std::int64_t i = 0; i < windows; ++i) parts.push_back({i / 7, i % 7, {2.0, 1.0}, {3.0}});
        const PairedInterval interval = paired_bootstrap(parts, 3, sums);
        const double expected = static_cast<double>(windows) * 2001003;
        CHECK(interval.difference == Catch::Approx(expected));
        CHECK(interval.low == Catch::Approx(expected));
        CHECK(interval.high == Catch::Approx(expected));
    }
}

TEST_CASE("many blocks are drawn in groups, and the interval is as wide") {
    const auto width = [](std::int64_t windows, std::uint64_t seed) {
        const PairedInterval interval = mean_interval(overlapping(seed, windows, 1, 3), 6);
        return (interval.high - interval.low) * std::sqrt(static_cast<double>(windows));
    };
    CHECK(mean_interval(overlapping(2, 30000, 1, 3), 6).blocks == 5000);
    // Of blocks of L windows, whose noise is shared by 3, 8 / 9 L is not seen.
    CHECK(width(6000, 3) == Catch::Approx(2 * 1.96 * std::sqrt(1 - 8.0 / 54)).epsilon(0.08));
    CHECK(width(30000, 2) == Catch::Approx(2 * 1.96 * std::sqrt(1 - 8.0 / 270)).epsilon(0.08));

    Normal normal(6);
    std::vector<PairedParts> recordings;
    for (std::int64_t recording = 0; recording < 4000; ++recording) {
        const double shared = normal.next();
        for (std::int64_t frame = 0; frame < 3; ++frame) recordings.push_back(error_at(recording, frame, shared));
    }
    const PairedInterval interval = mean_interval(recordings, 5);
    CHECK(interval.blocks == 4000);
    CHECK(interval.high - interval.low == Catch::Approx(2 * 1.96 / std::sqrt(4000.0)).epsilon(0.1));
}

TEST_CASE("resamples without an answer take no part, and no answer at all is no interval") {
    std::vector<PairedParts> parts;  // it rained once
    for (std::int64_t i = 0; i < 5; ++i) {
        parts.push_back({i, 0, {i == 2 ? 1.0 : 0.0, 0, i == 2 ? 1.0 : 0.0}, {0, 0, i == 2 ? 1.0 : 0.0}});
    }
    const PairedInterval once = paired_bootstrap(parts, 1, csi_difference);
    CHECK(once.difference == 0.5);
    CHECK(once.low == 0.5);
    for (PairedParts& window : parts) window.other[2] = 0;
    CHECK(std::isnan(paired_bootstrap(parts, 1, csi_difference).difference));
    CHECK(std::isnan(paired_bootstrap(parts, 1, csi_difference).low));
    parts[3].one.push_back(1);
    CHECK_THROWS_AS(paired_bootstrap(parts, 1, csi_difference), Error);
}

TEST_CASE("windows that overlap are not taken for independent") {
    const double blind = mean_coverage(60, 4, 6, 4);  // blocks of one window
    CHECK(blind < 0.75);
    CHECK(mean_coverage(60, 4, 6, 24) > blind + 0.1);
}

TEST_CASE("short recordings are blocks of their own") {
    Normal normal(8);
    std::vector<PairedParts> errors;
    for (std::int64_t recording = 0; recording < 100; ++recording) {
        const double shared = normal.next();
        for (std::int64_t frame = 0; frame < 15; ++frame) errors.push_back(error_at(recording, frame, shared));
    }
    const PairedInterval interval = mean_interval(errors, 16);
    CHECK(interval.block_windows == 15);
    CHECK(interval.blocks == 100);
    CHECK(interval.high - interval.low == Catch::Approx(2 * 1.984 / 10.0).epsilon(0.2));  // of 100 values, not 1500
}

TEST_CASE("a block holds all windows that start within it, however many share a frame") {
    std::vector<PairedParts> errors;
    for (std::int64_t i = 0; i < 60; ++i) errors.push_back(error_at(0, i / 3 * 2, i % 2 == 0 ? 1.0 : 0.0));
    CHECK(mean_interval(errors, 8).block_windows == 12);  // frames 0, 2, 4, 6
    CHECK(mean_interval(errors, 7).block_windows == 12);
    CHECK(mean_interval(errors, 6).block_windows == 9);
    CHECK(mean_interval(errors, 6).blocks == 7);
}

TEST_CASE("errors count as much as is known of them") {
    std::vector<PairedParts> errors;
    for (std::int64_t i = 0; i < 20; ++i)
        errors.push_back(error_at(0, i, i % 2 == 0 ? 1.0 : 0.0, i % 2 == 0 ? 1.0 : 0.0));
    const PairedInterval interval = mean_interval(errors, 2);
    CHECK(interval.difference == 1.0);
    CHECK(interval.low == 1.0);
    CHECK(interval.high == 1.0);
}

TEST_CASE("two blocks tell nothing") {
    const PairedInterval interval = mean_interval(overlapping(1, 10, 1, 1), 5);
    CHECK(interval.blocks == 2);
    CHECK_FALSE(std::isnan(interval.difference));
    CHECK(std::isnan(interval.low));
    CHECK(std::isnan(interval.high));
    CHECK(std::isnan(mean_interval({}, 5).difference));
}
