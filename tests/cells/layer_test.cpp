// What layers do around their equations: initial weights, memory between calls, masks, noise, errors.
#include "cells/bidirectional.h"
#include "cells/conv_gru.h"
#include "cells/conv_lstm.h"
#include "cells/conv_lstm_operator.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>

#include "tests/support/catch.h"

using nowcell::ConvGru;
using nowcell::ConvGruOptions;
using nowcell::ConvLstm;
using nowcell::ConvLstmOptions;
using nowcell::State;

namespace {

ConvLstmOptions options(std::int64_t channels, std::int64_t filters) {
    return {{.input_channels = channels, .filters = filters}};
}

// The message of the c10::Error that the call throws; "" when it throws none.
template <class ErrorType = c10::ValueError, class Call>
std::string message(const Call& call) {
    try {
        call();
    } catch (const ErrorType& error) {
        return error.what_without_backtrace();
    }
    return "";
}

bool says(const std::string& text, const std::vector<std::string>& parts) {
    INFO(text);
    for (const std::string& part : parts) {
        if (text.find(part) == std::string::npos) return false;
    }
    return true;
}

// Autocast on the CPU, also over a test that fails.
struct Autocast {
    Autocast() { at::autocast::set_autocast_enabled(at::kCPU, true); }
    ~Autocast() {
        at::autocast::set_autocast_enabled(at::kCPU, false);
        at::autocast::clear_cache();
    }
    Autocast(const Autocast&) = delete;
    Autocast& operator=(const Autocast&) = delete;
};

}  // namespace

TEST_CASE("a new layer is initialised as Keras does it") {
    at::manual_seed(1);
    const ConvLstm layer(options(1, 40));
    std::int64_t parameters = 0;
    for (const torch::Tensor& parameter : layer.parameters()) parameters += parameter.numel();
    CHECK(parameters == 59200);
    const double limit = layer.weights().input.abs().max().item<double>();
    CHECK(limit <= 0.06436);
    CHECK(limit > 0.06);
    CHECK(layer.weights().bias.sum().item<double>() == 40.0);
    CHECK(layer.weights().bias.narrow(0, 40, 40).min().item<double>() == 1.0);
    ConvLstmOptions half = options(1, 2);
    half.forget_bias = 0.5;
    CHECK(at::equal(ConvLstm(half).weights().bias, at::tensor({0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0}, at::kFloat)));
    // Columns of the (K K F, 4F) matrix are orthonormal when there are more rows than columns, rows otherwise.
    const torch::Tensor matrix = layer.weights().hidden.permute({2, 3, 1, 0}).reshape({360, 160});
    CHECK(at::allclose(at::matmul(matrix.t(), matrix), at::eye(160), 1e-4, 1e-5));
    ConvLstmOptions narrow = options(1, 8);
    narrow.kernel = {1};
    const torch::Tensor wide = ConvLstm(narrow).weights().hidden.flatten(1).t();
    CHECK(at::allclose(at::matmul(wide, wide.t()), at::eye(8), 1e-4, 1e-5));
    const ConvGru gru({{.input_channels = 1, .filters = 4}});
    CHECK(gru.weights().bias.abs().sum().item<double>() == 0.0);
    CHECK((gru.weights().hidden_bias.sizes() == std::vector<std::int64_t>{12}));
}

TEST_CASE("a stateful layer goes on where the last call ended") {
    at::manual_seed(3);
    ConvLstmOptions remembering = options(2, 5);
    remembering.stateful = true;
    ConvLstm layer(remembering);
    const torch::Tensor x = at::randn({2, 7, 2, 6, 5});
    State state;
    const torch::Tensor expected = layer.forward(x, state);
    const torch::Tensor got = at::cat(
        {layer.forward(x.narrow(1, 0, 3)), layer.forward(x.narrow(1, 3, 1)), layer.forward(x.narrow(1, 4, 3))}, 1);
    CHECK(at::allclose(got, expected, 1e-5, 1e-6));
    CHECK(at::allclose(layer.state().c, state.c, 1e-5, 1e-6));
    CHECK(!layer.state().h.requires_grad());
    CHECK(says(message([&] { layer.forward(x.narrow(0, 0, 1)); }), {"batch of 1", "2", "reset_state"}));
    layer.reset_state();
    CHECK(at::allclose(layer.forward(x.narrow(0, 0, 1)), expected.narrow(0, 0, 1), 1e-5, 1e-6));
    // A layer that is not stateful starts anew.
    ConvLstm forgetful(options(2, 5));
    CHECK(at::equal(forgetful.forward(x), forgetful.forward(x)));
}

