#include "tests/gpu/sequence_reference.h"

namespace nowcell::test {
namespace {

constexpr double kEpsilon = 1e-5;

struct Statistics {
    double mean, deviation;  // 1 / sqrt(variance + epsilon)
};

Statistics statistics(const float* row, std::size_t size) {
    double mean = 0.0, square = 0.0;
    for (std::size_t j = 0; j < size; ++j) mean += row[j];
    mean /= static_cast<double>(size);
    for (std::size_t j = 0; j < size; ++j) square += (row[j] - mean) * (row[j] - mean);
    return {mean, 1.0 / std::sqrt(square / static_cast<double>(size) + kEpsilon)};
}

void add(Floats& sum, const Floats& term) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += term[i];
}

Floats around_one(std::size_t count) {
    Floats values = random_floats(count, 0.5F);
    for (float& value : values) value += 1.0F;
    return values;
}

}  // namespace

std::string SequenceCase::text() const {
    std::string text = "B" + std::to_string(shape.batch) + " T" + std::to_string(steps) + " " +
                       std::to_string(shape.height) + "x" + std::to_string(shape.width) + " F" +
                       std::to_string(shape.filters) + " k" + std::to_string(kernel.height) + "x" +
                       std::to_string(kernel.width);
    if (state) text += " state";
    if (bias) text += " bias";
    if (peephole) text += pixel ? " pixel peephole" : " peephole";
    if (norm) text += std::string(" norm of ") + (parts ? "parts" : "sum");
    if (norm) text += over == cuda::NormOver::pixel ? " over pixels" : " over frames";
    return text;
}

SequenceReference::SequenceReference(const SequenceCase& of, cuda::Storage s) : c(of), storage(s) {
    const std::size_t gate = 4 * c.filters(), taps = static_cast<std::size_t>(c.kernel.height * c.kernel.width);
    const auto stored = [&](std::size_t count, float scale) { return rounded(random_floats(count, scale), storage); };
    input = stored(c.frames() * c.pixels() * gate, 1.0F);
    weights = stored(gate * c.filters() * taps, 1.5F / std::sqrt(static_cast<float>(c.filters() * taps)));
    if (c.bias) bias = random_floats(gate);
    if (c.peephole) peephole = random_floats(3 * c.filters() * (c.pixel ? c.pixels() : 1));
    if (c.state) h_first = stored(c.batch() * c.frame(), 1.0F), c_first = random_floats(c.batch() * c.frame());
    if (c.norm) input_scale = around_one(c.norm_size()), input_shift = random_floats(c.norm_size());
    if (c.parts) hidden_scale = around_one(c.norm_size()), hidden_shift = random_floats(c.norm_size());
    d_out = stored(c.frames() * c.frame(), 1.0F);
    d_h_last = stored(c.batch() * c.frame(), 1.0F), d_c_last = random_floats(c.batch() * c.frame());
}

Floats SequenceReference::slice(const Floats& sequence, int step, std::size_t channels) const {
    const std::size_t size = c.pixels() * channels;
    Floats frames;
    for (std::size_t b = 0; b < c.batch(); ++b) {
        const auto first = sequence.begin() + static_cast<std::ptrdiff_t>((b * c.steps + step) * size);
        frames.insert(frames.end(), first, first + static_cast<std::ptrdiff_t>(size));
    }
    return frames;
}

void SequenceReference::put(Floats& sequence, int step, std::size_t channels, const Floats& frames) const {
    const std::size_t size = c.pixels() * channels;
    sequence.resize(c.frames() * size);
    for (std::size_t i = 0; i < frames.size(); ++i)
        sequence[((i / size) * c.steps + step) * size + i % size] = frames[i];
}

