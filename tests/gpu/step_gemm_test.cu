// A whole step in one kernel against a convolution by loops and gate_math.h on the host, with the operands rounded as
// the tensor cores read them.
#include "cells/cuda/columns.h"
#include "cells/cuda/scalar.h"
#include "cells/cuda/step_gemm.h"
#include "tests/gpu/harness.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace nowcell::cuda {
namespace {

using test::DeviceBuffer;
using test::Floats;

struct Case {
    StepShape shape;
    KernelSize kernel;
    Activation activation = Activation::tanh;
    bool peephole = false, pixel = false, bias = false, state = true, keep = true;
    std::size_t offset = 0;  // of the addresses, in elements
    Share share = Share::automatic;

    std::size_t filters() const { return static_cast<std::size_t>(shape.filters); }
    std::size_t frame() const { return static_cast<std::size_t>(shape.pixels()) * filters(); }
    std::size_t numbers() const { return frame() * static_cast<std::size_t>(shape.batch); }
    std::size_t taps() const { return static_cast<std::size_t>(kernel.height * kernel.width); }
    std::string text(Storage storage) const {
        return std::string(test::name_of(storage)) + " B" + std::to_string(shape.batch) + " " +
               std::to_string(shape.height) + "x" + std::to_string(shape.width) + " F" + std::to_string(shape.filters) +
               " K" + std::to_string(kernel.height) + "x" + std::to_string(kernel.width);
    }
};

constexpr Activation kTanh = Activation::tanh;
const Case kCases[] = {
    {{1, 1, 1, 1}, {1, 1}},
    {{2, 5, 7, 8}, {3, 3}, kTanh, false, false, true},
    {{1, 9, 9, 16}, {5, 3}, kTanh, true, false, true},
    {{3, 3, 5, 24}, {3, 5}, kTanh, true, true, false},
    {{1, 4, 4, 40}, {1, 1}, Activation::relu, false, false, true, true, false},
    {{2, 7, 5, 7}, {3, 3}, kTanh, true, false, true},
    {{2, 3, 5, 13}, {3, 3}, Activation::relu, true, true, true, true, false},
    {{2, 4, 5, 16}, {3, 3}, kTanh, false, false, true, true, true, 1},
    {{2, 5, 5, 8}, {3, 3}, kTanh, false, false, true, false},
};

// The nearest number of 10 bits behind the point, ties away from zero, as cvt.rna does.
float to_tf32(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof x);
    bits = (bits + 0x1000U) & ~0x1fffU;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

Floats operands(Floats values, Storage storage) {
    if (storage == Storage::float32) {
        for (float& x : values) x = to_tf32(x);
    }
    return values;
}

struct Truth {
    const Case& c;
    Storage storage;
    Floats input, bias, peephole, h_old, c_old, weights;  // weights (4F,F,height,width)
    Floats d_out, d_c, d_gates_next;
    Floats gates, c_new, h, d_gates, d_c_old;

    Truth(const Case& of, Storage s) : c(of), storage(s) {
        const std::size_t n = c.numbers(), f = c.filters();
        const auto stored = [&](std::size_t count, float scale) {
            return test::rounded(test::random_floats(count, scale), s);
        };
        input = stored(4 * n, 1.0F);
        weights = stored(4 * f * f * c.taps(), 0.3F);
        if (c.bias) bias = test::random_floats(4 * f);
        if (c.peephole) peephole = test::random_floats((c.pixel ? c.frame() : f) * 3);
        if (c.state) h_old = stored(n, 1.0F), c_old = test::random_floats(n);
        d_out = stored(n, 1.0F), d_c = test::random_floats(n), d_gates_next = stored(4 * n, 0.5F);
        gates.resize(4 * n), c_new.resize(n), h.resize(n), d_gates.resize(4 * n), d_c_old.resize(n);
    }

    // Adds to `out` (rows of `to` numbers) the convolution of `in` (rows of `from`). flip: the gradient.
    void convolve(const Floats& in, std::size_t from, Floats& out, std::size_t to, bool flip) const {
        const StepShape& s = c.shape;
        const Floats a = operands(in, storage), w = operands(weights, storage);
        for (int b = 0; b < s.batch; ++b)
            for (int y = 0; y < s.height; ++y)
                for (int x = 0; x < s.width; ++x)
                    for (int ky = 0; ky < c.kernel.height; ++ky)
                        for (int kx = 0; kx < c.kernel.width; ++kx) {
                            const int dy = ky - c.kernel.height / 2, dx = kx - c.kernel.width / 2;
                            const int sy = flip ? y - dy : y + dy, sx = flip ? x - dx : x + dx;
                            if (sy < 0 || sy >= s.height || sx < 0 || sx >= s.width) continue;
                            const auto target = static_cast<std::size_t>((b * s.height + y) * s.width + x);
                            const auto source = static_cast<std::size_t>((b * s.height + sy) * s.width + sx);
                            const auto tap = static_cast<std::size_t>(ky * c.kernel.width + kx);
                            for (std::size_t o = 0; o < to; ++o) {
                                float sum = 0.0F;
                                for (std::size_t i = 0; i < from; ++i) {
                                    const std::size_t row = flip ? i : o, column = flip ? o : i;
                                    sum += a[source * from + i] * w[(row * c.filters() + column) * c.taps() + tap];
                                }
                                out[target * to + o] += sum;
                            }
                        }
    }