TEST_CASE("a stateful layer trains on after every call, after inference and after a move") {
    at::manual_seed(3);
    ConvLstmOptions remembering = options(2, 3);
    remembering.stateful = true;
    ConvLstm layer(remembering);
    const torch::Tensor x = at::randn({2, 3, 2, 6, 5});
    const auto step = [&] {
        layer.zero_grad();
        layer.forward(x).sum().backward();
        return layer.weights().hidden.grad().clone();
    };
    // The second gradient is that of the second call alone, from the first one's state as numbers.
    const torch::Tensor first = step();
    State state{layer.state().h.clone(), layer.state().c.clone()};
    const torch::Tensor second = step();
    CHECK(!at::allclose(first, second, 1e-3, 1e-3));
    layer.zero_grad();
    layer.forward(x, state).sum().backward();
    CHECK(at::equal(layer.weights().hidden.grad(), second));

    layer.reset_state();
    {
        const c10::InferenceMode inference;
        layer.forward(x);
    }
    CHECK(at::allclose(step(), second, 1e-4, 1e-4));  // inference may run on another algorithm
    // A layer in double precision goes on from what it remembers in single precision.
    const State single = layer.state();
    layer.to(at::kDouble);
    state = {single.h.to(at::kDouble), single.c.to(at::kDouble)};
    const torch::Tensor expected = layer.forward(x.to(at::kDouble), state);
    CHECK(at::equal(layer.forward(x.to(at::kDouble)), expected));
}

TEST_CASE("a last state may be changed in place before the backward pass") {
    ConvLstm layer(options(2, 3));
    const torch::Tensor x = at::randn({2, 3, 2, 6, 5});
    torch::Tensor expected;
    for (const bool change : {false, true}) {
        State state;
        const torch::Tensor loss = layer.forward(x, state).sum();
        if (change) {
            const c10::NoGradGuard no_grad;
            state.h.zero_();
            state.c.zero_();
        }
        layer.zero_grad();
        loss.backward();
        if (change) CHECK(at::equal(layer.weights().hidden.grad(), expected));
        expected = layer.weights().hidden.grad().clone();
    }
}

TEST_CASE("lengths become masks, and a masked frame may hold anything") {
    at::manual_seed(4);
    const torch::Tensor mask = nowcell::mask_of_lengths(at::tensor({3, 0, 5}, at::kLong), 5);
    CHECK(mask.sum().item<std::int64_t>() == 8);
    CHECK(mask[0][2].item<bool>());
    CHECK(!mask[0][3].item<bool>());
    CHECK(says(message([] { nowcell::mask_of_lengths(at::tensor({6}, at::kLong), 5); }), {"6", "0 to 5"}));
    CHECK(says(message([] { nowcell::mask_of_lengths(at::tensor({1.5}), 5); }), {"lengths are", "integers (B)"}));

    ConvLstm layer(options(2, 3));
    const torch::Tensor x = at::randn({3, 5, 2, 4, 4});
    torch::Tensor broken = x.clone();
    broken.masked_fill_(mask.logical_not().view({3, 5, 1, 1, 1}), std::nan(""));
    State clean, dirty, alone;
    const torch::Tensor expected = layer.forward(x, clean, mask);
    const torch::Tensor got = layer.forward(broken, dirty, mask);
    CHECK(at::equal(got, expected));
    got.sum().backward();
    for (const torch::Tensor& parameter : layer.parameters()) CHECK(parameter.grad().isfinite().all().item<bool>());
    // The short sequence ends in the state of its own last frame; the empty one in none.
    layer.forward(x.narrow(0, 0, 1).narrow(1, 0, 3), alone);
    CHECK(at::allclose(clean.h[0], alone.h[0], 1e-6, 1e-6));
    CHECK(clean.c[1].abs().max().item<double>() == 0.0);
}

TEST_CASE("a mask does not show the given state before the first frame") {
    // Keras: the output before the first true step is zeros, although the state is not.
    ConvLstm layer(options(1, 2));
    State state{at::ones({1, 2, 4, 4}), at::ones({1, 2, 4, 4})};
    const torch::Tensor mask = at::tensor({0, 1, 0}, at::kInt).view({1, 3}).to(at::kBool);
    const torch::Tensor out = layer.forward(at::randn({1, 3, 1, 4, 4}), state, mask);
    CHECK(out[0][0].abs().max().item<double>() == 0.0);
    CHECK(at::equal(out[0][1], out[0][2]));
    CHECK(out[0][1].abs().max().item<double>() > 0.0);
}

