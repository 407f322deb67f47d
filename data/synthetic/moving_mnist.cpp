#include "data/synthetic/moving_mnist.h"

#include "data/counter_random.h"
#include "data/synthetic/generator.h"
#include "src/error.h"

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

constexpr std::int64_t kMostSide = 4096;
constexpr int kPlaces = 30;
constexpr std::int64_t kOne = std::int64_t{1} << kPlaces;  // the free range
constexpr std::int64_t kStep = kOne / 10;                  // per frame

struct Coordinate {
    std::int64_t position;
    std::int64_t velocity;

    void move() {
        position = std::clamp<std::int64_t>(position + velocity, 0, kOne);
        if (position == 0 || position == kOne) velocity = -velocity;
    }
};

struct Mover {
    const std::uint8_t* pixels;
    Coordinate x, y;
};

// All directions alike: a point of a ring, scaled to the length of a step. Square root and division are exact to the
// last bit on every machine, sine and cosine are not.
void set_direction(CounterRandom& random, Mover& mover) {
    constexpr std::int64_t kRadius = std::int64_t{1} << 20;
    std::int64_t x = 0;
    std::int64_t y = 0;
    std::int64_t square = 0;
    do {
        x = random.between(-kRadius, kRadius);
        y = random.between(-kRadius, kRadius);
        square = x * x + y * y;
    } while (square > kRadius * kRadius || square < kRadius * kRadius / 4);
    const double length = std::sqrt(static_cast<double>(square));
    mover.x.velocity = std::llround(static_cast<double>(x * kStep) / length);
    mover.y.velocity = std::llround(static_cast<double>(y * kStep) / length);
}

void draw(const IdxImages& images, const Mover& mover, std::uint8_t* frame, std::int64_t size) {
    const std::int64_t left = ((size - images.columns) * mover.x.position) >> kPlaces;
    const std::int64_t top = ((size - images.rows) * mover.y.position) >> kPlaces;
    for (std::int64_t row = 0; row < images.rows; ++row) {
        const std::uint8_t* from = mover.pixels + row * images.columns;
        std::uint8_t* to = frame + (top + row) * size + left;
        std::transform(from, from + images.columns, to, to, [](auto a, auto b) { return std::max(a, b); });
    }
}

void draw_sequence(const IdxImages& images, const MovingMnistOptions& options, std::int64_t last_image, std::int64_t n,
                   std::uint8_t* frames) {
    CounterRandom random(options.seed, static_cast<std::uint64_t>(n));
    for (std::int64_t k = 0; k < options.digits; ++k) {
        const std::int64_t image = random.between(options.first_image, last_image);
        Mover mover{images.pixels.data() + image * images.rows * images.columns,
                    {random.between(0, kOne), 0},
                    {random.between(0, kOne), 0}};
        set_direction(random, mover);
        for (std::int64_t t = 0; t < options.frames; ++t) {
            mover.x.move();
            mover.y.move();
            draw(images, mover, frames + t * options.size * options.size, options.size);
        }
    }
}

// Returns the last image to draw from.
std::int64_t check_options(const IdxImages& images, const MovingMnistOptions& options) {
    if (images.count < 1 || images.rows < 1 || images.columns < 1) {
        throw Error(ExitCode::data, "cannot make moving-mnist: the idx file holds no digits");
    }
    const GeneratorCheck check{"moving-mnist",
                               "nowcell data make moving-mnist --images train-images-idx3-ubyte.gz --output mnist.h5"};
    check.range("--size", options.size, std::max(images.rows, images.columns), kMostSide, "px");
    check.range("--digits", options.digits, 1, 9);
    check.amount(options.count, options.frames, options.size * options.size);
    check.range("--first-image", options.first_image, 0, images.count - 1);
    if (options.last_image == -1) return images.count - 1;
    check.range("--last-image", options.last_image, options.first_image, images.count - 1);
    return options.last_image;
}

}  // namespace

torch::Tensor make_moving_mnist(const IdxImages& images, const MovingMnistOptions& options) {
    const std::int64_t last_image = check_options(images, options);
    auto frames = torch::zeros({options.count, options.frames, options.size, options.size}, torch::kUInt8);
    const std::int64_t stride = options.frames * options.size * options.size;
    for (std::int64_t n = 0; n < options.count; ++n) {
        draw_sequence(images, options, last_image, n, frames.data_ptr<std::uint8_t>() + n * stride);
    }
    return frames;
}

}  // namespace nowcell
