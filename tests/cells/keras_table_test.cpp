// Numbers printed by Keras 3.15.1: its own test cases (conv_lstm*_test.py) and layers whose weights and frames are sine
// waves, which see a wrong gate order, kernel orientation, channel order or padding side.
#include "cells/bidirectional.h"
#include "cells/conv_lstm.h"
#include "cells/cpu/engine_use.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/support/catch.h"
#include "tests/support/engine.h"

#include <functional>

using nowcell::Activation;
using nowcell::ConvLstm;
using nowcell::ConvLstmOptions;
using nowcell::Padding;
using nowcell::State;

namespace {

using Sizes = std::vector<std::int64_t>;

// Counting in the order of memory.
torch::Tensor ramp(const Sizes& shape, double divisor) {
    return (at::arange(c10::multiply_integers(shape), at::kDouble) / divisor).view(shape);
}

// scale * sin(a n + b) over the flat index.
torch::Tensor wave(const Sizes& shape, double a, double b, double scale) {
    return (at::sin(at::arange(c10::multiply_integers(shape), at::kDouble) * a + b) * scale).view(shape);
}

// Keras' layouts to ours and back: channels last, kernels (kernel...,C,4F).
torch::Tensor channels_first(const torch::Tensor& x) { return x.movedim(-1, 2); }
torch::Tensor channels_last(const torch::Tensor& x) { return x.movedim(2, -1).contiguous(); }
torch::Tensor state_first(const torch::Tensor& x) { return x.movedim(-1, 1); }
torch::Tensor state_last(const torch::Tensor& x) { return x.movedim(1, -1).contiguous(); }
torch::Tensor kernel_first(const torch::Tensor& kernel) { return kernel.movedim(-1, 0).movedim(-1, 1).contiguous(); }
torch::Tensor kernel_last(const torch::Tensor& kernel) { return kernel.movedim(1, -1).movedim(0, -1).contiguous(); }

// The table's tolerance.
bool near(double got, double expected) {
    INFO("got " << got << ", expected " << expected);
    return std::abs(got - expected) <= 1e-6 * std::max(1.0, std::abs(expected));
}

double total(const torch::Tensor& x) { return x.sum(at::kDouble).item<double>(); }
double first(const torch::Tensor& x) { return x.contiguous().view({-1})[0].item<double>(); }
double last(const torch::Tensor& x) { return x.contiguous().view({-1})[-1].item<double>(); }

struct Row {
    double sum, sum_abs, first, last;
};

// x in Keras' layout.
void check_row(const torch::Tensor& x, const Row& row) {
    CHECK(near(total(x), row.sum));
    CHECK(near(total(x.abs()), row.sum_abs));
    CHECK(near(first(x), row.first));
    CHECK(near(last(x), row.last));
}

ConvLstmOptions constant_options(std::int64_t channels, std::int64_t filters, std::int64_t rank, Padding padding) {
    ConvLstmOptions options;
    options.input_channels = channels;
    options.filters = filters;
    options.rank = rank;
    options.padding = padding;
    options.return_sequences = false;
    return options;
}

// All weights alike; the forget gate's bias is what a new layer has.
void fill_constant(ConvLstm& layer, double kernel, double recurrent, double bias) {
    const c10::NoGradGuard no_grad;
    layer.to(at::kDouble);
    layer.weights().input.fill_(kernel);
    layer.weights().hidden.fill_(recurrent);
    const std::int64_t filters = layer.options().filters;
    const torch::Tensor b = layer.weights().bias;
    b.narrow(0, 0, filters).fill_(bias);
    b.narrow(0, 2 * filters, 2 * filters).fill_(bias);
}

// Options of the sine-filled cases: 3 channels, 2 filters.
ConvLstmOptions wave_options() {
    ConvLstmOptions options;
    options.input_channels = 3;
    options.filters = 2;
    return options;
}

// `shift` is added to the phase of every wave.
void fill_waves(ConvLstm& layer, double shift = 0.0) {
    const c10::NoGradGuard no_grad;
    layer.to(at::kDouble);
    Sizes shape = layer.options().kernel;
    shape.insert(shape.end(), {3, 8});
    layer.weights().input.copy_(kernel_first(wave(shape, 0.53, 0.2 + shift, 0.4)));
    shape[shape.size() - 2] = 2;
    layer.weights().hidden.copy_(kernel_first(wave(shape, 0.29, 0.3 + shift, 0.4)));
    if (layer.weights().bias.defined()) layer.weights().bias.copy_(wave({8}, 0.7, shift, 0.2));
}

torch::Tensor wave_frames() { return channels_first(wave({2, 3, 5, 4, 3}, 0.37, 0.1, 1.0)); }

torch::Tensor run(const ConvLstmOptions& options, State state = {}, const torch::Tensor& mask = {}) {
    ConvLstm layer(options);
    fill_waves(layer);
    return channels_last(layer.forward(wave_frames(), state, mask).detach());
}

}  // namespace