TEST_CASE("dropout draws one mask per gate and keeps it over time") {
    at::manual_seed(6);
    ConvLstmOptions dropping = options(1, 64);
    dropping.kernel = {1};
    dropping.dropout = 0.25;
    dropping.bias = false;
    ConvLstm layer(dropping);
    {
        const c10::NoGradGuard no_grad;
        layer.weights().input.fill_(1.0);
        layer.weights().hidden.zero_();
    }
    const torch::Tensor x = at::ones({1, 3, 1, 50, 40});
    State state;
    const torch::Tensor h = layer.forward(x, state).detach();
    // Without a recurrent part c_t = c_{t-1} f + i g with the same i, f, g in every step: two steps tell the third.
    const torch::Tensor pattern = h.select(2, 0);
    const torch::Tensor kept = (pattern[0][0] != 0.0).to(at::kDouble).mean();
    // h is zero where the candidate sees no input: one mask of four.
    CHECK(std::abs(kept.item<double>() - 0.75) < 0.05);
    CHECK(at::equal(pattern[0][0] != 0.0, pattern[0][2] != 0.0));
    // sigmoid(1/0.75) or sigmoid(0) for i, f and o independently, tanh(1/0.75) for g: 2^3 different values and zero.
    CHECK(std::get<0>(at::_unique(pattern[0][2].mul(1e4).round())).numel() == 9);
    CHECK(!at::equal(layer.forward(x, state), h));
    layer.eval();
    State fresh;
    CHECK(std::get<0>(at::_unique(layer.forward(x, fresh)[0][0].mul(1e4).round())).numel() == 1);
}

TEST_CASE("recurrent dropout draws one mask per gate of the hidden state and keeps it over time") {
    at::manual_seed(7);
    ConvLstmOptions dropping = options(1, 1);
    dropping.kernel = {1};
    dropping.recurrent_dropout = 0.4;
    dropping.bias = false;
    dropping.activation = dropping.recurrent_activation = nowcell::Activation::linear;
    ConvLstm layer(dropping);
    {
        const c10::NoGradGuard no_grad;
        layer.weights().input.zero_();
        layer.weights().hidden.fill_(1.0);
    }
    // Linear, h = 1, c = 0 and no input: every gate is its mask times h, so that h_1 = m_o m_i m_g, c_1 = m_i m_g and
    // c_2 = m_f h_1 c_1 + m_i m_g h_1^2.
    const torch::Tensor x = at::zeros({1, 1, 1, 200, 200});
    const torch::Tensor ones = at::ones({1, 1, 200, 200});
    const auto share = [](const torch::Tensor& of) { return of.to(at::kDouble).mean().item<double>(); };
    const auto near = [](const torch::Tensor& a, double b) { return at::allclose(a, at::full_like(a, b), 1e-4, 1e-4); };
    State state{ones, at::zeros_like(ones)};
    const torch::Tensor both = layer.forward(x.expand({1, 2, 1, 200, 200}), state);
    const torch::Tensor h = both.select(1, 0);
    CHECK(std::abs(share(h != 0.0) - 0.6 * 0.6 * 0.6) < 0.01);
    const torch::Tensor kept = h != 0.0;
    CHECK(near(h.masked_select(kept), std::pow(0.6, -3)));
    // The masks of the second step are those of the first: where i, g and o were kept, c_2 tells that of f alone.
    const double from_input = std::pow(0.6, -2) * std::pow(0.6, -6);
    const torch::Tensor forget = (state.c.masked_select(kept) - from_input) / (std::pow(0.6, -3) * std::pow(0.6, -2));
    CHECK(std::abs(share(forget > 0.5) - 0.6) < 0.03);
    CHECK(near(forget.masked_select(forget > 0.5), 1.0 / 0.6));
    CHECK(near(forget.masked_select(forget <= 0.5), 0.0));
    layer.eval();
    State plain{ones, at::zeros_like(ones)};
    CHECK(near(layer.forward(x, plain), 1.0));
}