// body(h, gate, weight): places in frames of F and 4F channels that a weight joins.
template <class Body>
void SequenceReference::for_each_weight(const Body& body) const {
    const int height = c.shape.height, width = c.shape.width, rows = c.kernel.height, columns = c.kernel.width;
    const std::size_t filters = c.filters(), gates_count = 4 * filters;
    for (std::size_t b = 0; b < c.batch(); ++b)
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x)
                for (int ky = 0; ky < rows; ++ky)
                    for (int kx = 0; kx < columns; ++kx) {
                        const int from_y = y + ky - rows / 2, from_x = x + kx - columns / 2;
                        if (from_y < 0 || from_y >= height || from_x < 0 || from_x >= width) continue;
                        const std::size_t to = ((b * height + y) * width + x) * gates_count;
                        const std::size_t from = ((b * height + from_y) * width + from_x) * filters;
                        for (std::size_t g = 0; g < gates_count; ++g)
                            for (std::size_t f = 0; f < filters; ++f)
                                body(from + f, to + g, ((g * filters + f) * rows + ky) * columns + kx);
                    }
}

Floats SequenceReference::convolve(const Floats& old) const {
    std::vector<double> sums(c.batch() * c.frame() * 4);
    if (!old.empty()) {
        for_each_weight([&](std::size_t from, std::size_t to, std::size_t weight) {
            sums[to] += static_cast<double>(old[from]) * weights[weight];
        });
    }
    return Floats(sums.begin(), sums.end());
}

Floats SequenceReference::convolve_backward(const Floats& d) const {
    std::vector<double> sums(c.batch() * c.frame());
    for_each_weight([&](std::size_t from, std::size_t to, std::size_t weight) {
        sums[from] += static_cast<double>(d[to]) * weights[weight];
    });
    return Floats(sums.begin(), sums.end());
}

void SequenceReference::norm(Floats& values, const Floats& scale, const Floats& shift) const {
    const std::size_t size = scale.size();
    for (std::size_t row = 0; row < values.size(); row += size) {
        const Statistics s = statistics(&values[row], size);
        for (std::size_t j = 0; j < size; ++j)
            values[row + j] = static_cast<float>((values[row + j] - s.mean) * s.deviation * scale[j] + shift[j]);
    }
}

// d: from the gradient of the result to that of the values.
void SequenceReference::norm_backward(const Floats& values, const Floats& scale, Floats& d, Floats& d_scale,
                                      Floats& d_shift) const {
    const std::size_t size = scale.size();
    d_scale.resize(size), d_shift.resize(size);
    for (std::size_t row = 0; row < values.size(); row += size) {
        const Statistics s = statistics(&values[row], size);
        double mean = 0.0, with_x = 0.0;
        for (std::size_t j = 0; j < size; ++j) {
            const double x = (values[row + j] - s.mean) * s.deviation, inner = d[row + j] * scale[j];
            d_scale[j] += static_cast<float>(d[row + j] * x), d_shift[j] += d[row + j];
            mean += inner, with_x += inner * x;
        }
        mean /= static_cast<double>(size), with_x /= static_cast<double>(size);
        for (std::size_t j = 0; j < size; ++j) {
            const double x = (values[row + j] - s.mean) * s.deviation;
            d[row + j] = static_cast<float>((d[row + j] * scale[j] - mean - x * with_x) * s.deviation);
        }
    }
}

LstmPeephole<float> SequenceReference::peephole_at(std::size_t pixel, std::size_t channel) const {
    if (!c.peephole) return {};
    const std::size_t plane = c.pixel ? c.frame() : c.filters();
    const std::size_t place = c.pixel ? pixel * c.filters() + channel : channel;
    return {peephole[place], peephole[plane + place], peephole[2 * plane + place]};
}

Floats SequenceReference::state_before(const Floats& states, const Floats& first, int step) const {
    return step == 0 ? first : slice(states, step - 1, c.filters());
}