TEST_CASE("Keras' cell, one step") {
    ConvLstm layer(constant_options(3, 4, 2, Padding::same));
    fill_constant(layer, 0.01, 0.02, 0.0);
    const torch::Tensor memory = state_first(ramp({2, 5, 5, 4}, 10.0));
    State state{memory, memory};
    layer.forward(state_first(ramp({2, 5, 5, 3}, 10.0)).unsqueeze(1), state);
    CHECK(near(total(state.h), 188.89502));
    CHECK(near(total(state.c), 2170.444));
}

TEST_CASE("Keras' layer from given states") {
    ConvLstm layer(constant_options(3, 4, 2, Padding::same));
    fill_constant(layer, 0.01, 0.02, 0.0);
    const torch::Tensor memory = state_first(ramp({2, 5, 5, 4}, 100.0));
    State state{memory, memory};
    CHECK(near(total(layer.forward(channels_first(ramp({2, 3, 5, 5, 3}, 100.0)), state)), 119.812454));
}

TEST_CASE("Keras' layers of rank 1, 2 and 3") {
    struct Case {
        Sizes x;
        double divisor;
        std::vector<double> first_sample, second_sample;
    };
    const std::vector<Case> cases = {
        {{2, 3, 4, 5}, 10.0, {0.40807986, 0.46421072}, {0.80933154, 0.8233646}},
        {{2, 3, 4, 4, 5},
         100.0,
         {0.48694518, 0.50237733, 0.5461202, 0.5598283},
         {0.8661607, 0.86909103, 0.8774414, 0.8800861}},
        {{2, 3, 4, 4, 4, 5},
         100.0,
         {0.99149036, 0.99180907, 0.99258363, 0.9927925, 0.99413764, 0.99420583, 0.9943788, 0.9944278},
         std::vector<double>(8, 0.9950547)}};
    for (const Case& c : cases) {
        const auto rank = static_cast<std::int64_t>(c.x.size()) - 3;
        ConvLstm layer(constant_options(5, 2, rank, Padding::valid));
        fill_constant(layer, 0.01, 0.02, 0.03);
        State state;
        const torch::Tensor out = layer.forward(channels_first(ramp(c.x, c.divisor)), state).flatten(2);
        REQUIRE((out.sizes() == Sizes{2, 2, static_cast<std::int64_t>(c.first_sample.size())}));
        for (std::size_t pixel = 0; pixel < c.first_sample.size(); ++pixel) {
            const auto at = static_cast<std::int64_t>(pixel);
            for (const std::int64_t filter : {0, 1}) {
                CHECK(near(out[0][filter][at].item<double>(), c.first_sample[pixel]));
                CHECK(near(out[1][filter][at].item<double>(), c.second_sample[pixel]));
            }
        }
    }
}