TEST_CASE("zoneout draws anew at every step") {
    at::manual_seed(8);
    ConvLstmOptions lazy = options(1, 8);
    lazy.zoneout = 0.25;
    lazy.zoneout_cell = 0.4;
    ConvLstm layer(lazy);
    const torch::Tensor x = at::randn({1, 3, 1, 40, 40});
    State state{at::full({1, 8, 40, 40}, 5.0), at::full({1, 8, 40, 40}, 5.0)};
    const torch::Tensor h = layer.forward(x, state);
    const auto stays = [&](std::int64_t step) { return h.select(1, step) == h.select(1, step - 1); };
    const auto share = [](const torch::Tensor& of) { return of.to(at::kDouble).mean().item<double>(); };
    CHECK(std::abs(share(h.select(1, 0) == 5.0) - 0.25) < 0.02);
    CHECK(std::abs(share(stays(1)) - 0.25) < 0.02);
    CHECK(std::abs(share(stays(2)) - 0.25) < 0.02);
    CHECK(std::abs(share(at::logical_and(stays(1), stays(2))) - 0.25 * 0.25) < 0.02);
    // c is still the given one where all three steps kept it.
    CHECK(std::abs(share(state.c == 5.0) - 0.4 * 0.4 * 0.4) < 0.01);
}

TEST_CASE("zoneout keeps a share of the units, and the expected share in evaluation") {
    at::manual_seed(8);
    ConvLstmOptions lazy = options(1, 8);
    lazy.zoneout = 0.2;
    lazy.zoneout_cell = 0.5;
    ConvLstm layer(lazy);
    const State given{at::full({1, 8, 30, 30}, 5.0), at::full({1, 8, 30, 30}, -3.0)};
    State state = given;
    layer.forward(at::randn({1, 1, 1, 30, 30}), state);
    CHECK(std::abs((state.h == 5.0).to(at::kDouble).mean().item<double>() - 0.2) < 0.02);
    CHECK(std::abs((state.c == -3.0).to(at::kDouble).mean().item<double>() - 0.5) < 0.02);
    layer.eval();
    State expected = given;
    State plain = given;
    const torch::Tensor x = at::randn({1, 1, 1, 30, 30});
    layer.forward(x, expected);
    ConvLstm without(options(1, 8));
    {
        const c10::NoGradGuard no_grad;
        for (std::size_t i = 0; i < layer.parameters().size(); ++i) {
            without.parameters()[i].copy_(layer.parameters()[i]);
        }
    }
    without.forward(x, plain);
    CHECK(at::allclose(expected.h, 0.2 * given.h + 0.8 * plain.h, 1e-5, 1e-5));
    CHECK(at::allclose(expected.c, 0.5 * given.c + 0.5 * plain.c, 1e-5, 1e-5));
}

TEST_CASE("both directions are merged as Keras does it") {
    at::manual_seed(9);
    const torch::Tensor x = at::randn({2, 4, 1, 5, 4});
    for (const auto& [name, channels] : {std::pair("concat", 6), {"sum", 3}, {"mean", 3}, {"mul", 3}}) {
        const auto both = nowcell::make_bidirectional<ConvLstm>(options(1, 3), nowcell::merge_from(name));
        std::array<State, 2> states;
        const torch::Tensor out = both->forward(x, states);
        CHECK((out.sizes() == std::vector<std::int64_t>{2, 4, channels, 5, 4}));
        CHECK(both->parameters().size() == 6);
        CHECK(states[1].c.defined());
    }
    CHECK(says(message([] { nowcell::merge_from("ave"); }), {"ave", "mean"}));
    auto forward = std::make_shared<ConvLstm>(options(1, 3));
    CHECK(says(message([&] { nowcell::Bidirectional(forward, forward); }), {"go_backwards"}));
    CHECK(says(message([&] { nowcell::Bidirectional(forward, nullptr); }), {"no backward layer"}));
    const auto beside = [&](const auto& change) {
        ConvLstmOptions o = options(1, 3);
        o.go_backwards = true;
        change(o);
        return message([&] { nowcell::Bidirectional(forward, std::make_shared<ConvLstm>(o)); });
    };
    CHECK(beside([](auto&) {}).empty());
    CHECK(says(beside([](auto& o) { o.input_channels = 2; }), {"input_channels is 1 and 2", "alike"}));
    CHECK(says(beside([](auto& o) { o.filters = 4; }), {"filters is 3 and 4", "alike"}));
    CHECK(says(beside([](auto& o) { o.rank = 1; }), {"rank is 2 and 1"}));
    CHECK(says(beside([](auto& o) { o.kernel = {5, 3}; }), {"kernel is [3, 3] and [5, 3]"}));
    CHECK(says(beside([](auto& o) { o.stride = {2}; }), {"stride is [1, 1] and [2, 2]"}));
    CHECK(says(beside([](auto& o) { o.dilation = {2}; }), {"dilation is [1, 1] and [2, 2]"}));
    CHECK(says(beside([](auto& o) { o.padding = nowcell::Padding::valid; }), {"padding is same and valid"}));
    CHECK(says(beside([](auto& o) { o.return_sequences = false; }), {"returns sequences"}));
    CHECK(says(beside([](auto& o) { o.stateful = true; }), {"stateful"}));
    const auto gru = nowcell::make_bidirectional<ConvGru>(ConvGruOptions{{.input_channels = 1, .filters = 3}});
    std::array<State, 2> states;
    CHECK(gru->forward(x, states).size(2) == 6);
}

