// The gate kernels against the mathematics of gate_math.h on the host.
#include "cells/cuda/gates.h"
#include "cells/cuda/scalar.h"
#include "tests/gpu/harness.h"

#include <cmath>

namespace nowcell::cuda {

extern "C" __global__ void __launch_bounds__(256) nowcell_gates_forward_f32_single(GatesForward);
extern "C" __global__ void __launch_bounds__(256) nowcell_gates_backward_f32_single(GatesBackward);

namespace {

using test::DeviceBuffer;
using test::Floats;

struct Case {
    StepShape shape;
    Activation activation = Activation::tanh, recurrent = Activation::sigmoid;
    bool peephole = false, pixel = false, hidden = false, bias = false, state = true, keep = true;
    std::size_t offset = 0;  // of the addresses, in elements
    bool one_block = false;

    std::size_t frame() const { return static_cast<std::size_t>(shape.pixels()) * shape.filters; }
    std::size_t numbers() const { return frame() * shape.batch; }
    std::string text(Storage storage) const {
        return std::string(test::name_of(storage)) + " B" + std::to_string(shape.batch) + " " +
               std::to_string(shape.height) + "x" + std::to_string(shape.width) + " F" + std::to_string(shape.filters) +
               " a" + std::to_string(static_cast<int>(activation)) + std::to_string(static_cast<int>(recurrent)) +
               (peephole ? pixel ? " pixel peephole" : " peephole" : "") + (offset > 0 ? " unaligned" : "");
    }
};

const Case kCases[] = {
    {{1, 1, 1, 1}},
    {{2, 5, 7, 8}, Activation::tanh, Activation::sigmoid, false, false, true, true},
    {{3, 3, 3, 16}, Activation::tanh, Activation::sigmoid, true, false, false, true},
    {{2, 3, 5, 24}, Activation::tanh, Activation::sigmoid, true, true, true, false},
    {{1, 9, 3, 40}, Activation::relu, Activation::sigmoid, false, false, true, true, false},
    {{2, 4, 3, 8}, Activation::tanh, Activation::hard_sigmoid, false, false, true, true, true, false},
    {{2, 4, 3, 16}, Activation::sigmoid, Activation::hard_sigmoid_keras2, true, true, false, true},
    {{1, 5, 5, 8}, Activation::linear, Activation::relu, true, false, false, false},
    {{2, 5, 3, 7}, Activation::tanh, Activation::sigmoid, true, false, true, true},
    {{1, 7, 5, 13}, Activation::relu, Activation::hard_sigmoid, true, true, false, true, false},
    {{2, 3, 5, 16}, Activation::tanh, Activation::sigmoid, false, false, true, true, true, true, 1},
};

// The sums and products of one layer's step in float32, unit by unit.
struct Truth {
    const Case& c;
    Floats input, hidden, bias, peephole, c_old, d_out, d_h, d_c;
    Floats gates, c_new, h, d_gates, d_c_old;

    explicit Truth(const Case& of, Storage s) : c(of) {
        const std::size_t n = c.numbers();
        input = test::rounded(test::random_floats(4 * n, 2.0F), s);
        if (c.hidden) hidden = test::rounded(test::random_floats(4 * n, 2.0F), s);
        if (c.bias) bias = test::random_floats(4 * static_cast<std::size_t>(c.shape.filters));
        if (c.peephole)
            peephole = test::random_floats((c.pixel ? c.frame() : static_cast<std::size_t>(c.shape.filters)) * 3);
        if (c.state) c_old = test::random_floats(n);
        d_out = test::rounded(test::random_floats(n), s);
        d_h = test::rounded(test::random_floats(n), s);
        d_c = test::random_floats(n);
        gates.resize(4 * n), c_new.resize(n), h.resize(n);
        d_gates.resize(4 * n), d_c_old.resize(n);
    }

    template <class Body>
    void for_each_unit(const Body& body) const {
        const std::size_t filters = static_cast<std::size_t>(c.shape.filters);
        const std::size_t pixels = static_cast<std::size_t>(c.shape.pixels());
        for (std::size_t unit = 0; unit < c.numbers(); ++unit) {
            const std::size_t row = unit / filters, channel = unit % filters, gate = row * 4 * filters + channel;
            LstmPeephole<float> weights{};
            if (c.peephole) {
                const std::size_t plane = c.pixel ? pixels * filters : filters;
                const std::size_t at = c.pixel ? row % pixels * filters + channel : channel;
                weights = {peephole[at], peephole[plane + at], peephole[2 * plane + at]};
            }
            body(unit, gate, filters, channel, weights);
        }
    }
    AnyFunctions<Scalar> functions() const { return {c.recurrent, c.activation}; }

