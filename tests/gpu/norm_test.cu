// The norm kernels against double precision on the host.
#include "cells/cuda/norm.h"
#include "cells/cuda/planner.h"
#include "cells/cuda/scalar.h"
#include "tests/gpu/harness.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace nowcell::cuda {
namespace {

using test::DeviceBuffer;
using test::Floats;
using Doubles = std::vector<double>;

// Tensors of one call lie apart by different gaps.
enum class Gap { x = 1, addend, y, d_y, d_x };

struct Case {
    StepShape shape;
    NormOver over = NormOver::pixel;
    bool addend = false, gradients = true;
    std::size_t offset = 0, gap = 0;  // of addresses; between items, in elements: see Gap
    float mean = 0.0F;

    std::size_t frame() const { return static_cast<std::size_t>(shape.pixels()) * 4 * shape.filters; }
    std::size_t numbers() const { return frame() * shape.batch; }
    std::size_t length() const {
        return over == NormOver::pixel ? 4 * static_cast<std::size_t>(shape.filters) : frame();
    }
    std::size_t stride(Gap of) const { return frame() + gap * static_cast<std::size_t>(of); }
    Frames<void> frames(const DeviceBuffer& buffer, Gap of) const { return frames(buffer.data(), of); }
    Frames<void> frames(void* data, Gap of) const { return {data, static_cast<std::int64_t>(stride(of))}; }
    std::string text(Storage storage) const {
        return std::string(test::name_of(storage)) + (over == NormOver::pixel ? " pixel B" : " frame B") +
               std::to_string(shape.batch) + " " + std::to_string(shape.height) + "x" + std::to_string(shape.width) +
               " F" + std::to_string(shape.filters) + (offset > 0 ? " unaligned" : "") + (gap > 0 ? " strided" : "");
    }
};

constexpr NormOver kPixel = NormOver::pixel, kFrame = NormOver::frame;
const Case kCases[] = {
    {{1, 1, 1, 1}, kPixel},
    {{2, 9, 8, 8}, kPixel, true},
    {{3, 3, 3, 7}, kPixel, true, true, 0, 5},
    {{2, 3, 3, 60}, kPixel, false, true, 0, 0, 100.0F},
    {{1, 2, 5, 124}, kPixel, true},
    {{2, 3, 1, 250}, kPixel, false, true, 0, 8},
    {{2, 1, 5, 700}, kPixel, true},
    {{1, 1, 3, 1024}, kPixel, false, false},
    {{2, 1, 2, 1100}, kPixel, true},
    {{9, 2, 1, 75}, kPixel, true, true, 1},
    {{2, 3, 5, 16}, kPixel, true, false, 1},
    {{1, 1, 1, 1}, kFrame},
    {{2, 5, 7, 8}, kFrame, true, true, 0, 16},
    {{3, 3, 3, 7}, kFrame, true, true, 0, 3},
    {{2, 12, 11, 24}, kFrame, false, true, 0, 0, 100.0F},
    {{1, 33, 31, 33}, kFrame, false, false},
    {{75, 1, 1, 4}, kFrame, true},
    {{2, 3, 5, 16}, kFrame, true, false, 1},
};

// Numbers of frames with gaps between them, and back.
Floats spread(const Floats& values, const Case& c, Gap of) {
    const std::size_t stride = c.stride(of);
    Floats all(values.empty() ? 0 : stride * c.shape.batch, std::numeric_limits<float>::quiet_NaN());
    for (std::size_t i = 0; i < values.size(); ++i) all[i / c.frame() * stride + i % c.frame()] = values[i];
    return all;
}
Floats gathered(const Floats& all, const Case& c, Gap of) {
    Floats values(c.numbers());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = all[i / c.frame() * c.stride(of) + i % c.frame()];
    return values;
}
Floats rounded_to_float(const Doubles& values) { return Floats(values.begin(), values.end()); }

struct Truth {
    Floats x, addend, scale, shift, d_y, d_scale_before, d_shift_before;
    Doubles y, d_x, d_scale, d_shift;

