#include "data/synthetic/moving_squares.h"

#include <torch/types.h>

#include "data/synthetic/numpy_random.h"
#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/hash.h"

#include <vector>

using nowcell::make_moving_squares;
using nowcell::MovingSquares;
using nowcell::MovingSquaresOptions;
using nowcell::NumpyRandom;

namespace {

MovingSquares movies(std::int64_t count, std::int64_t frames, std::int64_t seed) {
    MovingSquaresOptions options;
    options.count = count;
    options.frames = frames;
    options.seed = seed;
    return make_moving_squares(options);
}

}  // namespace

TEST_CASE("NumPy's legacy random numbers are drawn bit for bit") {
    // numpy.random.RandomState(12345) of NumPy 2.4.6.
    NumpyRandom random(12345);
    std::vector<std::int64_t> drawn;
    for (int i = 0; i < 8; ++i) drawn.push_back(random.randint(0, 10));
    CHECK(drawn == std::vector<std::int64_t>{2, 5, 1, 4, 9, 5, 2, 1});
    CHECK(random.random_sample() == 0.9645145197356216);
    CHECK(random.random_sample() == 0.6531770968715709);
    CHECK(random.random_sample() == 0.7489066375339118);
    drawn.clear();
    for (int i = 0; i < 5; ++i) drawn.push_back(random.randint(-5, 1000));
    CHECK(drawn == std::vector<std::int64_t>{754, 369, 203, 877, 708});
    CHECK(random.randint(0, std::int64_t{1} << 32) == 115061003);
    CHECK(random.randint(7, 8) == 7);  // draws nothing
    CHECK(random.randint(0, 100) == 77);
}

TEST_CASE("moving squares are the arrays of Keras' example, byte for byte") {
    // Hashes of the arrays that the example's own code gives with NumPy.
    struct Case {
        std::int64_t seed, count, frames;
        std::uint64_t noisy, shifted;
    };
    const Case cases[] = {{0, 3, 15, 0x70a6a0654a3490e9u, 0xa3eb3f696502ef05u},
                          {1, 2, 7, 0xb4c32c235e6ecbe9u, 0x80ecd75f50ffd105u},
                          {4294967295, 4, 3, 0xc399cfa5daa1a505u, 0x533080198bc000d8u},
                          {7, 2, 120, 0x886d1d887c729c34u, 0x5385cb3040f8f9e5u}};
    for (const Case& c : cases) {
        INFO("seed " << c.seed << ", frames " << c.frames);
        const MovingSquares made = movies(c.count, c.frames, c.seed);
        CHECK(made.noisy.sizes().vec() == std::vector<std::int64_t>{c.count, c.frames, 40, 40});
        CHECK(hash_of(made.noisy) == c.noisy);
        CHECK(hash_of(made.shifted) == c.shifted);
    }
}

TEST_CASE("all of Keras' 1200 movies have the example's sums and baseline scores") {
    const MovingSquares made = movies(1200, 15, 0);
    CHECK(made.noisy.sum().item<double>() == Catch::Approx(1684646.2));
    CHECK(made.shifted.sum().item<double>() == 1669703.0);
    CHECK(made.noisy.max().item<double>() == 1.0);
    const torch::Tensor apart = made.noisy.slice(0, 1000) - made.shifted.slice(0, 1000);
    CHECK(apart.abs().mean().item<double>() == Catch::Approx(0.02852).margin(5e-6));
    CHECK(apart.square().mean().item<double>() == Catch::Approx(0.02548).margin(5e-6));
}

TEST_CASE("a frame of the shifted movies is the next noisy one without its noise") {
    const MovingSquares made = movies(20, 15, 3);
    const torch::Tensor next = made.noisy.slice(1, 1), truth = made.shifted.slice(1, 0, 14);
    // Where squares are, noise takes at most 0.1 of each; elsewhere it adds less than a square.
    CHECK((next > 0.65).equal(truth > 0.5));
}

TEST_CASE("options of moving squares out of range name their flag") {
    const auto message = [](std::int64_t count, std::int64_t frames, std::int64_t seed) {
        try {
            movies(count, frames, seed);
        } catch (const nowcell::Error& error) {
            CHECK(error.code() == nowcell::ExitCode::usage);
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(holds(message(0, 15, 0), "--count: got 0, expected 1.."));
    CHECK(holds(message(INT64_MAX, 15, 0), "--count"));
    CHECK(holds(message(1, 1, 0), "--frames: got 1, expected 2.."));
    CHECK(holds(message(1, INT64_MAX, 0), "--frames"));
    CHECK(holds(message(1, 2, -1), "--seed: got -1, expected 0..4294967295"));
    CHECK(holds(message(1, 2, 4294967296), "--seed"));
}