    LstmPeephole<float> peephole_of(std::size_t unit) const {
        if (!c.peephole) return {};
        const std::size_t plane = c.pixel ? c.frame() : c.filters();
        const std::size_t at = c.pixel ? unit % c.frame() : unit % c.filters();
        return {peephole[at], peephole[plane + at], peephole[2 * plane + at]};
    }
    AnyFunctions<Scalar> functions() const { return {Activation::sigmoid, c.activation}; }

    void forward() {
        const std::size_t f = c.filters();
        Floats before = input;
        if (c.state) convolve(h_old, f, before, 4 * f, false);
        for (std::size_t unit = 0; unit < c.numbers(); ++unit) {
            const std::size_t channel = unit % f, gate = unit / f * 4 * f + channel;
            const auto sum = [&](std::size_t g) {
                return before[gate + g * f] + (c.bias ? bias[g * f + channel] : 0.0F);
            };
            const LstmUnit<float> now = lstm_forward(functions(), LstmGates<float>{sum(0), sum(1), sum(2), sum(3)},
                                                     c.state ? c_old[unit] : 0.0F, peephole_of(unit));
            gates[gate] = now.gates.i, gates[gate + f] = now.gates.f;
            gates[gate + 2 * f] = now.gates.g, gates[gate + 3 * f] = now.gates.o;
            c_new[unit] = now.c, h[unit] = now.h;
        }
    }
    void backward(const Floats& stored) {
        const std::size_t f = c.filters();
        Floats d_h = d_out;
        if (c.state) convolve(d_gates_next, 4 * f, d_h, f, true);
        for (std::size_t unit = 0; unit < c.numbers(); ++unit) {
            const std::size_t gate = unit / f * 4 * f + unit % f;
            const LstmGradients<float> d = lstm_backward(
                functions(),
                LstmGates<float>{stored[gate], stored[gate + f], stored[gate + 2 * f], stored[gate + 3 * f]},
                c.state ? c_old[unit] : 0.0F, c_new[unit], d_h[unit], d_c[unit], peephole_of(unit));
            d_gates[gate] = d.gates.i, d_gates[gate + f] = d.gates.f;
            d_gates[gate + 2 * f] = d.gates.g, d_gates[gate + 3 * f] = d.gates.o;
            d_c_old[unit] = d.c_old;
        }
    }