    Truth(const Case& c, Storage s) {
        x = test::random_floats(c.numbers());
        for (float& v : x) v += c.mean;
        x = test::rounded(x, s);
        if (c.addend) addend = test::rounded(test::random_floats(c.numbers()), s);
        const std::size_t n = c.length();
        scale = test::random_floats(n, 1.5F), shift = test::random_floats(n);
        d_y = test::rounded(test::random_floats(c.numbers()), s);
        d_scale_before = test::random_floats(n), d_shift_before = test::random_floats(n);
        y.resize(x.size()), d_x.resize(x.size());
        d_scale.assign(d_scale_before.begin(), d_scale_before.end());
        d_shift.assign(d_shift_before.begin(), d_shift_before.end());
        for (std::size_t start = 0; start < x.size(); start += n) span(start, n);
    }

    void span(std::size_t start, std::size_t n) {
        const double count = static_cast<double>(n);
        Doubles normed(n);
        double mean = 0.0, squares = 0.0, mean_g = 0.0, mean_gx = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            normed[i] = x[start + i];
            if (!addend.empty()) normed[i] += addend[start + i];
            mean += normed[i] / count;
        }
        for (double& v : normed) v -= mean, squares += v * v;
        const double deviation = 1.0 / std::sqrt(squares / count + 1e-5);
        for (std::size_t i = 0; i < n; ++i) {
            normed[i] *= deviation;
            y[start + i] = normed[i] * scale[i] + shift[i];
            const double d = d_y[start + i], g = d * scale[i];
            d_scale[i] += d * normed[i], d_shift[i] += d;
            mean_g += g / count, mean_gx += g * normed[i] / count;
        }
        for (std::size_t i = 0; i < n; ++i)
            d_x[start + i] =
                deviation * (d_y[start + i] * static_cast<double>(scale[i]) - mean_g - normed[i] * mean_gx);
    }
};

void expect_same_bits(const std::string& what, const Floats& a, const Floats& b) {
    test::expect(a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0,
                 what + ": two runs differ");
}

// float32: about ten roundings of numbers up to the mean's size, each of 6e-8.
double tolerance(const Case& c, Storage storage) {
    const double of_floats = 6e-6 * (1.0 + c.mean / 4.0);
    return storage == Storage::float32 ? of_floats : std::max(of_floats, test::tolerance_of(storage));
}

