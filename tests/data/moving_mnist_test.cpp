#include "data/synthetic/moving_mnist.h"

#include <torch/types.h>

#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/hash.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

using nowcell::IdxImages;
using nowcell::make_moving_mnist;
using nowcell::MovingMnistOptions;

namespace {

// Full squares of 28 px, image k of brightness 10 (k + 1), so that every pixel tells which digit it shows and where.
IdxImages squares(std::int64_t count) {
    IdxImages images{count, 28, 28, {}};
    for (std::int64_t k = 0; k < count; ++k) {
        images.pixels.insert(images.pixels.end(), 28 * 28, static_cast<std::uint8_t>(10 * (k + 1)));
    }
    return images;
}

MovingMnistOptions some(std::int64_t count, std::int64_t digits, std::uint64_t seed) {
    MovingMnistOptions options;
    options.count = count;
    options.digits = digits;
    options.seed = seed;
    return options;
}

// Upper left corner of the one square in a frame.
struct Corner {
    std::int64_t x, y;
};

Corner corner_of(const torch::Tensor& frame) {
    const torch::Tensor on = frame > 0;
    REQUIRE(on.sum().item<std::int64_t>() == 28 * 28);
    return {on.any(0).to(torch::kInt).argmax().item<std::int64_t>(),
            on.any(1).to(torch::kInt).argmax().item<std::int64_t>()};
}

std::string message_of(const IdxImages& images, const MovingMnistOptions& options, nowcell::ExitCode code) {
    try {
        make_moving_mnist(images, options);
    } catch (const nowcell::Error& error) {
        CHECK(error.code() == code);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("Moving MNIST is the same bytes on every machine, and a longer file begins with the shorter") {
    const torch::Tensor made = make_moving_mnist(squares(10), some(8, 2, 42));
    CHECK(made.sizes().vec() == std::vector<std::int64_t>{8, 20, 64, 64});
    CHECK(made.scalar_type() == torch::kUInt8);
    CHECK(hash_of(made) == 0xb03d58ce5cacfe39u);
    CHECK(make_moving_mnist(squares(10), some(3, 2, 42)).equal(made.slice(0, 0, 3)));
    CHECK_FALSE(make_moving_mnist(squares(10), some(8, 2, 43)).equal(made));
}

TEST_CASE("a digit of Moving MNIST takes equal steps of a tenth of the free range and turns at the edges") {
    MovingMnistOptions options = some(200, 1, 5);
    options.size = 28 + 1000;  // positions are read off to a thousandth of the free range
    options.frames = 12;
    const torch::Tensor made = make_moving_mnist(squares(1), options);
    std::int64_t free_steps = 0, turns = 0;
    for (std::int64_t n = 0; n < options.count; ++n) {
        std::vector<Corner> path;
        for (std::int64_t t = 0; t < options.frames; ++t) path.push_back(corner_of(made[n][t]));
        for (std::size_t t = 1; t < path.size(); ++t) {
            const auto inside = [](const Corner& c) { return c.x > 0 && c.x < 1000 && c.y > 0 && c.y < 1000; };
            const auto dx = static_cast<double>(path[t].x - path[t - 1].x);
            const auto dy = static_cast<double>(path[t].y - path[t - 1].y);
            CHECK(std::hypot(dx, dy) <= 101.5);
            if (inside(path[t]) && inside(path[t - 1])) {
                ++free_steps;
                CHECK(std::hypot(dx, dy) == Catch::Approx(100.0).margin(1.5));
            }
            if (t < 2 || path[t - 1].x % 1000 != 0) continue;
            // At an edge: it came there and leaves.
            ++turns;
            CHECK(static_cast<double>(path[t - 1].x - path[t - 2].x) * dx <= 0.0);
        }
    }
    CHECK(free_steps > 1000);
    CHECK(turns > 50);
}

TEST_CASE("digits of Moving MNIST start everywhere, go in all directions, and are all drawn") {
    MovingMnistOptions options = some(4000, 1, 9);
    options.frames = 3;
    const torch::Tensor made = make_moving_mnist(squares(20), options);
    double x = 0, y = 0;
    std::vector<int> quadrants(4, 0), images(20, 0);
    for (std::int64_t n = 0; n < options.count; ++n) {
        const Corner from = corner_of(made[n][0]), to = corner_of(made[n][2]);
        x += static_cast<double>(from.x) / 4000.0;
        y += static_cast<double>(from.y) / 4000.0;
        ++quadrants[static_cast<std::size_t>((to.x >= from.x ? 1 : 0) + (to.y >= from.y ? 2 : 0))];
        ++images[static_cast<std::size_t>(made[n].max().item<std::int64_t>() / 10 - 1)];
    }
    // Standard errors: 0.17 px; 27 sequences; 14 sequences.
    CHECK(x == Catch::Approx(17.5).margin(0.8));
    CHECK(y == Catch::Approx(17.5).margin(0.8));
    for (int count : quadrants) CHECK(std::abs(count - 1000) < 250);  // steps of less than a pixel count as forward
    for (int count : images) CHECK(std::abs(count - 200) < 70);
}

TEST_CASE("digits of Moving MNIST are combined by the maximum, and more digits leave those before as they are") {
    const torch::Tensor one = make_moving_mnist(squares(10), some(6, 1, 3));
    const torch::Tensor two = make_moving_mnist(squares(10), some(6, 2, 3));
    CHECK((two >= one).all().item<bool>());
    CHECK_FALSE(two.equal(one));
    for (std::int64_t n = 0; n < 6; ++n) {
        const torch::Tensor values = two[n].flatten();
        std::set<int> seen;
        for (std::int64_t i = 0; i < values.numel(); ++i) seen.insert(values.data_ptr<std::uint8_t>()[i]);
        CHECK(seen.size() <= 3);  // ground and two digits: a sum would be one more
    }
}

TEST_CASE("a range of images keeps training and test digits of Moving MNIST apart") {
    MovingMnistOptions options = some(50, 2, 1);
    options.first_image = 3;
    options.last_image = 6;
    const torch::Tensor made = make_moving_mnist(squares(10), options);
    std::set<int> seen;
    for (std::int64_t i = 0; i < made.numel(); ++i) seen.insert(made.data_ptr<std::uint8_t>()[i]);
    CHECK(seen == std::set<int>{0, 40, 50, 60, 70});
}

TEST_CASE("options of Moving MNIST out of range name their flag") {
    const auto with = [](auto change) {
        MovingMnistOptions options = some(1, 2, 0);
        change(options);
        return message_of(squares(10), options, nowcell::ExitCode::usage);
    };
    CHECK(holds(with([](auto& o) { o.size = 27; }), "--size: got 27, expected 28.."));
    CHECK(holds(with([](auto& o) { o.size = INT64_MAX; }), "--size"));
    CHECK(holds(with([](auto& o) { o.frames = 1; }), "--frames"));
    CHECK(holds(with([](auto& o) { o.count = INT64_MAX; }), "--count"));
    CHECK(holds(with([](auto& o) { o.digits = 0; }), "--digits"));
    CHECK(holds(with([](auto& o) { o.first_image = 10; }), "--first-image: got 10, expected 0..9"));
    CHECK(holds(with([](auto& o) { o.last_image = 10; }), "--last-image: got 10, expected 0..9"));
    CHECK(holds(with([](auto& o) { o.first_image = 5, o.last_image = 4; }), "--last-image: got 4, expected 5..9"));
    CHECK(with([](auto&) {}).empty());
    CHECK(holds(message_of(IdxImages{}, some(1, 2, 0), nowcell::ExitCode::data), "no digits"));
}

TEST_CASE("Moving MNIST of real digits is as bright as two digits") {
    const std::string path = shared_data("mnist/t10k-images-idx3-ubyte.gz");
    if (path.empty()) {
        WARN("skipped: no MNIST digits");
        return;
    }
    const IdxImages images = nowcell::read_idx(path);
    REQUIRE(images.count == 10000);
    const torch::Tensor made = make_moving_mnist(images, some(500, 2, 0)).to(torch::kFloat32) / 255.0;
    // Two digits of mean 0.1325 over 28 x 28 of 64 x 64 px give 0.0507, less what overlaps.
    const double mean = made.mean().item<double>();
    CHECK(mean < 0.0507);
    CHECK(mean > 0.0460);
    CHECK(made.max().item<double>() == 1.0);
}