TEST_CASE("sine-filled layers: A to M") {
    ConvLstmOptions options = wave_options();
    SECTION("A, plain") {
        const torch::Tensor out = run(options);
        CHECK((out.sizes() == Sizes{2, 3, 5, 4, 2}));
        check_row(out, {-0.892863973, 9.815826234, -0.023289518, -0.012830748});
        CHECK(near(out[0][1][2][1][0].item<double>(), 0.0367532));
        CHECK(near(out[0][1][2][1][1].item<double>(), -0.0057739));
        CHECK(near(out[1][2][4][3][0].item<double>(), 0.0116550));
        CHECK(near(out[1][2][4][3][1].item<double>(), -0.0128307));
        ConvLstm layer(options);
        fill_waves(layer);
        State state;
        layer.forward(wave_frames(), state);
        check_row(state_last(state.h), {-0.2951811, 3.2459040, 0.0275429, -0.0128307});
        check_row(state_last(state.c), {-1.0999331, 7.1959868, 0.0489031, -0.0235883});
    }
    SECTION("B, valid") {
        options.padding = Padding::valid;
        const torch::Tensor out = run(options);
        CHECK((out.sizes() == Sizes{2, 3, 3, 2, 2}));
        check_row(out, {-0.2713244, 3.0505299, -0.0425225, 0.0288156});
    }
    SECTION("C, kernel 2x4") {
        options.kernel = {2, 4};
        check_row(run(options), {-1.4847388, 9.4678857, -0.0181826, -0.0759137});
    }
    SECTION("D, strides 2") {
        options.stride = {2};
        const torch::Tensor out = run(options);
        CHECK((out.sizes() == Sizes{2, 3, 3, 2, 2}));
        check_row(out, {-0.2323477, 2.7943751, -0.0012381, -0.0128921});
    }
    SECTION("F, backwards") {
        options.go_backwards = true;
        check_row(run(options), {-0.7483663, 9.8162623, 0.0033475, -0.0340927});
    }
    SECTION("G, hard_sigmoid of Keras 2") {
        options.recurrent_activation = Activation::hard_sigmoid_keras2;
        check_row(run(options), {-0.6898087, 9.9964798, -0.0238028, -0.0119805});
    }
    SECTION("G3, hard_sigmoid of Keras 3") {
        options.recurrent_activation = Activation::hard_sigmoid;
        check_row(run(options), {-0.5415989, 10.1377839, -0.0241543, -0.0113268});
    }
    SECTION("I, no bias") {
        options.bias = false;
        check_row(run(options), {-1.2959085, 9.8280481, -0.0411194, 0.0093633});
    }
    SECTION("K, given states") {
        const State state{state_first(wave({2, 5, 4, 2}, 0.11, 0.4, 0.5)),
                          state_first(wave({2, 5, 4, 2}, 0.17, 0.6, 0.8))};
        check_row(run(options, state), {1.7389421, 20.2627558, 0.1357640, 0.0536255});
    }
    SECTION("M, three axes") {
        options.rank = 3;
        options.input_channels = 2;
        ConvLstm layer(options);
        {
            const c10::NoGradGuard no_grad;
            layer.to(at::kDouble);
            layer.weights().input.copy_(kernel_first(wave({3, 3, 3, 2, 8}, 0.53, 0.2, 0.4)));
            layer.weights().hidden.copy_(kernel_first(wave({3, 3, 3, 2, 8}, 0.29, 0.3, 0.4)));
            layer.weights().bias.copy_(wave({8}, 0.7, 0.0, 0.2));
        }
        State state;
        const torch::Tensor x = channels_first(wave({1, 2, 3, 4, 3, 2}, 0.37, 0.1, 1.0));
        check_row(channels_last(layer.forward(x, state)), {0.0256412, 4.7741252, -0.0586736, -0.0636875});
    }
    SECTION("masks, both rules for the output") {
        const torch::Tensor mask = at::tensor({1, 1, 0, 1, 0, 1}, at::kInt).view({2, 3}).to(at::kBool);
        const torch::Tensor held = run(options, {}, mask);
        CHECK(near(total(held), -2.3920825));
        CHECK(near(total(held.abs()), 11.9725990));
        options.zero_output_for_mask = true;
        const torch::Tensor zeroed = run(options, {}, mask);
        CHECK(near(total(zeroed), -1.3837335));
        CHECK(near(total(zeroed.abs()), 8.5855099));
        ConvLstm layer(options);
        fill_waves(layer);
        State state;
        layer.forward(wave_frames(), state, mask);
        CHECK(near(total(state.c), -3.1494649));
    }
}

TEST_CASE("N, both directions of a sine-filled layer") {
    ConvLstmOptions options = wave_options();
    auto forward = std::make_shared<ConvLstm>(options);
    fill_waves(*forward);
    options.go_backwards = true;
    auto backward = std::make_shared<ConvLstm>(options);
    fill_waves(*backward, 1.0);
    nowcell::Bidirectional both(forward, backward);
    std::array<State, 2> states;
    const torch::Tensor out = channels_last(both.forward(wave_frames(), states));
    CHECK((out.sizes() == Sizes{2, 3, 5, 4, 4}));
    check_row(out, {-13.3339713, 24.6446217, -0.0232895, 0.0364296});
}

TEST_CASE("S, an even kernel pads behind") {
    // tensorflow#50599: padding the state in front would give 0 instead of 512.
    ConvLstmOptions options = constant_options(1, 1, 2, Padding::valid);
    options.kernel = {1, 2};
    options.activation = options.recurrent_activation = Activation::linear;
    options.return_sequences = true;
    ConvLstm layer(options);
    fill_constant(layer, 1.0, 1.0, 0.0);
    {
        const c10::NoGradGuard no_grad;
        layer.weights().bias.zero_();
    }
    State state;
    const torch::Tensor x = at::tensor({0.0, 0.0, 2.0, 0.0, 0.0, 1.0}, at::kDouble).view({1, 2, 1, 1, 3});
    const torch::Tensor expected = at::tensor({0.0, 8.0, 512.0, 1053.0}, at::kDouble).view({1, 2, 1, 1, 2});
    CHECK(at::equal(layer.forward(x, state), expected));
}