void try_case(const Case& c, Storage storage, bool in_place) {
    const Truth truth(c, storage);
    const std::string text = c.text(storage) + (in_place ? " in place" : "");
    DeviceBuffer x(storage, spread(truth.x, c, Gap::x), c.offset),
        y(storage, c.stride(Gap::y) * c.shape.batch, c.offset);
    const test::Optional addend(storage, spread(truth.addend, c, Gap::addend), c.offset);
    DeviceBuffer scale(Storage::float32, truth.scale, c.offset), shift(Storage::float32, truth.shift, c.offset);
    DeviceBuffer workspace(Storage::float32, norm_workspace_bytes(c.shape, c.over) / sizeof(float));

    // Backward first: forward may be in place.
    const Gap gap_x = in_place ? Gap::d_y : Gap::d_x, gap_y = in_place ? Gap::x : Gap::y;
    DeviceBuffer d_y(storage, spread(truth.d_y, c, Gap::d_y), c.offset),
        d_x(storage, c.stride(Gap::d_x) * c.shape.batch, c.offset);
    NormBackward back;
    back.shape = c.shape, back.storage = storage, back.over = c.over;
    back.x = c.frames(x, Gap::x), back.addend = c.frames(addend.data(), Gap::addend);
    back.scale = scale.floats();
    back.d_y = c.frames(d_y, Gap::d_y);
    back.d_x = c.frames(in_place ? d_y : d_x, gap_x);
    back.workspace = workspace.data();
    Floats first_scale, first_shift;
    for (int run = 0; run < (c.gradients ? 2 : 1); ++run) {
        DeviceBuffer d_scale(Storage::float32, truth.d_scale_before, c.offset),
            d_shift(Storage::float32, truth.d_shift_before, c.offset);
        if (c.gradients) back.d_scale = d_scale.floats(), back.d_shift = d_shift.floats();
        d_y.write(spread(truth.d_y, c, Gap::d_y));
        test::check(norm_backward(back, nullptr), "norm_backward");
        test::expect_close(text + " d_x", gathered((in_place ? d_y : d_x).read(), c, gap_x),
                           rounded_to_float(truth.d_x), tolerance(c, storage));
        if (!c.gradients) break;
        if (run == 0) {
            first_scale = d_scale.read(), first_shift = d_shift.read();
            test::expect_close(text + " d_scale", first_scale, rounded_to_float(truth.d_scale),
                               tolerance(c, Storage::float32));
            test::expect_close(text + " d_shift", first_shift, rounded_to_float(truth.d_shift), 6e-6);
        } else {
            expect_same_bits(text + " d_scale", d_scale.read(), first_scale);
            expect_same_bits(text + " d_shift", d_shift.read(), first_shift);
        }
    }

    NormForward call;
    call.shape = c.shape, call.storage = storage, call.over = c.over;
    call.x = back.x, call.addend = back.addend;
    call.scale = scale.floats(), call.shift = shift.floats();
    call.y = c.frames(in_place ? x : y, gap_y);
    call.workspace = workspace.data();
    test::check(norm_forward(call, nullptr), "norm_forward");
    test::expect_close(text + " y", gathered((in_place ? x : y).read(), c, gap_y), rounded_to_float(truth.y),
                       tolerance(c, storage));
}

GPU_TEST(norm) {
    for (const Storage storage : test::kStorages) {
        for (const Case& c : kCases) {
            // More parts than lanes: they are many numbers, and what is tested has no storage.
            if (c.numbers() > 100000 && storage != Storage::float32) continue;
            try_case(c, storage, false);
            if (c.numbers() < 5000) try_case(c, storage, true);
        }
    }
}

struct GatesCase {
    Case norm;  // over frames; the addend is the hidden convolution
    NormedPart part = NormedPart::sum;
    Activation activation = Activation::tanh;
    bool peephole = false, bias = false, state = true;
};

const GatesCase kGatesCases[] = {
    {{{1, 1, 1, 1}, kFrame, true}},
    {{{2, 5, 7, 8}, kFrame, true}, NormedPart::sum, Activation::tanh, false, true},
    {{{2, 3, 5, 24}, kFrame, true, false, 0, 8}, NormedPart::hidden},
    {{{2, 4, 3, 16}, kFrame, true}, NormedPart::hidden, Activation::relu, true, true, false},
    {{{3, 3, 3, 7}, kFrame, true, false, 0, 5}, NormedPart::hidden, Activation::tanh, true},
    {{{1, 5, 3, 16}, kFrame, true, false, 1}, NormedPart::sum, Activation::tanh, false, true},
    {{{2, 3, 3, 8}, kFrame, false}, NormedPart::hidden},  // no hidden convolution yet
    {{{1, 9, 15, 40}, kFrame, true}},
};

