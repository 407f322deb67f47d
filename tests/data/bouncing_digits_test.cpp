#include "data/synthetic/bouncing_digits.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "data/counter_random.h"
#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/hash.h"

namespace {

using nowcell::BouncingDigitsOptions;
using nowcell::draw_digit;
using nowcell::make_bouncing_digits;

BouncingDigitsOptions small(std::int64_t count, std::uint64_t seed) {
    BouncingDigitsOptions options;
    options.size = 32;
    options.frames = 6;
    options.count = count;
    options.seed = seed;
    return options;
}

struct Centre {
    double x, y, mass;
};

Centre centre_of(const torch::Tensor& frame) {
    Centre c{0, 0, 0};
    const auto pixels = frame.accessor<std::uint8_t, 2>();
    for (std::int64_t y = 0; y < frame.size(0); ++y) {
        for (std::int64_t x = 0; x < frame.size(1); ++x) {
            const double ink = pixels[y][x];
            c.x += ink * static_cast<double>(x);
            c.y += ink * static_cast<double>(y);
            c.mass += ink;
        }
    }
    return {c.x / c.mass, c.y / c.mass, c.mass};
}

std::string message_of(const BouncingDigitsOptions& options) {
    try {
        make_bouncing_digits(options);
    } catch (const nowcell::Error& error) {
        CHECK(error.code() == nowcell::ExitCode::usage);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("bouncing digits have the documented shape and type") {
    const auto frames = make_bouncing_digits(small(3, 0));
    CHECK(frames.sizes().vec() == std::vector<std::int64_t>{3, 6, 32, 32});
    CHECK(frames.scalar_type() == torch::kUInt8);
    CHECK(frames.max().item<int>() == 255);
    CHECK(frames.min().item<int>() == 0);
}

TEST_CASE("a longer file of bouncing digits begins with the shorter one") {
    const auto three = make_bouncing_digits(small(3, 7)), five = make_bouncing_digits(small(5, 7));
    CHECK(five.slice(0, 0, 3).equal(three));
    auto longer = small(3, 7);
    longer.frames = 9;
    CHECK(make_bouncing_digits(longer).slice(1, 0, 6).equal(three));
}

TEST_CASE("bouncing digits differ from seed to seed and from sequence to sequence") {
    const auto a = make_bouncing_digits(small(4, 1)), b = make_bouncing_digits(small(4, 2));
    for (std::int64_t n = 0; n < 4; ++n) {
        for (std::int64_t m = 0; m < 4; ++m) {
            CHECK_FALSE(a[n].equal(b[m]));
            if (n != m) CHECK_FALSE(a[n].equal(a[m]));
        }
    }
}

TEST_CASE("bouncing digits are the same bytes on every machine") {
    CHECK(hash_of(make_bouncing_digits(small(8, 42))) == 0x913e9188aacfa089u);
    auto large = small(1, 3);
    large.size = 200;
    large.digits = 9;
    CHECK(hash_of(make_bouncing_digits(large)) == 0x240abe4fa35f9431u);
}

TEST_CASE("a bouncing digit keeps all of its ink inside the frame") {
    auto options = small(6, 5);
    options.digits = 1;
    options.frames = 60;
    const auto frames = make_bouncing_digits(options);
    for (std::int64_t n = 0; n < options.count; ++n) {
        const double mass = centre_of(frames[n][0]).mass;
        // Sampling at another sub-pixel position changes the sum a little; a cut glyph changes it a lot.
        for (std::int64_t t = 1; t < options.frames; ++t) {
            CHECK(centre_of(frames[n][t]).mass == Catch::Approx(mass).epsilon(0.03));
        }
    }
}

TEST_CASE("a bouncing digit moves in a straight line and is reflected at the edges") {
    auto options = small(8, 11);
    options.size = 64;
    options.digits = 1;
    options.frames = 40;
    const auto frames = make_bouncing_digits(options);
    int reflections = 0;
    for (std::int64_t n = 0; n < options.count; ++n) {
        std::vector<Centre> centres;
        for (std::int64_t t = 0; t < options.frames; ++t) centres.push_back(centre_of(frames[n][t]));
        double fastest_x = 0, fastest_y = 0;
        for (std::size_t t = 1; t < centres.size(); ++t) {
            fastest_x = std::max(fastest_x, std::abs(centres[t].x - centres[t - 1].x));
            fastest_y = std::max(fastest_y, std::abs(centres[t].y - centres[t - 1].y));
        }
        CHECK(std::hypot(fastest_x, fastest_y) > 1.9);
        CHECK(std::hypot(fastest_x, fastest_y) < 5.1);
        // Away from the edges every step is the full step, in one of the two directions.
        int full_x = 0, full_y = 0;
        for (std::size_t t = 1; t < centres.size(); ++t) {
            full_x += std::abs(std::abs(centres[t].x - centres[t - 1].x) - fastest_x) < 0.15 ? 1 : 0;
            full_y += std::abs(std::abs(centres[t].y - centres[t - 1].y) - fastest_y) < 0.15 ? 1 : 0;
        }
        CHECK(full_x >= 30);
        CHECK(full_y >= 30);
        for (std::size_t t = 2; t < centres.size(); ++t) {
            const double before = centres[t - 1].x - centres[t - 2].x, after = centres[t].x - centres[t - 1].x;
            reflections += before * after < 0 ? 1 : 0;
        }
    }
    CHECK(reflections > 5);
}

TEST_CASE("overlapping digits never get darker") {
    auto one = small(5, 9), two = small(5, 9);
    one.digits = 1;
    const auto alone = make_bouncing_digits(one), both = make_bouncing_digits(two);
    CHECK((both >= alone).all().item<bool>());
    CHECK(both.to(torch::kInt64).sum().item<std::int64_t>() > alone.to(torch::kInt64).sum().item<std::int64_t>());
}

TEST_CASE("every digit is different from every other") {
    std::vector<torch::Tensor> digits;
    for (int digit = 0; digit <= 9; ++digit) digits.push_back(draw_digit(digit, 64, 0.0, 1.0).to(torch::kFloat32));
    for (std::size_t a = 0; a < digits.size(); ++a) {
        for (std::size_t b = 0; b < a; ++b) {
            const double apart = (digits[a] - digits[b]).abs().sum().item<double>();
            const double ink = std::min(digits[a].sum().item<double>(), digits[b].sum().item<double>());
            INFO(a << " and " << b);
            CHECK(apart > 0.3 * ink);
        }
    }
}

TEST_CASE("a drawn digit follows slant and weight") {
    const auto upright = draw_digit(1, 64, 0.0, 1.0), slanted = draw_digit(1, 64, 0.4, 1.0);
    const auto lean = [](const torch::Tensor& image) {
        return centre_of(image.slice(0, 0, 32)).x - centre_of(image.slice(0, 32)).x;
    };
    CHECK(lean(slanted) > lean(upright) + 4);
    CHECK(centre_of(draw_digit(8, 64, 0.0, 1.5)).mass > 1.2 * centre_of(draw_digit(8, 64, 0.0, 1.0)).mass);
    CHECK_THROWS_AS(draw_digit(10, 64, 0.0, 1.0), nowcell::Error);
}

TEST_CASE("options of bouncing digits out of range name their flag") {
    const auto with = [](auto change) {
        BouncingDigitsOptions options = small(1, 0);
        change(options);
        return message_of(options);
    };
    CHECK(with([](auto& o) { o.size = 15; }).find("--size: got 15, expected 16..") != std::string::npos);
    CHECK(with([](auto& o) { o.frames = 1; }).find("--frames: got 1, expected 2..") != std::string::npos);
    CHECK(with([](auto& o) { o.count = 0; }).find("--count: got 0, expected 1..") != std::string::npos);
    CHECK(with([](auto& o) { o.digits = 10; }).find("--digits: got 10, expected 1..9") != std::string::npos);
    CHECK(with([](auto& o) { o.count = INT64_MAX; }).find("--count") != std::string::npos);
    CHECK(with([](auto& o) { o.size = INT64_MAX; }).find("--size") != std::string::npos);
    CHECK(with([](auto&) {}).empty());
}

TEST_CASE("counter random numbers cover a range evenly and repeat") {
    nowcell::CounterRandom random(1, 2), again(1, 2), other(2, 1);
    CHECK(random.bits() == again.bits());
    CHECK(random.bits() != other.bits());
    std::vector<int> seen(10, 0);
    for (int i = 0; i < 10000; ++i) ++seen[static_cast<std::size_t>(random.between(-3, 6) + 3)];
    for (int count : seen) CHECK(std::abs(count - 1000) < 160);
}