    // (4F,F,taps) to (taps,4F,F) or (taps,F,4F).
    Floats by_tap(bool columns_first) const {
        const std::size_t f = c.filters();
        Floats turned(weights.size());
        for (std::size_t row = 0; row < 4 * f; ++row)
            for (std::size_t column = 0; column < f; ++column)
                for (std::size_t tap = 0; tap < c.taps(); ++tap) {
                    const std::size_t to =
                        columns_first ? (tap * f + column) * 4 * f + row : (tap * 4 * f + row) * f + column;
                    turned[to] = weights[(row * f + column) * c.taps() + tap];
                }
        return turned;
    }
};

// Numbers of the storage that take up some bytes.
std::size_t numbers(std::size_t bytes, Storage storage) { return bytes / element_bytes(storage); }

void try_case(const Case& c, Storage storage) {
    Truth truth(c, storage);
    truth.forward();
    const std::size_t n = c.numbers();
    const auto frame = static_cast<std::int64_t>(c.frame());
    const std::string text = c.text(storage);
    const double tolerance = std::max(test::tolerance_of(storage), 2e-5);
    DeviceBuffer weights(storage, truth.by_tap(false)), turned(storage, truth.by_tap(true));
    DeviceBuffer packed(storage, numbers(packed_forward_bytes(storage, c.shape.filters, c.kernel), storage));
    DeviceBuffer packed_back(storage, numbers(packed_backward_bytes(storage, c.shape.filters, c.kernel), storage));
    test::check(pack_forward(storage, c.shape.filters, c.kernel, weights.data(), packed.data(), nullptr), "pack");
    test::check(pack_backward(storage, c.shape.filters, c.kernel, turned.data(), packed_back.data(), nullptr), "pack");

    DeviceBuffer input(storage, truth.input, c.offset), h(storage, n, c.offset), gates(storage, 4 * n, c.offset);
    DeviceBuffer c_new(Storage::float32, n, c.offset);
    const test::Optional bias(Storage::float32, truth.bias), peephole(Storage::float32, truth.peephole);
    const test::Optional h_old(storage, truth.h_old, c.offset), c_old(Storage::float32, truth.c_old, c.offset);
    StepForward call;
    call.gates.shape = c.shape;
    call.gates.storage = storage;
    call.gates.rules = {c.activation, Activation::sigmoid, peephole.floats(), c.pixel};
    call.gates.input = {input.data(), 4 * frame};
    call.gates.bias = bias.floats();
    call.gates.c_old = {c_old.floats(), frame};
    call.gates.c = {c_new.floats(), frame};
    call.gates.h = {h.data(), frame};
    if (c.keep) call.gates.gates = {gates.data(), 4 * frame};
    call.kernel = c.kernel;
    call.h_old = {h_old.data(), frame};
    call.weights = packed.data();
    call.share = c.share;
    test::check(step_forward(call, nullptr), "step_forward");
    test::expect_close(text + " c", c_new.read(), truth.c_new, 2e-5);
    test::expect_close(text + " h", h.read(), truth.h, tolerance);
    if (!c.keep) return;
    test::expect_close(text + " gates", gates.read(), truth.gates, tolerance);

    truth.backward(gates.read());
    DeviceBuffer d_out(storage, truth.d_out, c.offset), d_c(Storage::float32, truth.d_c, c.offset);
    DeviceBuffer d_gates(storage, 4 * n, c.offset), d_gates_next(storage, truth.d_gates_next, c.offset);
    StepBackward back;
    back.gates.shape = c.shape;
    back.gates.storage = storage;
    back.gates.rules = call.gates.rules;
    back.gates.gates = call.gates.gates;
    back.gates.c_old = call.gates.c_old;
    back.gates.c = call.gates.c;
    back.gates.d_out = {d_out.data(), frame};
    back.gates.d_c = {d_c.floats(), frame};
    back.gates.d_c_old = {d_c.floats(), frame};
    back.gates.d_gates = {d_gates.data(), 4 * frame};
    back.kernel = c.kernel;
    if (c.state) back.d_gates_next = {d_gates_next.data(), 4 * frame};
    back.weights = packed_back.data();
    back.share = c.share;
    test::check(step_backward(back, nullptr), "step_backward");
    test::expect_close(text + " d_gates", d_gates.read(), truth.d_gates, tolerance);
    test::expect_close(text + " d_c_old", d_c.read(), truth.d_c_old, 2e-5);
}

GPU_TEST(step) {
    for (const Storage storage : test::kStorages) {
        for (const Case& c : kCases) try_case(c, storage);
    }
}

// More tiles than one in both directions, of both sizes; frames end inside a tile.
GPU_TEST(step_of_many_tiles) {
    for (const Share share : {Share::small, Share::large}) {
        try_case({{1, 12, 12, 40}, {3, 3}, kTanh, false, false, true, true, true, 0, share}, Storage::bfloat16);
        try_case({{3, 9, 8, 72}, {1, 1}, kTanh, false, false, true, true, true, 0, share}, Storage::float32);
        try_case({{2, 9, 9, 8}, {3, 1}, kTanh, false, false, true, true, true, 0, share}, Storage::float16);
    }
}

GPU_PROFILE(step) {
    for (const Storage storage : test::kStorages) {
        for (const Share share : {Share::small, Share::large}) {
            try_case({{2, 8, 8, 32}, {3, 3}, kTanh, false, false, true, true, true, 0, share}, storage);
        }
        try_case({{2, 8, 8, 32}, {3, 3}, kTanh, true, true, true}, storage);
        try_case({{2, 8, 8, 32}, {3, 3}, kTanh, true, false, true, true, true, 1}, storage);  // number by number
    }
}

GPU_TEST(columns_of_the_weights) {
    for (const int filters : {1, 16, 17, 40}) {
        std::set<int> seen, seen_states;
        for (int column = 0; column < forward_columns(filters); ++column) {
            const GateColumn at = gate_column(column);
            seen.insert(at.gate * 1000 + at.channel);
        }
        for (int column = 0; column < backward_columns(filters); ++column) seen_states.insert(state_column(column));
        for (int channel = 0; channel < filters; ++channel) {
            for (int gate = 0; gate < 4; ++gate) test::expect(seen.count(gate * 1000 + channel) == 1, "a gate is lost");
            test::expect(seen_states.count(channel) == 1, "a channel is lost");
        }
        test::expect(seen.size() == static_cast<std::size_t>(forward_columns(filters)), "columns share a gate");
    }
}

GPU_TEST(what_does_not_fit_is_refused) {
    StepForward call;
    call.gates.shape = {1, 4, 4, 8};
    call.kernel = {2, 3};
    test::expect(step_forward(call, nullptr) == cudaErrorInvalidValue, "an even kernel was accepted");
    call.kernel = {3, 3};
    call.gates.shape = {1, 65536, 65536, 8};
    test::expect(step_forward(call, nullptr) == cudaErrorInvalidValue, "a frame of 2^35 numbers was accepted");
    call.gates.shape = {1 << 20, 64, 64, 8};
    test::expect(step_forward(call, nullptr) == cudaErrorInvalidValue, "2^32 pixels were accepted");
}

}  // namespace
}  // namespace nowcell::cuda
