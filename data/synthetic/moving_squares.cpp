#include "data/synthetic/moving_squares.h"

#include "data/synthetic/generator.h"
#include "data/synthetic/numpy_random.h"

#include <algorithm>
#include <limits>

namespace nowcell {
namespace {

constexpr std::int64_t kCanvas = 80;
constexpr std::int64_t kFirst = 20;  // of the 40 rows and columns that are kept
constexpr std::int64_t kSide = 40;

struct Range {
    std::int64_t begin;
    std::int64_t end;
};

// Of the canvas as Python slices it: a negative end counts from behind. Then cut to what is kept.
Range kept(std::int64_t begin, std::int64_t end) {
    const auto from_front = [](std::int64_t at) {
        return std::clamp<std::int64_t>(at < 0 ? at + kCanvas : at, 0, kCanvas);
    };
    return {std::max(from_front(begin) - kFirst, std::int64_t{0}), std::min(from_front(end) - kFirst, kSide)};
}

void add_square(double* frame, std::int64_t x, std::int64_t y, std::int64_t half, double value) {
    const Range rows = kept(x - half, x + half);
    const Range columns = kept(y - half, y + half);
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        for (std::int64_t column = columns.begin; column < columns.end; ++column) {
            frame[row * kSide + column] += value;
        }
    }
}

void add_moving_square(double* noisy, double* shifted, std::int64_t frames, NumpyRandom& random) {
    const std::int64_t x = random.randint(20, 60);
    const std::int64_t y = random.randint(20, 60);
    const std::int64_t dx = random.randint(0, 3) - 1;
    const std::int64_t dy = random.randint(0, 3) - 1;
    const std::int64_t half = random.randint(2, 4);
    for (std::int64_t t = 0; t < frames; ++t) {
        double* frame = noisy + t * kSide * kSide;
        add_square(frame, x + dx * t, y + dy * t, half, 1.0);
        if (random.randint(0, 2) == 1) {
            add_square(frame, x + dx * t, y + dy * t, half + 1, random.randint(0, 2) == 0 ? 0.1 : -0.1);
        }
        add_square(shifted + t * kSide * kSide, x + dx * (t + 1), y + dy * (t + 1), half, 1.0);
    }
}

}  // namespace

MovingSquares make_moving_squares(const MovingSquaresOptions& options) {
    const GeneratorCheck check{"moving-squares", "nowcell data make moving-squares --output squares.h5 --seed 0"};
    check.amount(options.count, options.frames, 2 * kSide * kSide * std::int64_t{sizeof(double)});
    check.range("--seed", options.seed, 0, std::numeric_limits<std::uint32_t>::max());
    const auto type = torch::TensorOptions().dtype(torch::kFloat64);
    MovingSquares movies{torch::zeros({options.count, options.frames, kSide, kSide}, type),
                         torch::zeros({options.count, options.frames, kSide, kSide}, type)};
    NumpyRandom random(static_cast<std::uint32_t>(options.seed));
    for (std::int64_t n = 0; n < options.count; ++n) {
        const std::int64_t at = n * options.frames * kSide * kSide;
        for (std::int64_t squares = random.randint(3, 8); squares > 0; --squares) {
            add_moving_square(movies.noisy.data_ptr<double>() + at, movies.shifted.data_ptr<double>() + at,
                              options.frames, random);
        }
    }
    movies.noisy.clamp_max_(1.0);
    movies.shifted.clamp_max_(1.0);
    return movies;
}

}  // namespace nowcell