TEST_CASE("under autocast a cell computes in autocast's type, and its gradients keep that of the weights") {
    at::manual_seed(10);
    ConvLstm layer(options(2, 3));
    const torch::Tensor x = at::randn({1, 3, 2, 5, 4});
    CHECK(!message<c10::TypeError>([&] { layer.forward(x.to(at::kBFloat16)); }).empty());
    // All that comes with x is cast like it, drawn or given; the backward pass does not care where it is called.
    for (const nowcell::Memory memory : {nowcell::Memory::store, nowcell::Memory::recompute}) {
        ConvLstmOptions noisy = options(2, 3);
        noisy.dropout = 0.5, noisy.recurrent_dropout = 0.5, noisy.zoneout = 0.25, noisy.zoneout_cell = 0.25;
        noisy.peephole = nowcell::Peephole::channel, noisy.norm = nowcell::GateNorm::channels;
        noisy.memory = memory;
        ConvLstm drawing(noisy), drawing_half(noisy);
        const ConvGruOptions gated{{.input_channels = 2, .filters = 3, .zoneout = 0.25, .memory = memory}};
        ConvGru gru(gated), gru_half(gated);
        const torch::Tensor given = at::randn({1, 3, 5, 4});
        const torch::Tensor mask = at::tensor({1, 0, 1}, at::kInt).view({1, 3}).to(at::kBool);
        const auto run = [&](nowcell::RecurrentLayer& cell, bool has_c, at::ScalarType type, bool autocast) {
            const std::optional<Autocast> on = autocast ? std::optional<Autocast>(std::in_place) : std::nullopt;
            at::manual_seed(11);
            State state{given.to(type), has_c ? given.to(type) : torch::Tensor()};
            cell.zero_grad();
            torch::Tensor out = cell.forward(x.to(type), state, mask);
            CHECK(out.scalar_type() == state.h.scalar_type());
            out.sum().backward();
            return std::pair(out, cell.parameters()[1].grad().clone());
        };
        const auto check = [&](nowcell::RecurrentLayer& cell, nowcell::RecurrentLayer& half, bool has_c) {
            const c10::NoGradGuard no_grad;
            for (std::size_t i = 0; i < cell.parameters().size(); ++i) half.parameters()[i].copy_(cell.parameters()[i]);
            half.to(at::kBFloat16);
            const c10::AutoGradMode grad(true);
            for (const bool training : {true, false}) {
                cell.train(training), half.train(training);
                for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
                    const auto [outputs, gradient] = run(cell, has_c, type, true);
                    const auto [half_outputs, half_gradient] = run(half, has_c, at::kBFloat16, false);
                    CHECK(outputs.scalar_type() == at::kBFloat16);
                    CHECK(at::equal(outputs, half_outputs));
                    CHECK(gradient.scalar_type() == at::kFloat);
                    CHECK(at::equal(gradient, half_gradient.to(at::kFloat)));
                }
            }
        };
        check(drawing, drawing_half, true);
        check(gru, gru_half, false);
    }
    // As in PyTorch, float64 is not touched.
    ConvLstm exact(options(2, 3));
    exact.to(at::kDouble);
    const torch::Tensor expected = exact.forward(x.to(at::kDouble));
    {
        const Autocast autocast;
        CHECK(at::equal(exact.forward(x.to(at::kDouble)), expected));
        CHECK(exact.forward(x).scalar_type() == at::kDouble);
    }
    // A layer that is wholly of half precision runs as well, and computes about the same.
    const torch::Tensor full = layer.forward(x);
    layer.to(at::kBFloat16);
    CHECK(at::allclose(layer.forward(x.to(at::kBFloat16)).to(at::kFloat), full, 0.05, 0.05));
}