TEST_CASE("gradients of K to ten digits") {
    ConvLstm layer(wave_options());
    fill_waves(layer);
    const torch::Tensor x = wave({2, 3, 5, 4, 3}, 0.37, 0.1, 1.0).requires_grad_(true);
    const torch::Tensor h = wave({2, 5, 4, 2}, 0.11, 0.4, 0.5).requires_grad_(true);
    const torch::Tensor c = wave({2, 5, 4, 2}, 0.17, 0.6, 0.8).requires_grad_(true);
    State state{state_first(h), state_first(c)};
    const torch::Tensor out = layer.forward(channels_first(x), state).movedim(2, -1);
    const torch::Tensor loss = (out * wave({2, 3, 5, 4, 2}, 0.31, 0.2, 1.0)).sum();
    const nowcell::ConvLstmWeights& w = layer.weights();
    const auto d = torch::autograd::grad({loss}, {w.input, w.hidden, w.bias, x, h, c});
    struct Expected {
        torch::Tensor gradient;
        double sum, first, last;
    };
    const std::vector<Expected> rows = {{kernel_last(d[0]), -1.9453902463, -0.4073146428, 0.1634315288},
                                        {kernel_last(d[1]), -1.2041173938, 0.0798615112, 0.1131931967},
                                        {d[2], -1.3843633751, -0.0764622463, -0.3660058271},
                                        {d[3], 0.4197836734, 0.0820560433, 0.2040677084},
                                        {d[4], -3.0739027649, 0.0604115854, -0.3565839033},
                                        {d[5], -0.8760682451, 0.0498331491, -0.4019566788}};
    constexpr double kTolerance = 1e-10;
    CHECK(std::abs(loss.item<double>() - -0.7802599119) < kTolerance);
    for (const Expected& row : rows) {
        CHECK(std::abs(total(row.gradient) - row.sum) < kTolerance);
        CHECK(std::abs(first(row.gradient) - row.first) < kTolerance);
        CHECK(std::abs(last(row.gradient) - row.last) < kTolerance);
    }
}

TEST_CASE("engine: the sine-filled layers in single precision", "[engine]") {
    const torch::Tensor mask = at::tensor({1, 1, 0, 1, 0, 1}, at::kInt).view({2, 3}).to(at::kBool);
    const State start{state_first(wave({2, 5, 4, 2}, 0.11, 0.4, 0.5)), state_first(wave({2, 5, 4, 2}, 0.17, 0.6, 0.8))};
    using Change = std::function<void(ConvLstmOptions&)>;
    struct Case {
        std::string name;
        Change change;
        Row row;
        bool from_state = false, masked = false;
    };
    // The rows of "sine-filled layers" that the kernels can compute.
    const std::vector<Case> cases = {
        {"A", [](auto&) {}, {-0.892863973, 9.815826234, -0.023289518, -0.012830748}},
        {"F", [](auto& o) { o.go_backwards = true; }, {-0.7483663, 9.8162623, 0.0033475, -0.0340927}},
        {"G",
         [](auto& o) { o.recurrent_activation = Activation::hard_sigmoid_keras2; },
         {-0.6898087, 9.9964798, -0.0238028, -0.0119805}},
        {"G3",
         [](auto& o) { o.recurrent_activation = Activation::hard_sigmoid; },
         {-0.5415989, 10.1377839, -0.0241543, -0.0113268}},
        {"I", [](auto& o) { o.bias = false; }, {-1.2959085, 9.8280481, -0.0411194, 0.0093633}},
        {"K", [](auto&) {}, {1.7389421, 20.2627558, 0.1357640, 0.0536255}, true},
        {"mask", [](auto&) {}, {-2.3920825, 11.9725990, 0.0, 0.0}, false, true},
        {"mask, zeros", [](auto& o) { o.zero_output_for_mask = true; }, {-1.3837335, 8.5855099, 0.0, 0.0}, false, true},
    };
    for (const nowcell::Algorithm algorithm : engines_for(3)) {
        for (const Case& c : cases) {
            INFO(c.name << ", " << name_of(algorithm));
            ConvLstmOptions options = wave_options();
            options.algorithm = algorithm;
            c.change(options);
            ConvLstm layer(options);
            fill_waves(layer);
            layer.to(at::kFloat);
            State state;
            if (c.from_state) state = {start.h.to(at::kFloat), start.c.to(at::kFloat)};
            nowcell::forget_engine_uses();
            const torch::Tensor frames = wave_frames().to(at::kFloat);
            const torch::Tensor out = channels_last(layer.forward(frames, state, c.masked ? mask : torch::Tensor()));
            CHECK(not_computed_by(algorithm, false) == "");
            CHECK(std::abs(total(out) - c.row.sum) <= kStateTolerance);
            CHECK(std::abs(total(out.abs()) - c.row.sum_abs) <= kStateTolerance);
            if (c.masked) continue;
            CHECK(std::abs(first(out) - c.row.first) <= kStateTolerance);
            CHECK(std::abs(last(out) - c.row.last) <= kStateTolerance);
        }
    }
}