void try_gates(const GatesCase& g, Storage storage, bool in_place) {
    const Case& c = g.norm;
    const std::size_t filters = c.shape.filters, units = c.numbers() / 4, state_frame = c.frame() / 4;
    Truth sums(c, storage);
    Doubles before = sums.y;
    if (g.part == NormedPart::hidden) {
        Case alone = c;
        alone.addend = false;
        Truth hidden(alone, storage);
        hidden.x = sums.addend.empty() ? Floats(c.numbers(), 0.0F) : sums.addend;
        hidden.scale = sums.scale, hidden.shift = sums.shift;
        for (std::size_t start = 0; start < c.numbers(); start += c.length()) hidden.span(start, c.length());
        for (std::size_t i = 0; i < before.size(); ++i) before[i] = hidden.y[i] + sums.x[i];
    }
    const Floats bias = g.bias ? test::random_floats(4 * filters) : Floats();
    const Floats peephole = g.peephole ? test::random_floats(3 * filters) : Floats();
    const Floats c_old = g.state ? test::random_floats(units) : Floats();
    Floats gates(c.numbers()), c_new(units), h(units);
    for (std::size_t unit = 0; unit < units; ++unit) {
        const std::size_t channel = unit % filters, at = unit / filters * 4 * filters + channel;
        const auto pre = [&](std::size_t gate) {
            return static_cast<float>(before[at + gate * filters]) + (g.bias ? bias[gate * filters + channel] : 0.0F);
        };
        LstmPeephole<float> weights{};
        if (g.peephole) weights = {peephole[channel], peephole[filters + channel], peephole[2 * filters + channel]};
        const AnyFunctions<Scalar> functions{Activation::sigmoid, g.activation};
        const LstmUnit<float> now = lstm_forward(functions, LstmGates<float>{pre(0), pre(1), pre(2), pre(3)},
                                                 g.state ? c_old[unit] : 0.0F, weights);
        gates[at] = now.gates.i, gates[at + filters] = now.gates.f;
        gates[at + 2 * filters] = now.gates.g, gates[at + 3 * filters] = now.gates.o;
        c_new[unit] = now.c, h[unit] = now.h;
    }

    const std::string text = "gates " + c.text(storage) + (g.part == NormedPart::sum ? " sum" : " hidden");
    DeviceBuffer input(storage, spread(sums.x, c, Gap::x), c.offset);
    DeviceBuffer kept(storage, c.stride(Gap::y) * c.shape.batch, c.offset);
    const test::Optional hidden(storage, spread(sums.addend, c, Gap::addend), c.offset);
    const Gap gap = in_place ? Gap::x : Gap::y;
    DeviceBuffer scale(Storage::float32, sums.scale, c.offset), shift(Storage::float32, sums.shift, c.offset);
    const test::Optional bias_there(Storage::float32, bias), peephole_there(Storage::float32, peephole),
        c_old_there(Storage::float32, c_old, c.offset);
    DeviceBuffer c_there(Storage::float32, units, c.offset), h_there(storage, units, c.offset);
    DeviceBuffer workspace(Storage::float32, norm_workspace_bytes(c.shape, kFrame) / sizeof(float));
    NormGatesForward call;
    call.part = g.part;
    call.scale = scale.floats(), call.shift = shift.floats(), call.workspace = workspace.data();
    GatesForward& a = call.gates;
    a.shape = c.shape, a.storage = storage;
    a.rules = {g.activation, Activation::sigmoid, peephole_there.floats(), false};
    a.input = c.frames(input, Gap::x), a.hidden = c.frames(hidden.data(), Gap::addend);
    a.bias = bias_there.floats();
    a.c_old = {c_old_there.floats(), static_cast<std::int64_t>(state_frame)};
    a.c = {c_there.floats(), static_cast<std::int64_t>(state_frame)};
    a.h = {h_there.data(), static_cast<std::int64_t>(state_frame)};
    a.gates = c.frames(in_place ? input : kept, gap);
    test::check(norm_gates_forward(call, nullptr), "norm_gates_forward");
    test::expect_close(text + " c", c_there.read(), c_new, 1e-5);
    test::expect_close(text + " h", h_there.read(), h, std::max(1e-5, test::tolerance_of(storage)));
    test::expect_close(text + " gates", gathered((in_place ? input : kept).read(), c, gap), gates,
                       std::max(1e-5, test::tolerance_of(storage)));
}