void SequenceReference::forward() {
    const AnyFunctions<cuda::Scalar> functions{c.recurrent, c.activation};
    const std::size_t filters = c.filters();
    for (int t = 0; t < c.steps; ++t) {
        Floats hidden = convolve(state_before(h, h_first, t));
        put(hidden_, t, 4 * filters, hidden);
        Floats sum = slice(input, t, 4 * filters);
        if (c.parts) {
            norm(sum, input_scale, input_shift);
            norm(hidden, hidden_scale, hidden_shift);
        }
        add(sum, hidden);
        if (c.norm && !c.parts) norm(sum, input_scale, input_shift);
        const Floats c_old = state_before(cell, c_first, t);
        Floats c_new(c.batch() * c.frame()), h_new(c_new.size());
        for (std::size_t unit = 0; unit < c_new.size(); ++unit) {
            const std::size_t pixel = unit / filters, channel = unit % filters;
            float* const g = &sum[pixel * 4 * filters + channel];
            const auto before = [&](std::size_t gate) {
                return g[gate * filters] + (c.bias ? bias[gate * filters + channel] : 0.0F);
            };
            const auto now = lstm_forward(functions, LstmGates<float>{before(0), before(1), before(2), before(3)},
                                          c_old.empty() ? 0.0F : c_old[unit], peephole_at(pixel % c.pixels(), channel));
            g[0] = now.gates.i, g[filters] = now.gates.f, g[2 * filters] = now.gates.g, g[3 * filters] = now.gates.o;
            c_new[unit] = now.c, h_new[unit] = now.h;
        }
        put(gates, t, 4 * filters, sum);
        put(cell, t, filters, c_new);
        put(h, t, filters, rounded(h_new, storage));
    }
}

void SequenceReference::backward() {
    const AnyFunctions<cuda::Scalar> functions{c.recurrent, c.activation};
    const std::size_t filters = c.filters(), plane = c.pixel ? c.frame() : filters;
    d_h_first = d_h_last, d_c_first = d_c_last;
    d_bias.assign(4 * filters, 0.0F), d_peephole.assign(peephole.size(), 0.0F);
    for (int t = c.steps - 1; t >= 0; --t) {
        add(d_h_first, slice(d_out, t, filters));
        const Floats c_old = state_before(cell, c_first, t), c_new = slice(cell, t, filters);
        Floats d = slice(gates, t, 4 * filters);
        for (std::size_t unit = 0; unit < c_new.size(); ++unit) {
            const std::size_t pixel = unit / filters, channel = unit % filters;
            const float old = c_old.empty() ? 0.0F : c_old[unit];
            float* const g = &d[pixel * 4 * filters + channel];
            const auto back =
                lstm_backward(functions, LstmGates<float>{g[0], g[filters], g[2 * filters], g[3 * filters]}, old,
                              c_new[unit], d_h_first[unit], d_c_first[unit], peephole_at(pixel % c.pixels(), channel));
            g[0] = back.gates.i, g[filters] = back.gates.f, g[2 * filters] = back.gates.g,
            g[3 * filters] = back.gates.o;
            d_c_first[unit] = back.c_old;
            if (!c.peephole) continue;
            const std::size_t place = c.pixel ? unit % c.frame() : channel;
            d_peephole[place] += g[0] * old, d_peephole[plane + place] += g[filters] * old;
            d_peephole[2 * plane + place] += g[3 * filters] * c_new[unit];
        }
        Floats part = slice(input, t, 4 * filters), hidden = slice(hidden_, t, 4 * filters), recurrent = d;
        if (c.parts) {
            norm_backward(hidden, hidden_scale, recurrent, d_hidden_scale, d_hidden_shift);
            norm_backward(part, input_scale, d, d_input_scale, d_input_shift);
        } else if (c.norm) {
            add(part, hidden);
            norm_backward(part, input_scale, d, d_input_scale, d_input_shift);
            recurrent = d;
        }
        put(d_input, t, 4 * filters, d);
        put(d_hidden, t, 4 * filters, recurrent);
        for (std::size_t i = 0; i < d.size(); ++i) d_bias[i % (4 * filters)] += d[i];
        d_h_first = convolve_backward(recurrent);
    }
}

}  // namespace nowcell::test
