#include "cells/conv_lstm.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "tests/support/catch.h"

#include <vector>

using Catch::Approx;
using nowcell::ConvLstm;
using nowcell::ConvLstmWeights;
using nowcell::State;

namespace {

torch::Tensor ramp(std::vector<std::int64_t> shape, double divisor) {
    return (at::arange(c10::multiply_integers(shape), at::kDouble) / divisor).view(shape);
}

// scale * sin(a n + b) over the flat index.
torch::Tensor wave(std::vector<std::int64_t> shape, double a, double b, double scale) {
    return (at::sin(at::arange(c10::multiply_integers(shape), at::kDouble) * a + b) * scale).view(shape);
}

torch::Tensor channels_first(const torch::Tensor& x) { return x.permute({0, 1, 4, 2, 3}); }

torch::Tensor kernel(const torch::Tensor& keras) { return keras.permute({3, 2, 0, 1}).contiguous(); }

ConvLstmWeights waves(std::int64_t side = 3) {
    return {kernel(wave({side, side, 3, 8}, 0.53, 0.2, 0.4)), kernel(wave({side, side, 2, 8}, 0.29, 0.3, 0.4)),
            wave({8}, 0.7, 0.0, 0.2)};
}

torch::Tensor wave_input() { return channels_first(wave({2, 3, 5, 4, 3}, 0.37, 0.1, 1.0)); }

double total(const torch::Tensor& x) { return x.sum().item<double>(); }
double total_abs(const torch::Tensor& x) { return x.abs().sum().item<double>(); }

}  // namespace

TEST_CASE("one step equals Keras' cell test") {
    // Keras 3.15.1 conv_lstm_test.py: constant weights .01 and .02, forget bias 1.
    const torch::Tensor x = ramp({2, 5, 5, 3}, 10.0).permute({0, 3, 1, 2}).unsqueeze(1);
    const torch::Tensor memory = ramp({2, 5, 5, 4}, 10.0).permute({0, 3, 1, 2});
    torch::Tensor bias = at::zeros({16}, at::kDouble);
    bias.narrow(0, 4, 4).fill_(1.0);
    State state{memory, memory};
    nowcell::conv_lstm_reference(
        x, state, {at::full({16, 3, 3, 3}, 0.01, at::kDouble), at::full({16, 4, 3, 3}, 0.02, at::kDouble), bias});
    CHECK(total(state.h) == Approx(188.89502).epsilon(1e-6));
    CHECK(total(state.c) == Approx(2170.444).epsilon(1e-6));
}

TEST_CASE("a sequence from given states equals Keras' layer test") {
    const torch::Tensor x = channels_first(ramp({2, 3, 5, 5, 3}, 100.0));
    const torch::Tensor memory = ramp({2, 5, 5, 4}, 100.0).permute({0, 3, 1, 2});
    torch::Tensor bias = at::zeros({16}, at::kDouble);
    bias.narrow(0, 4, 4).fill_(1.0);
    State state{memory, memory};
    nowcell::conv_lstm_reference(
        x, state, {at::full({16, 3, 3, 3}, 0.01, at::kDouble), at::full({16, 4, 3, 3}, 0.02, at::kDouble), bias});
    CHECK(total(state.h) == Approx(119.812454).epsilon(1e-6));
}

TEST_CASE("sine-filled weights see gate order, orientation and channel order") {
    State state;
    const torch::Tensor out = nowcell::conv_lstm_reference(wave_input(), state, waves());
    REQUIRE(out.sizes() == std::vector<std::int64_t>({2, 3, 2, 5, 4}));
    CHECK(total(out) == Approx(-0.892863973).margin(1e-6));
    CHECK(total_abs(out) == Approx(9.815826234).margin(1e-6));
    CHECK(out[0][0][0][0][0].item<double>() == Approx(-0.023289518).margin(1e-6));
    CHECK(out[0][1][0][2][1].item<double>() == Approx(0.0367532).margin(1e-6));
    CHECK(out[0][1][1][2][1].item<double>() == Approx(-0.0057739).margin(1e-6));
    CHECK(total(state.h) == Approx(-0.2951811).margin(1e-6));
    CHECK(total(state.c) == Approx(-1.0999331).margin(1e-6));
}

TEST_CASE("initial states and a missing bias equal Keras") {
    State state{wave({2, 5, 4, 2}, 0.11, 0.4, 0.5).permute({0, 3, 1, 2}),
                wave({2, 5, 4, 2}, 0.17, 0.6, 0.8).permute({0, 3, 1, 2})};
    CHECK(total(nowcell::conv_lstm_reference(wave_input(), state, waves())) == Approx(1.7389421).margin(1e-6));
    State empty;
    ConvLstmWeights no_bias = waves();
    no_bias.bias = torch::Tensor();
    CHECK(total(nowcell::conv_lstm_reference(wave_input(), empty, no_bias)) == Approx(-1.2959085).margin(1e-6));
}