    void forward() {
        for_each_unit([&](std::size_t unit, std::size_t gate, std::size_t f, std::size_t channel, auto weights) {
            const auto before = [&](std::size_t g) {
                float sum = input[gate + g * f];
                if (c.hidden) sum += hidden[gate + g * f];
                if (c.bias) sum += bias[g * f + channel];
                return sum;
            };
            const LstmUnit<float> now =
                lstm_forward(functions(), LstmGates<float>{before(0), before(1), before(2), before(3)},
                             c.state ? c_old[unit] : 0.0F, weights);
            gates[gate] = now.gates.i, gates[gate + f] = now.gates.f;
            gates[gate + 2 * f] = now.gates.g, gates[gate + 3 * f] = now.gates.o;
            c_new[unit] = now.c, h[unit] = now.h;
        });
    }
    // From the gates as they are stored.
    void backward(const Floats& stored) {
        for_each_unit([&](std::size_t unit, std::size_t gate, std::size_t f, std::size_t, auto weights) {
            const LstmGradients<float> d = lstm_backward(
                functions(),
                LstmGates<float>{stored[gate], stored[gate + f], stored[gate + 2 * f], stored[gate + 3 * f]},
                c.state ? c_old[unit] : 0.0F, c_new[unit], d_out[unit] + d_h[unit], d_c[unit], weights);
            d_gates[gate] = d.gates.i, d_gates[gate + f] = d.gates.f;
            d_gates[gate + 2 * f] = d.gates.g, d_gates[gate + 3 * f] = d.gates.o;
            d_c_old[unit] = d.c_old;
        });
    }
};

void try_case(const Case& c, Storage storage, bool in_place) {
    Truth truth(c, storage);
    truth.forward();
    const std::size_t n = c.numbers();
    const auto frame = static_cast<std::int64_t>(c.frame());
    const std::string text = c.text(storage) + (in_place ? " in place" : "");
    const double tolerance = test::tolerance_of(storage);
    DeviceBuffer input(storage, truth.input, c.offset), h(storage, n, c.offset), kept(storage, 4 * n, c.offset);
    DeviceBuffer c_new(Storage::float32, n, c.offset);
    const test::Optional hidden(storage, truth.hidden, c.offset), bias(Storage::float32, truth.bias),
        c_old(Storage::float32, truth.c_old, c.offset);
    const test::Optional peephole(Storage::float32, truth.peephole);
    const DeviceBuffer& gates = in_place ? input : kept;

    GatesForward call;
    call.shape = c.shape;
    call.storage = storage;
    call.rules = {c.activation, c.recurrent, peephole.floats(), c.pixel};
    call.input = {input.data(), 4 * frame};
    call.hidden = {hidden.data(), 4 * frame};
    call.bias = bias.floats();
    call.c_old = {c_old.floats(), frame};
    call.c = {c_new.floats(), frame};
    call.h = {h.data(), frame};
    if (c.keep) call.gates = {gates.data(), 4 * frame};
    if (c.one_block) {
        nowcell_gates_forward_f32_single<<<1, 256, 0, nullptr>>>(call);
    } else {
        test::check(gates_forward(call, nullptr), "gates_forward");
    }
    test::expect_close(text + " c", c_new.read(), truth.c_new, 4e-6);
    test::expect_close(text + " h", h.read(), truth.h, tolerance);
    if (!c.keep) return;
    test::expect_close(text + " gates", gates.read(), truth.gates, tolerance);

    truth.backward(gates.read());
    DeviceBuffer d_out(storage, truth.d_out, c.offset), d_h(storage, truth.d_h, c.offset);
    DeviceBuffer d_c(Storage::float32, truth.d_c, c.offset), d_gates(storage, 4 * n, c.offset),
        d_c_old(Storage::float32, n, c.offset);
    GatesBackward back;
    back.shape = c.shape;
    back.storage = storage;
    back.rules = call.rules;
    back.gates = call.gates;
    back.c_old = call.c_old;
    back.c = call.c;
    back.d_out = {d_out.data(), frame};
    back.d_h = {d_h.data(), frame};
    back.d_c = {d_c.floats(), frame};
    back.d_c_old = {in_place ? d_c.floats() : d_c_old.floats(), frame};
    back.d_gates = {in_place ? gates.data() : d_gates.data(), 4 * frame};
    if (c.one_block) {
        nowcell_gates_backward_f32_single<<<1, 256, 0, nullptr>>>(back);
    } else {
        test::check(gates_backward(back, nullptr), "gates_backward");
    }
    test::expect_close(text + " d_gates", in_place ? gates.read() : d_gates.read(), truth.d_gates, tolerance);
    test::expect_close(text + " d_c_old", in_place ? d_c.read() : d_c_old.read(), truth.d_c_old, 1e-5);
}

GPU_TEST(gates) {
    for (const Storage storage : test::kStorages) {
        for (const Case& c : kCases) {
            try_case(c, storage, false);
            try_case(c, storage, true);
        }
    }
}

// As on a device with one block for all: it goes on to the next packs and the next frame.
GPU_TEST(more_items_than_blocks) {
    Case c{{3, 1, 300, 1}};
    c.one_block = true;
    try_case(c, Storage::float32, false);
}

// 32 pixels of 32 channels; of each storage one launch of each kernel, both directions.
GPU_PROFILE(gates) {
    constexpr StepShape kShape = {2, 4, 8, 32};
    constexpr StepShape kUneven = {1, 8, 8, 33};  // number by number
    for (const Storage storage : test::kStorages) {
        try_case({kShape, Activation::tanh, Activation::sigmoid, false, false, true, true}, storage, false);
        try_case({kShape, Activation::tanh, Activation::sigmoid, true, true, true, true}, storage, false);
        try_case({kShape, Activation::relu, Activation::sigmoid, false, false, true, true}, storage, false);
        try_case({kShape, Activation::tanh, Activation::hard_sigmoid, false, false, true, true}, storage, false);
        try_case({kUneven, Activation::tanh, Activation::sigmoid, false, false, true, true}, storage, false);
    }
}

}  // namespace
}  // namespace nowcell::cuda