TEST_CASE("options that make no layer are refused") {
    const auto refused = [](const auto& change) {
        ConvLstmOptions o = options(2, 3);
        change(o);
        return message([&] { ConvLstm layer(o); });
    };
    CHECK(says(refused([](auto& o) { o.filters = 0; }), {"filters", "0", "positive"}));
    CHECK(says(refused([](auto& o) { o.input_channels = -1; }), {"input_channels", "-1"}));
    CHECK(says(refused([](auto& o) { o.rank = 4; }), {"rank", "4", "1, 2 or 3"}));
    CHECK(says(refused([](auto& o) { o.kernel = {3, 3, 3}; }), {"kernel", "[3, 3, 3]", "2"}));
    CHECK(says(refused([](auto& o) { o.kernel = {0}; }), {"kernel", "0"}));
    CHECK(says(refused([](auto& o) { o.stride = {2}, o.dilation = {1, 2}; }), {"stride", "dilation"}));
    CHECK(says(refused([](auto& o) { o.dropout = 1.0; }), {"dropout", "1", "below 1"}));
    CHECK(says(refused([](auto& o) { o.recurrent_dropout = std::nan(""); }), {"recurrent_dropout", "nan"}));
    CHECK(says(refused([](auto& o) { o.zoneout_cell = -0.1; }), {"zoneout_cell", "-0.1"}));
    CHECK(says(refused([](auto& o) { o.peephole = nowcell::Peephole::pixel; }), {"peephole", "frame", "2 sizes"}));
    CHECK(says(refused([](auto& o) { o.norm = nowcell::GateNorm::frame, o.frame = {5}; }), {"norm", "[5]"}));
    CHECK(says(refused([](auto& o) { o.forget_bias = std::nan(""); }), {"forget_bias is nan", "finite"}));
    const auto tied = [](std::vector<std::int64_t> frame) {
        return [frame](auto& o) {
            o.peephole = nowcell::Peephole::pixel, o.padding = nowcell::Padding::valid, o.frame = frame;
        };
    };
    CHECK(says(refused(tied({2, 8})), {"peephole pixel", "frame [2, 8]", "[0, 6]", "positive"}));
    CHECK(says(refused(tied({8, -8})), {"frame [8, -8]", "positive"}));
    const auto far = [](std::int64_t reach) { return [reach](auto& o) { o.dilation = {reach}; }; };
    CHECK(says(refused(far(std::int64_t{1} << 31)), {"dilation is [2147483648, 2147483648]", "at most 2147483647"}));
    CHECK(says(refused(far((std::int64_t{1} << 31) - 1)), {"kernel of [3, 3]", "reaches too far"}));
    CHECK(says(message([] { nowcell::activation_from("swish"); }), {"swish", "hard_sigmoid_keras2"}));
    CHECK(says(message([] { nowcell::padding_from("causal"); }), {"causal", "valid"}));
    CHECK(says(message([] { nowcell::memory_from("all"); }), {"all", "recompute"}));
}