TEST_CASE("an even kernel pads bottom and right") {
    // A 2x2 kernel that picks its first tap copies the frame; one that picks its last tap shifts it up and left.
    const torch::Tensor x = ramp({1, 1, 3, 4}, 1.0);
    torch::Tensor first = at::zeros({1, 1, 2, 2}, at::kDouble);
    first[0][0][0][0] = 1.0;
    CHECK(at::equal(nowcell::conv_same(x, first, {}), x));
    torch::Tensor last = at::zeros({1, 1, 2, 2}, at::kDouble);
    last[0][0][1][1] = 1.0;
    const torch::Tensor shifted = nowcell::conv_same(x, last, {});
    CHECK(shifted[0][0][0][0].item<double>() == 5.0);
    CHECK(shifted[0][0][2].abs().sum().item<double>() == 0.0);
}

TEST_CASE("a sequence fed in pieces equals the sequence fed whole") {
    at::manual_seed(3);
    ConvLstm layer({2, 5, 3, 1.0});
    const torch::Tensor x = at::randn({2, 7, 2, 6, 5});
    const c10::NoGradGuard no_grad;
    State whole;
    const torch::Tensor expected = layer.forward(x, whole);
    State pieces;
    const torch::Tensor got =
        at::cat({layer.forward(x.narrow(1, 0, 3), pieces), layer.forward(x.narrow(1, 3, 1), pieces),
                 layer.forward(x.narrow(1, 4, 3), pieces)},
                1);
    CHECK(at::allclose(got, expected, 1e-5, 1e-6));
    CHECK(at::allclose(pieces.c, whole.c, 1e-5, 1e-6));
}

TEST_CASE("gradients of the reference equal finite differences") {
    ConvLstmWeights weights = waves();
    for (torch::Tensor* parameter : {&weights.input, &weights.hidden, &weights.bias}) parameter->requires_grad_(true);
    const torch::Tensor probe = wave({2, 3, 2, 5, 4}, 0.31, 0.2, 1.0);
    const auto loss = [&] {
        State state;
        return (nowcell::conv_lstm_reference(wave_input(), state, weights) * probe).sum();
    };
    loss().backward();
    const c10::NoGradGuard no_grad;
    constexpr double kStep = 1e-6;
    for (torch::Tensor* parameter : {&weights.input, &weights.hidden, &weights.bias}) {
        torch::Tensor flat = parameter->view({-1});
        for (const std::int64_t at : {std::int64_t{0}, flat.numel() / 2, flat.numel() - 1}) {
            const double value = flat[at].item<double>();
            flat[at] = value + kStep;
            const double above = loss().item<double>();
            flat[at] = value - kStep;
            const double below = loss().item<double>();
            flat[at] = value;
            const double numeric = (above - below) / (2.0 * kStep);
            CHECK(parameter->grad().view({-1})[at].item<double>() == Approx(numeric).margin(1e-7));
        }
    }
}

TEST_CASE("a new layer is initialised as Keras does it") {
    at::manual_seed(1);
    const ConvLstm layer({1, 40, 3, 1.0});
    std::int64_t parameters = 0;
    for (const torch::Tensor& parameter : layer.parameters()) parameters += parameter.numel();
    CHECK(parameters == 59200);
    const double limit = layer.weights().input.abs().max().item<double>();
    CHECK(limit <= 0.06436);
    CHECK(limit > 0.06);
    CHECK(total(layer.weights().bias) == 40.0);
    CHECK(layer.weights().bias.narrow(0, 40, 40).min().item<double>() == 1.0);
    // Columns of the (K K F, 4F) matrix are orthonormal when there are more rows than columns.
    const torch::Tensor matrix = layer.weights().hidden.permute({2, 3, 1, 0}).reshape({360, 160});
    CHECK(at::allclose(at::matmul(matrix.t(), matrix), at::eye(160), 1e-4, 1e-5));
}

TEST_CASE("shapes that do not fit are refused with numbers") {
    ConvLstm layer({2, 3, 3, 1.0});
    State state;
    CHECK_THROWS_AS(layer.forward(at::zeros({1, 2, 3, 4, 4}), state), c10::ValueError);
    CHECK_THROWS_AS(layer.forward(at::zeros({1, 2, 4, 4}), state), c10::ValueError);
    CHECK_THROWS_AS(layer.forward(at::zeros({1, 0, 2, 4, 4}), state), c10::ValueError);
    State wrong{at::zeros({1, 3, 5, 4}), at::zeros({1, 3, 5, 4})};
    CHECK_THROWS_AS(layer.forward(at::zeros({1, 1, 2, 4, 4}), wrong), c10::ValueError);
    CHECK_THROWS_AS(ConvLstm({0, 3, 3, 1.0}), c10::ValueError);
}