GPU_TEST(norm_gates) {
    for (const Storage storage : test::kStorages) {
        for (const GatesCase& g : kGatesCases) {
            try_gates(g, storage, false);
            try_gates(g, storage, true);
        }
    }
}

GPU_PROFILE(norm) {
    for (const Storage storage : test::kStorages) {
        for (const int filters : {32, 64, 128, 256, 512}) try_case({{2, 8, 8, filters}, kPixel, true}, storage, false);
        try_case({{2, 8, 8, 32}, kFrame, true}, storage, false);
        try_gates({{{2, 8, 8, 32}, kFrame, true}}, storage, false);
        try_gates({{{2, 8, 8, 32}, kFrame, true}, NormedPart::sum, Activation::relu}, storage, false);
        // Number by number because of a stride alone, so that what is measured is not the offset of the addresses.
        try_case({{1, 8, 8, 32}, kPixel, true, true, 0, 1}, storage, false);
        try_case({{1, 8, 8, 32}, kFrame, true, true, 0, 1}, storage, false);
        try_gates({{{1, 8, 8, 32}, kFrame, true, true, 0, 1}}, storage, false);
    }
}

GPU_TEST(norm_limits) {
    NormForward call;
    call.shape = {1 << 20, 1 << 8, 1 << 8, 1};
    test::expect(norm_forward(call, nullptr) == cudaErrorInvalidValue, "2^36 pixels were taken");
    NormBackward back;
    float one = 0.0F;
    back.shape = {1, 1, 1, 1}, back.d_scale = &one;
    test::expect(norm_backward(back, nullptr) == cudaErrorInvalidValue, "d_scale without d_shift was taken");
}

GPU_TEST(norm_plans) {
    const auto row = [](Storage storage, bool packs, std::int64_t channels, int lanes, int count) {
        const NormRowPlan plan = plan_norm_row(storage, packs, channels);
        test::expect(plan.lanes == lanes && plan.packs == count, "a row of " + std::to_string(channels) + ": " +
                                                                     std::to_string(plan.packs) + " packs in each of " +
                                                                     std::to_string(plan.lanes) + " lanes");
    };
    row(Storage::float32, true, 4, 32, 1);
    row(Storage::float32, true, 128, 32, 1);
    row(Storage::float32, true, 132, 32, 2);
    row(Storage::float32, true, 1024, 32, 8);
    row(Storage::float32, true, 1028, kStreamThreads, 4);
    row(Storage::float32, true, 4096, kStreamThreads, 4);
    row(Storage::float32, true, 4100, 0, 0);
    row(Storage::bfloat16, true, 1024, 32, 4);
    row(Storage::bfloat16, true, 4096, kStreamThreads, 2);
    row(Storage::float16, false, 256, 32, 8);
    row(Storage::float16, false, 260, 0, 0);
    for (const std::int64_t length : {1LL, 4LL, 4096LL, 4100LL, 135036LL, 1048576LL, 2147483644LL}) {
        const NormParts parts = norm_parts(length);
        const std::int64_t chunk = parts.chunk, before = chunk * (parts.parts - 1LL);
        test::expect(
            parts.parts >= 1 && parts.parts <= 128 && chunk % 8 == 0 && before < length && before + chunk >= length,
            "parts of " + std::to_string(length));
        for (const std::int64_t spans : {1LL, 7LL, 100LL, 70000LL, 2147483647LL}) {
            const unsigned groups = norm_groups(length, spans);
            test::expect(groups >= 1 && groups <= spans, "groups of " + std::to_string(spans));
            const Launch launch = plan_norm_groups(length, groups);
            test::expect(launch.grid_x * static_cast<std::int64_t>(launch.block) >= length, "a thread for each item");
            test::expect(launch.grid_y <= 65535, "grid.y of " + std::to_string(launch.grid_y));
            test::expect(plan_norm_parts({}, parts.parts, spans).grid_y <= 65535, "grid.y of parts");
        }
    }
}

}  // namespace
}  // namespace nowcell::cuda