TEST_CASE("tensors that do not fit are named with their shapes") {
    ConvLstm layer(options(2, 3));
    State none;
    const auto refused = [&](const torch::Tensor& x) { return message([&] { layer.forward(x, none); }); };
    CHECK(says(refused(at::zeros({1, 2, 3, 4, 4})), {"x is [1, 2, 3, 4, 4]", "(B,T,2,"}));
    CHECK(says(refused(at::zeros({1, 2, 4, 4})), {"x is [1, 2, 4, 4]"}));
    CHECK(says(refused(at::zeros({1, 0, 2, 4, 4})), {"[1, 0, 2, 4, 4]", "time step"}));
    CHECK(says(refused(at::zeros({})), {"x is []"}));
    CHECK(says(refused({}), {"x is undefined", "(B,T,C,size...)"}));
    const torch::Tensor x = at::zeros({1, 2, 2, 4, 4});
    const auto with_state = [&](State state) { return message([&] { layer.forward(x, state); }); };
    const torch::Tensor fits = at::zeros({1, 3, 4, 4});
    CHECK(says(with_state({at::zeros({1, 3, 5, 4}), fits}), {"state h is [1, 3, 5, 4]", "[1, 3, 4, 4]"}));
    CHECK(says(with_state({fits, at::zeros({2, 3, 4, 4})}), {"state c is [2, 3, 4, 4]", "[1, 3, 4, 4]"}));
    const auto type = [&](const auto& call) { return message<c10::TypeError>(call); };
    CHECK(says(type([&] { layer.forward(x.to(at::kLong), none); }), {"x is Long", "floating"}));
    CHECK(says(type([&] { layer.forward(x.to(at::kDouble), none); }), {"input weight is Float", "Double like x"}));
    CHECK(says(type([&] { layer.forward(x, none, at::ones({1, 2})); }), {"mask is Float", "bool"}));
    CHECK(says(message([&] { layer.forward(x, none, at::ones({2, 1}, at::kBool)); }), {"mask is [2, 1]", "(B,T)"}));
    CHECK(says(message([&] { layer.forward(x.to(at::kMeta), none); }), {"input weight is on cpu", "meta"}));
    CHECK(says(type([&] { layer.forward(x.to_sparse(), none); }), {"x is Sparse", "dense"}));
    State sparse{fits.to_sparse(), fits};
    CHECK(says(type([&] { layer.forward(x, sparse); }), {"state h is Sparse", "dense"}));
    // Before anything is drawn for it.
    ConvLstmOptions noisy = options(2, 3);
    noisy.dropout = noisy.zoneout = 0.5;
    ConvLstm drawing(noisy);
    CHECK(says(type([&] { drawing.forward(x.to(at::kLong), none); }), {"x is Long", "floating"}));
    CHECK(says(message([&] { drawing.forward({}, none); }), {"x is undefined"}));
    ConvLstmOptions tall = options(2, 3);
    tall.kernel = {5};
    tall.padding = nowcell::Padding::valid;
    CHECK(says(message([&] { ConvLstm(tall).forward(x, none); }), {"[4, 4]", "[5, 5]", "same"}));
    ConvLstmOptions tied = options(2, 3);
    tied.peephole = nowcell::Peephole::pixel;
    tied.frame = {6, 6};
    CHECK(says(message([&] { ConvLstm(tied).forward(x, none); }), {"peephole is [3, 3, 6, 6]", "4, 4"}));
    const auto with = [&](const auto& change, const nowcell::SequenceOrder& order = {},
                          const nowcell::CellRules& rules = {}) {
        nowcell::ConvLstmWeights weights = layer.weights();
        nowcell::SequenceNoise noise;
        change(weights, noise);
        State state;
        return message([&] { nowcell::conv_lstm(x, state, weights, rules, noise, order); });
    };
    const torch::Tensor mask = at::ones({1, 2}, at::kBool);
    CHECK(says(with([](auto& w, auto&) { w.peephole = at::zeros({1, 3, 1, 1}); }), {"peephole is [1, 3, 1, 1]", "3"}));
    CHECK(says(with([](auto& w, auto&) { w.norm_input_shift = at::zeros({12}); }), {"scale and shift"}));
    CHECK(says(with(
                   [](auto&, auto& n) {
                       n.keep_h = at::zeros({1, 5, 3, 4, 4});
                   },
                   {mask}),
               {"keep_h is [1, 5, 3, 4, 4]", "x is [1, 2, 2, 4, 4]"}));
    CHECK(says(with([](auto&, auto& n) { n.keep_c = at::zeros({}); }, {mask}), {"keep_c is []", "(B,T,F,size'...)"}));
    CHECK(says(with([](auto&, auto& n) { n.keep_c = at::zeros({1, 1, 4, 1, 1}); }), {"keep_c is [1, 1, 4, 1, 1]"}));
    const auto nothing = [](auto&, auto&) {};
    CHECK(with(nothing, {mask}).empty());
    CHECK(
        says(with(nothing, {}, {{{}, {std::int64_t{1} << 62}}}), {"dilation is [4611686018427387904]", "2 positive"}));
    CHECK(says(with(nothing, {}, {{{}, {1, std::int64_t{1} << 30}}}), {"[1, 1073741824]", "reaches too far"}));
    ConvGru gru({{.input_channels = 2, .filters = 3}});
    State wrong{at::zeros({1, 2, 4, 4}), {}};
    CHECK(says(message([&] { gru.forward(x, wrong); }), {"ConvGru: state h is [1, 2, 4, 4]"}));
}
