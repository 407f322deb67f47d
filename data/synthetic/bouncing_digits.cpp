#include "data/synthetic/bouncing_digits.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/counter_random.h"
#include "data/synthetic/generator.h"
#include "data/synthetic/glyphs.h"

namespace nowcell {
namespace {

constexpr std::int64_t kMaxSize = 4096;

GeneratorCheck check() {
    return {"bouncing-digits",
            "nowcell data make bouncing-digits --size 64 --frames 20 --count 100 --output digits.h5"};
}

void check_options(const BouncingDigitsOptions& o) {
    check().range("--size", o.size, 16, kMaxSize, "px");
    check().range("--digits", o.digits, 1, 9);
    check().amount(o.count, o.frames, o.size * o.size);
}

// One coordinate of a moving glyph.
struct Track {
    std::int64_t start, velocity, range;  // 1/256 px; 0 <= position <= range
};

// Reflection at both ends, without a loop: a triangle wave of the unhindered path.
std::int64_t position(const Track& track, std::int64_t t) {
    if (track.range == 0) return 0;
    const std::int64_t period = 2 * track.range;
    const std::int64_t phase = ((track.start + track.velocity * t) % period + period) % period;
    return phase <= track.range ? phase : period - phase;
}

struct Mover {
    Glyph glyph;
    Track x, y;
};

// Nominal: 28/64 of the frame, width and weight of a felt pen; the rest varies as handwriting does.
GlyphShape random_shape(CounterRandom& random, std::int64_t size) {
    GlyphShape shape;
    shape.digit = static_cast<int>(random.between(0, 9));
    const std::int64_t nominal = size * kSubpixel * 25 / 64;  // stroke centres; 28/64 with the width of the stroke
    shape.height = nominal * random.between(870, 1100) / 1000;
    shape.width = random.between(860, 1190);
    shape.slant = random.between(-130, 260);
    shape.thickness = size * kSubpixel * random.between(38, 60) / 1000;
    return shape;
}

// 2 to 5 px per frame at 64 px, all directions alike.
void random_velocity(CounterRandom& random, std::int64_t size, std::int64_t& vx, std::int64_t& vy) {
    const std::int64_t least = 2 * kSubpixel * size / 64, most = 5 * kSubpixel * size / 64;
    std::int64_t square = 0;
    do {
        vx = random.between(-most, most);
        vy = random.between(-most, most);
        square = vx * vx + vy * vy;
    } while (square < least * least || square > most * most);
}

Mover random_mover(CounterRandom& random, std::int64_t size) {
    Mover mover{Glyph(random_shape(random, size)), {}, {}};
    mover.x.range = std::max<std::int64_t>(size * kSubpixel - mover.glyph.width(), 0);
    mover.y.range = std::max<std::int64_t>(size * kSubpixel - mover.glyph.height(), 0);
    mover.x.start = random.between(0, mover.x.range);
    mover.y.start = random.between(0, mover.y.range);
    random_velocity(random, size, mover.x.velocity, mover.y.velocity);
    return mover;
}

void draw_sequence(std::uint8_t* frames, const BouncingDigitsOptions& o, std::int64_t n) {
    CounterRandom random(o.seed, static_cast<std::uint64_t>(n));
    std::vector<Mover> movers;
    for (std::int64_t k = 0; k < o.digits; ++k) movers.push_back(random_mover(random, o.size));
    for (std::int64_t t = 0; t < o.frames; ++t) {
        for (const Mover& m : movers) {
            m.glyph.draw(frames + t * o.size * o.size, o.size, position(m.x, t), position(m.y, t));
        }
    }
}

}  // namespace

torch::Tensor make_bouncing_digits(const BouncingDigitsOptions& options) {
    check_options(options);
    auto frames = torch::zeros({options.count, options.frames, options.size, options.size}, torch::kUInt8);
    const std::int64_t stride = options.frames * options.size * options.size;
    for (std::int64_t n = 0; n < options.count; ++n) {
        draw_sequence(frames.data_ptr<std::uint8_t>() + n * stride, options, n);
    }
    return frames;
}

torch::Tensor draw_digit(int digit, std::int64_t side, double slant, double weight) {
    check().range("digit", digit, 0, 9);
    check().range("side", side, 8, kMaxSize, "px");
    GlyphShape shape;
    shape.digit = digit;
    shape.height = side * kSubpixel * 68 / 100;
    shape.slant = std::llround(slant * 1024);
    shape.thickness = std::llround(weight * static_cast<double>(side * kSubpixel) * 0.085);
    const Glyph glyph(shape);
    auto image = torch::zeros({side, side}, torch::kUInt8);
    glyph.draw(image.data_ptr<std::uint8_t>(), side, (side * kSubpixel - glyph.width()) / 2,
               (side * kSubpixel - glyph.height()) / 2);
    return image;
}

}  // namespace nowcell
