#include "predict/scores/bootstrap.h"
#include "data/counter_random.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <cmath>
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

// Windows of one recording, every `stride` frames, whose errors share the noise of `shared` neighbours.
std::vector<PairedError> overlapping(std::uint64_t seed, std::int64_t windows, std::int64_t stride, int shared,
                                     double mean = 0.0) {
    Normal normal(seed);
    std::vector<double> noise;
    for (std::int64_t i = 0; i < windows + shared; ++i) noise.push_back(normal.next());
    std::vector<PairedError> errors;
    for (std::int64_t i = 0; i < windows; ++i) {
        double value = 0.0;
        for (std::int64_t k = i; k < i + shared; ++k) value += noise[static_cast<std::size_t>(k)];
        errors.push_back({0, i * stride, mean + value / shared});
    }
    return errors;
}

// How often the interval holds the true mean, 0.
double coverage(std::int64_t windows, std::int64_t stride, int shared, std::int64_t block_frames) {
    int held = 0;
    constexpr int kTrials = 200;
    for (int trial = 0; trial < kTrials; ++trial) {
        const auto errors = overlapping(1000 + static_cast<std::uint64_t>(trial), windows, stride, shared);
        const PairedInterval interval = paired_bootstrap(errors, block_frames);
        held += interval.low <= 0.0 && interval.high >= 0.0 ? 1 : 0;
    }
    return static_cast<double>(held) / kTrials;
}

}  // namespace

TEST_CASE("a difference that is the same in all windows has an interval of no width") {
    std::vector<PairedError> errors;
    for (std::int64_t i = 0; i < 40; ++i) errors.push_back({i / 10, i % 10, -0.25 * 3.0, 3.0});
    const PairedInterval interval = paired_bootstrap(errors, 5);
    CHECK(interval.difference == Catch::Approx(-0.25));
    CHECK(interval.low == Catch::Approx(-0.25));
    CHECK(interval.high == Catch::Approx(-0.25));
    CHECK(interval.block_windows == 5);
    CHECK(interval.blocks == 8);
}

TEST_CASE("the same errors give the same interval, in whatever order they come") {
    std::vector<PairedError> errors = overlapping(3, 50, 2, 3);
    const PairedInterval one = paired_bootstrap(errors, 12);
    std::reverse(errors.begin(), errors.end());
    const PairedInterval other = paired_bootstrap(errors, 12);
    CHECK(one.low == other.low);
    CHECK(one.high == other.high);
    CHECK(one.block_windows == 6);
    CHECK(one.blocks == 9);
    CHECK(paired_bootstrap(errors, 12, 1).low != one.low);
    CHECK(one.low < one.difference);
    CHECK(one.high > one.difference);
}

TEST_CASE("a clear difference excludes zero, noise about zero does not, and signs are kept") {
    const PairedInterval better = paired_bootstrap(overlapping(5, 60, 1, 1, -2.0), 1);
    CHECK(better.high < 0.0);
    const PairedInterval worse = paired_bootstrap(overlapping(5, 60, 1, 1, 2.0), 1);
    CHECK(worse.low > 0.0);
    std::vector<PairedError> even;
    for (std::int64_t i = 0; i < 60; ++i) even.push_back({0, i, i % 2 == 0 ? 1.0 : -1.0});
    const PairedInterval none = paired_bootstrap(even, 1);
    CHECK(none.difference == 0.0);
    CHECK(none.low < 0.0);
    CHECK(none.high > 0.0);
}

TEST_CASE("about 95 of 100 intervals hold the truth") {
    const double independent = coverage(40, 1, 1, 1);
    CHECK(independent > 0.91);
    CHECK(independent < 0.985);
    const double overlap = coverage(60, 4, 3, 24);  // blocks of 6 windows that share noise with two neighbours each
    CHECK(overlap > 0.89);
    CHECK(overlap < 0.99);
}

TEST_CASE("windows that overlap are not taken for independent") {
    const double blind = coverage(60, 4, 6, 4);  // blocks of one window
    CHECK(blind < 0.75);
    CHECK(coverage(60, 4, 6, 24) > blind + 0.1);
}

TEST_CASE("short recordings are blocks of their own") {
    Normal normal(8);
    std::vector<PairedError> errors;
    for (std::int64_t recording = 0; recording < 100; ++recording) {
        const double shared = normal.next();
        for (std::int64_t frame = 0; frame < 15; ++frame) errors.push_back({recording, frame, shared});
    }
    const PairedInterval interval = paired_bootstrap(errors, 16);
    CHECK(interval.block_windows == 15);
    CHECK(interval.blocks == 100);
    CHECK(interval.high - interval.low == Catch::Approx(2 * 1.984 / 10.0).epsilon(0.2));  // of 100 values, not 1500
}

TEST_CASE("a block holds all windows that start within it, however many share a frame") {
    std::vector<PairedError> errors;
    for (std::int64_t i = 0; i < 60; ++i) errors.push_back({0, i / 3 * 2, i % 2 == 0 ? 1.0 : 0.0});
    CHECK(paired_bootstrap(errors, 8).block_windows == 12);  // frames 0, 2, 4, 6
    CHECK(paired_bootstrap(errors, 7).block_windows == 12);
    CHECK(paired_bootstrap(errors, 6).block_windows == 9);
    CHECK(paired_bootstrap(errors, 6).blocks == 7);
}

TEST_CASE("errors count as much as is known of them") {
    std::vector<PairedError> errors;
    for (std::int64_t i = 0; i < 20; ++i) errors.push_back({0, i, i % 2 == 0 ? 1.0 : 0.0, i % 2 == 0 ? 1.0 : 0.0});
    const PairedInterval interval = paired_bootstrap(errors, 2);
    CHECK(interval.difference == 1.0);
    CHECK(interval.low == 1.0);
    CHECK(interval.high == 1.0);
}

TEST_CASE("two blocks tell nothing") {
    const PairedInterval interval = paired_bootstrap(overlapping(1, 10, 1, 1), 5);
    CHECK(interval.blocks == 2);
    CHECK_FALSE(std::isnan(interval.difference));
    CHECK(std::isnan(interval.low));
    CHECK(std::isnan(interval.high));
    CHECK(std::isnan(paired_bootstrap({}, 5).difference));
}
