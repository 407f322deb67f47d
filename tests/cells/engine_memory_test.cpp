// The CPU's kernels and memory: layouts of frames and gradients, weights that change, calls at the same time, streams.
#include "cells/conv_lstm.h"
#include "cells/cpu/engine_use.h"
#include "cells/frame_layout.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/sgd.h>

#include "tests/support/catch.h"
#include "tests/support/engine.h"

#include <cstring>
#include <functional>
#include <thread>

using nowcell::Algorithm;
using nowcell::ConvLstm;
using nowcell::ConvLstmOptions;
using nowcell::Memory;
using nowcell::State;

namespace {

// As a user has them who keeps frames (...,H,W,C). A copy: contiguous() would leave the stride of a single channel.
torch::Tensor channels_last(const torch::Tensor& x) {
    const torch::Tensor last = x.movedim(-3, -1);
    return at::empty(last.sizes(), x.options().requires_grad(false)).copy_(last.detach()).movedim(-1, -3);
}

// The same numbers, apart from each other in memory along an axis.
torch::Tensor spread(const torch::Tensor& x, std::int64_t axis) {
    const torch::Tensor wide = at::full_like(x, 1e30).repeat_interleave(2, axis);
    const torch::Tensor view = wide.slice(axis, 0, wide.size(axis), 2);
    view.copy_(x);
    return view;
}

torch::Tensor leaf(const torch::Tensor& x) { return x.detach().requires_grad_(true); }

struct Layout {
    std::string name;
    std::function<torch::Tensor(const torch::Tensor&)> lay;
    bool last;  // the output has channels last
};

const std::vector<Layout> kLayouts = {
    {"contiguous", [](const torch::Tensor& x) { return x.clone(); }, false},
    {"channels last", channels_last, true},
    {"steps apart", [](const torch::Tensor& x) { return spread(x, 1); }, false},
    {"items apart", [](const torch::Tensor& x) { return spread(x, 0); }, false},
    {"time first", [](const torch::Tensor& x) { return x.transpose(0, 1).contiguous().transpose(0, 1); }, false},
    {"part of a sequence",
     [](const torch::Tensor& x) {
         return at::cat({x, x, x}, 1).narrow(1, x.size(1), x.size(1));
     },
     false},
    {"part of a sequence, channels last",
     [](const torch::Tensor& x) {
         return channels_last(at::cat({x, x, x}, 1)).narrow(1, x.size(1), x.size(1));
     },
     true},
    {"rows apart", [](const torch::Tensor& x) { return spread(x, 3); }, false},
    {"pixels apart", [](const torch::Tensor& x) { return spread(x, 4); }, false},
    {"some channels of more, channels last",
     [](const torch::Tensor& x) {
         return channels_last(at::cat({x, x}, 2)).narrow(2, x.size(2), x.size(2));
     },
     false},
    {"some channels of more",
     [](const torch::Tensor& x) {
         return at::cat({x, x}, 2).narrow(2, x.size(2), x.size(2));
     },
     false},
    {"height and width exchanged", [](const torch::Tensor& x) { return x.mT().contiguous().mT(); }, false},
};

}  // namespace

TEST_CASE("engine: layout of the frames", "[engine]") {
    for (const std::int64_t channels : {1, 3, 17}) {
        for (const std::int64_t kernel : {3, 5}) {
            const CellCall call = random_call({3, 4, channels, 5, 6, 7, kernel}, 21);
            const CellAnswer exact = answer_of_definition(call.copy(at::kDouble));
            for (const Algorithm algorithm : engines_for(kernel)) {
                for (const int threads : {1, 2}) {
                    const Threads scope(threads);
                    for (const Layout& layout : kLayouts) {
                        INFO(layout.name << ", " << channels << " channels, " << name_of(algorithm) << ", " << threads);
                        CellCall laid = call.copy(at::kFloat);
                        laid.x = leaf(layout.lay(call.x.detach()));
                        REQUIRE(at::equal(laid.x, call.x));
                        nowcell::forget_engine_uses();
                        const CellAnswer got = answer_of(laid, algorithm, Memory::store);
                        CHECK(not_computed_by(algorithm) == "");
                        CHECK(misses(got, exact, laid.leaf_names()) == "");
                        const torch::Tensor& h = got.values[0];
                        // A slice of one channel has no layout of its own.
                        if (channels == 1 && layout.name.starts_with("some channels")) continue;
                        CHECK(nowcell::is_channels_last(h) == layout.last);
                        CHECK((h.is_contiguous() || channels_last(h).strides() == h.strides()));
                    }
                }
            }
        }
    }
}

TEST_CASE("engine: layout of states, weights and what is shared by items", "[engine]") {
    const CellCall call = random_call({3, 3, 2, 5, 6, 7, 3}, 22);
    const CellAnswer exact = answer_of_definition(call.copy(at::kDouble));
    for (const Algorithm algorithm : engines_for(3)) {
        INFO(name_of(algorithm));
        const auto check = [&](const std::string& what, const std::function<void(CellCall&)>& change) {
            INFO(what);
            CellCall laid = call.copy(at::kFloat);
            change(laid);
            nowcell::forget_engine_uses();
            const CellAnswer got = answer_of(laid, algorithm, Memory::store);
            CHECK(not_computed_by(algorithm) == "");
            CHECK(misses(got, exact, laid.leaf_names()) == "");
        };
        check("states with channels last", [](CellCall& c) {
            c.state = {leaf(channels_last(c.state.h.detach())), leaf(channels_last(c.state.c.detach()))};
        });
        check("states apart", [](CellCall& c) {
            c.state = {leaf(spread(c.state.h.detach(), 0)), leaf(spread(c.state.c.detach(), 3))};
        });
        check("weights with channels last", [](CellCall& c) {
            c.weights.input = leaf(channels_last(c.weights.input.detach()));
            c.weights.hidden = leaf(channels_last(c.weights.hidden.detach()));
        });
        check("bias apart", [](CellCall& c) { c.weights.bias = leaf(spread(c.weights.bias.detach(), 0)); });
    }
    // One item and one state for all: strides of zero.
    const CellCall one = random_call({1, 3, 2, 5, 6, 7, 3}, 23);
    CellCall repeated = one.copy(at::kDouble);
    repeated.x = leaf(one.x.detach().to(at::kDouble).repeat({3, 1, 1, 1, 1}));
    repeated.state = {leaf(one.state.h.detach().to(at::kDouble).repeat({3, 1, 1, 1})),
                      leaf(one.state.c.detach().to(at::kDouble).repeat({3, 1, 1, 1}))};
    const CellAnswer expected = answer_of_definition(repeated);
    for (const Algorithm algorithm : engines_for(3)) {
        CellCall expanded = one.copy(at::kFloat);
        expanded.x = leaf(one.x.detach().expand({3, 3, 2, 6, 7}));
        expanded.state = {leaf(one.state.h.detach().expand({3, 5, 6, 7})),
                          leaf(one.state.c.detach().expand({3, 5, 6, 7}))};
        nowcell::forget_engine_uses();
        const CellAnswer got = answer_of(expanded, algorithm, Memory::store);
        CHECK(not_computed_by(algorithm) == "");
        CHECK(misses(got, expected, expanded.leaf_names()) == "");
    }
}

TEST_CASE("engine: the output has the layout of the frames whatever else is asked", "[engine]") {
    at::manual_seed(4);
    for (const Algorithm algorithm : engines_for(3)) {
        for (const std::int64_t channels : {1, 3}) {
            for (const bool last : {false, true}) {
                for (const bool backwards : {false, true}) {
                    for (const bool masked : {false, true}) {
                        INFO(name_of(algorithm) << ", " << channels << (last ? " last" : " first")
                                                << (backwards ? " backwards" : "") << (masked ? " masked" : ""));
                        ConvLstmOptions options;
                        options.input_channels = channels;
                        options.filters = 5;
                        options.algorithm = algorithm;
                        options.go_backwards = backwards;
                        ConvLstm layer(options);
                        const torch::Tensor x = at::randn({2, 3, channels, 6, 7});
                        const torch::Tensor mask = masked ? at::ones({2, 3}, at::kBool) : torch::Tensor();
                        State state;
                        const torch::Tensor h = layer.forward(leaf(last ? channels_last(x) : x), state, mask);
                        CHECK(nowcell::is_channels_last(h) == last);
                        CHECK(h.is_contiguous() == !last);
                    }
                }
            }
        }
    }
}

TEST_CASE("engine: however the gradient arrives", "[engine]") {
    const CellCall call = random_call({2, 4, 3, 5, 6, 7, 3}, 31);
    struct Loss {
        std::string name;
        std::function<torch::Tensor(const torch::Tensor& h, const State& last)> of;
    };
    const std::vector<std::int64_t> sizes = {2, 4, 5, 6, 7};
    const torch::Tensor probe = at::sin(at::arange(2 * 4 * 5 * 6 * 7, at::kDouble) * 0.37).view(sizes);
    const auto like = [](const torch::Tensor& tensor, const torch::Tensor& h) { return tensor.to(h.scalar_type()); };
    const std::vector<Loss> losses = {
        {"expanded", [](const torch::Tensor& h, const State&) { return h.sum(); }},
        {"expanded over channels", [](const torch::Tensor& h, const State&) { return h.sum(2).square().sum(); }},
        {"contiguous", [&](const torch::Tensor& h, const State&) { return (h * like(probe, h)).sum(); }},
        {"channels last",
         [&](const torch::Tensor& h, const State&) { return (h * like(channels_last(probe), h)).sum(); }},
        {"channels last by a view",
         [&](const torch::Tensor& h, const State&) {
             return (h.movedim(2, -1).contiguous() * like(probe.movedim(2, -1), h)).sum();
         }},
        {"from the last step", [](const torch::Tensor& h, const State&) { return h.select(1, 3).square().sum(); }},
        {"from the second step", [](const torch::Tensor& h, const State&) { return h.select(1, 1).square().sum(); }},
        {"from every second step", [](const torch::Tensor& h, const State&) { return h.slice(1, 0, 4, 2).sum(); }},
        {"from one pixel", [](const torch::Tensor& h, const State&) { return h[1][2][4][5][6] + 0.0; }},
        {"from the last h", [](const torch::Tensor&, const State& last) { return last.h.square().sum(); }},
        {"from the last c", [](const torch::Tensor&, const State& last) { return last.c.square().sum(); }},
        {"from both last states, expanded",
         [](const torch::Tensor&, const State& last) { return last.h.sum() + last.c.sum(); }},
        {"time first",
         [](const torch::Tensor& h, const State&) { return h.transpose(0, 1).contiguous().square().sum(); }},
    };
    const auto gradients = [](const CellCall& c, const Loss& loss, Algorithm algorithm, Memory memory) {
        State state = c.state;
        const torch::Tensor h = nowcell::conv_lstm(c.x, state, c.weights, {}, {}, {}, memory, algorithm);
        return torch::autograd::grad({loss.of(h, state)}, c.leaves());
    };
    for (const Loss& loss : losses) {
        const auto exact = gradients(call.copy(at::kDouble), loss, Algorithm::reference, Memory::store);
        for (const bool last : {false, true}) {
            CellCall laid = call.copy(at::kFloat);
            if (last) laid.x = leaf(channels_last(laid.x.detach()));
            for (const Algorithm algorithm : engines_for(3)) {
                for (const Memory memory : {Memory::store, Memory::recompute}) {
                    INFO(loss.name << ", frames " << (last ? "last" : "first") << ", " << name_of(algorithm));
                    nowcell::forget_engine_uses();
                    const auto got = gradients(laid, loss, algorithm, memory);
                    CHECK(not_computed_by(algorithm) == "");
                    for (std::size_t i = 0; i < got.size(); ++i) {
                        INFO(laid.leaf_names()[i]);
                        CHECK(relative_error(got[i], exact[i]) <= kGradientTolerance);
                    }
                }
            }
        }
    }
}

TEST_CASE("engine: gradients do not touch what they are made from", "[engine]") {
    for (const std::int64_t kernel : {1, 3, 7}) {
        CellCall call = random_call({2, 3, 3, 5, 6, 7, kernel}, 33);
        for (const bool last : {false, true}) {
            if (last) call.x = leaf(channels_last(call.x.detach()));
            for (const Algorithm algorithm : engines_for(kernel)) {
                std::vector<torch::Tensor> before;
                for (const torch::Tensor& tensor : call.leaves()) before.push_back(tensor.detach().clone());
                State state = call.state;
                const torch::Tensor h =
                    nowcell::conv_lstm(call.x, state, call.weights, {}, {}, {}, Memory::store, algorithm);
                const torch::Tensor outputs = h.detach().clone();
                const torch::Tensor gradient = at::randn_like(h);
                const torch::Tensor given = gradient.clone();
                torch::autograd::grad({h}, call.leaves(), {gradient});
                CHECK(at::equal(gradient, given));
                CHECK(at::equal(h, outputs));
                for (std::size_t i = 0; i < before.size(); ++i) CHECK(at::equal(call.leaves()[i], before[i]));
            }
        }
    }
}

namespace {

// Outputs and gradients must be those of the weights as they are now.
void check_current(const CellCall& call, Algorithm algorithm) {
    const CellAnswer exact = answer_of_definition(call.copy(at::kDouble));
    nowcell::forget_engine_uses();
    const CellAnswer got = answer_of(call, algorithm, Memory::store);
    CHECK(not_computed_by(algorithm) == "");
    CHECK(misses(got, exact, call.leaf_names()) == "");
    const c10::NoGradGuard no_grad;
    CHECK(largest_difference(answer_of(call, algorithm, Memory::store, false).values[0], exact.values[0]) <=
          kStateTolerance);
}

std::vector<torch::Tensor> parameters_of(const CellCall& call) {
    return {call.weights.input, call.weights.hidden, call.weights.bias};
}

}  // namespace

TEST_CASE("engine: weights that change are seen", "[engine]") {
    for (const std::int64_t filters : {5, 24}) {  // few numbers, and so many that not all of them are looked at
        for (const Algorithm algorithm : engines_for(3)) {
            INFO(name_of(algorithm) << ", " << filters);
            CellCall call = random_call({2, 3, 2, filters, 6, 7, 3}, 41);
            check_current(call, algorithm);
            SECTION("a step of an optimiser") {
                torch::optim::SGD sgd(parameters_of(call), torch::optim::SGDOptions(0.5));
                for (int step = 0; step < 3; ++step) {
                    sgd.zero_grad();
                    State state = call.state;
                    nowcell::conv_lstm(call.x, state, call.weights, {}, {}, {}, Memory::store, algorithm)
                        .square()
                        .sum()
                        .backward();
                    sgd.step();
                    check_current(call, algorithm);
                }
            }
            SECTION("each weight by itself, in place") {
                for (const torch::Tensor& weight : parameters_of(call)) {
                    {
                        const c10::NoGradGuard no_grad;
                        weight.add_(0.1);
                    }
                    check_current(call, algorithm);
                }
            }
            SECTION("a single number, in place") {
                for (const torch::Tensor& weight : parameters_of(call)) {
                    {
                        const c10::NoGradGuard no_grad;
                        weight.flatten()[weight.numel() - 2].add_(2.0);
                    }
                    check_current(call, algorithm);
                }
            }
            SECTION("writes that nobody counts") {
                for (const torch::Tensor& weight : parameters_of(call)) {
                    weight.data().mul_(-1.3);
                    check_current(call, algorithm);
                    float* const numbers = weight.data_ptr<float>();
                    for (std::int64_t i = 0; i < weight.numel(); ++i) numbers[i] *= 0.7F;
                    check_current(call, algorithm);
                }
            }
            SECTION("other tensors in their place") {
                for (int again = 0; again < 3; ++again) {
                    call.weights = random_call({2, 3, 2, filters, 6, 7, 3}, 50U + static_cast<unsigned>(again)).weights;
                    check_current(call, algorithm);
                }
            }
            SECTION("parameters with other memory") {
                for (const torch::Tensor& weight : parameters_of(call)) {
                    weight.set_data(weight.detach() * 1.7);
                    check_current(call, algorithm);
                }
            }
            SECTION("between the passes: autograd notices") {
                State state = call.state;
                const torch::Tensor h =
                    nowcell::conv_lstm(call.x, state, call.weights, {}, {}, {}, Memory::store, algorithm);
                {
                    const c10::NoGradGuard no_grad;
                    call.weights.hidden.add_(0.1);
                }
                CHECK_THROWS(h.sum().backward());
            }
        }
    }
}

TEST_CASE("engine: a number changes in weights that are not contiguous", "[engine]") {
    for (const Algorithm algorithm : engines_for(3)) {
        for (const bool input : {true, false}) {
            INFO(name_of(algorithm) << (input ? ", input" : ", hidden"));
            CellCall call = random_call({2, 3, 24, 24, 6, 7, 3}, 42);
            torch::Tensor& weight = input ? call.weights.input : call.weights.hidden;
            weight = leaf(channels_last(weight.detach()));
            check_current(call, algorithm);
            for (const std::int64_t row : {3, 17, 50}) {
                {
                    const c10::NoGradGuard no_grad;
                    weight[row][5][1][1].add_(3.0);
                }
                check_current(call, algorithm);
            }
        }
    }
}

TEST_CASE("engine: two layers of one shape in turn, and layers that come and go", "[engine]") {
    for (const Algorithm algorithm : engines_for(5)) {
        const CellCall first = random_call({2, 3, 2, 5, 6, 7, 5}, 43);
        CellCall second = first;
        second.weights = random_call({2, 3, 2, 5, 6, 7, 5}, 44).weights;
        for (int turn = 0; turn < 3; ++turn) {
            check_current(first, algorithm);
            check_current(second, algorithm);
        }
        // Freed weights: the next ones probably come to lie where they were.
        for (unsigned n = 0; n < 20; ++n) {
            CellCall passing = first.copy(at::kFloat);
            passing.weights = random_call({2, 3, 2, 5, 6, 7, 5}, 60 + n).weights;
            check_current(passing, algorithm);
        }
    }
}

TEST_CASE("engine: parameters made in inference mode", "[engine]") {
    for (const Algorithm algorithm : engines_for(3)) {
        for (const bool both : {true, false}) {
            INFO(name_of(algorithm) << (both ? ", both" : ", hidden alone"));
            const c10::InferenceMode inference;
            CellCall call = random_call({2, 3, 24, 24, 6, 7, 3}, 45);
            if (!both) {
                const c10::InferenceMode normal(false);
                call.weights.input = at::randn({96, 24, 3, 3}) * 0.1;
            }
            for (int n = 0; n < 3; ++n) {
                const CellCall exact = call.copy(at::kDouble);
                State state = exact.state;
                const torch::Tensor expected = nowcell::conv_lstm_reference(exact.x, state, exact.weights);
                nowcell::forget_engine_uses();
                const CellAnswer got = answer_of(call, algorithm, Memory::store, false);
                CHECK(not_computed_by(algorithm, false) == "");
                CHECK(largest_difference(got.values[0], expected) <= kStateTolerance);
                call.weights.hidden[10 + n][5][1][1].add_(3.0);  // one number that is not counted
            }
        }
    }
}

TEST_CASE("engine: a graph that is kept gives the same gradients again", "[engine]") {
    const CellCall call = random_call({3, 3, 2, 17, 6, 7, 3}, 46);
    for (const Algorithm algorithm : engines_for(3)) {
        for (const Memory memory : {Memory::store, Memory::recompute}) {
            State state = call.state;
            const torch::Tensor h = nowcell::conv_lstm(call.x, state, call.weights, {}, {}, {}, memory, algorithm);
            const torch::Tensor loss = smooth_loss({h, state.h, state.c});
            const auto first = torch::autograd::grad({loss}, call.leaves(), {}, true);
            answer_of(random_call({3, 3, 2, 17, 6, 7, 3}, 47), algorithm, memory);  // something in between
            const auto second = torch::autograd::grad({loss}, call.leaves(), {}, true);
            for (std::size_t i = 0; i < first.size(); ++i) CHECK(at::equal(first[i], second[i]));
        }
    }
}

TEST_CASE("engine: results are kept whole when the next call comes", "[engine]") {
    // Large enough for tensors that come from a pool and go back to it.
    const CellCall call = random_call({2, 2, 2, 16, 48, 96, 3}, 48);
    for (const Algorithm algorithm : engines_for(3)) {
        const CellAnswer first = answer_of(call, algorithm, Memory::store);
        std::vector<torch::Tensor> copies;
        for (const auto* tensors : {&first.values, &first.gradients}) {
            for (const torch::Tensor& tensor : *tensors) copies.push_back(tensor.detach().clone());
        }
        for (unsigned n = 0; n < 3; ++n)
            answer_of(random_call({2, 2, 2, 16, 48, 96, 3}, 80 + n), algorithm, Memory::recompute);
        std::size_t at = 0;
        for (const auto* tensors : {&first.values, &first.gradients}) {
            for (const torch::Tensor& tensor : *tensors) CHECK(at::equal(tensor.detach(), copies[at++]));
        }
    }
}

TEST_CASE("engine: one layer from two threads at once", "[engine]") {
    for (const Algorithm algorithm :
         {Algorithm::automatic, Algorithm::direct, Algorithm::winograd_safe, Algorithm::winograd_fast}) {
        // Two shapes, so that plans are made as well as used at the same time.
        for (const std::int64_t width : {7, 9}) {
            const CellCall weights = random_call({2, 3, 2, 17, 6, width, 3}, 49);
            std::vector<CellCall> calls;
            std::vector<CellAnswer> exact(4), got(40);
            for (unsigned n = 0; n < 4; ++n) {
                CellCall call = random_call({2, 3, 2, 17, 6, width, 3}, 90 + n);
                call.weights = weights.copy(at::kFloat).weights;
                // One layer: the memory of the weights is shared.
                call.weights.input = leaf(weights.weights.input);
                call.weights.hidden = leaf(weights.weights.hidden);
                calls.push_back(call);
                exact[n] = answer_of_definition(call.copy(at::kDouble));
            }
            nowcell::forget_engine_uses();
            std::vector<std::thread> threads;
            for (std::size_t t = 0; t < 4; ++t) {
                threads.emplace_back([&, t] {
                    for (std::size_t n = 0; n < 10; ++n)
                        got[10 * t + n] = answer_of(calls[t], algorithm, Memory::store);
                });
            }
            for (std::thread& thread : threads) thread.join();
            for (std::size_t n = 0; n < got.size(); ++n) {
                INFO(name_of(algorithm) << ", call " << n);
                CHECK(misses(got[n], exact[n / 10], calls[n / 10].leaf_names()) == "");
            }
            std::int64_t count = 0;
            for (const nowcell::EngineUse& use : nowcell::engine_uses())
                count += use.forward_calls + use.backward_calls;
            CHECK(count == 80);
            if (algorithm != Algorithm::automatic) CHECK(not_computed_by(algorithm) == "");
        }
    }
}

TEST_CASE("engine: the same call gives the same bits", "[engine]") {
    for (const std::int64_t kernel : {1, 3, 5, 7}) {
        const CellCall call = random_call({3, 4, 3, 17, 13, 11, kernel}, 51);
        for (const Algorithm algorithm : engines_for(kernel)) {
            for (const int threads : {1, 2, 3}) {
                const Threads scope(threads);
                const CellAnswer first = answer_of(call, algorithm, Memory::store);
                for (int again = 0; again < 3; ++again) {
                    INFO("kernel " << kernel << ", " << name_of(algorithm) << ", " << threads << " threads");
                    const CellAnswer second = answer_of(call.copy(at::kFloat), algorithm, Memory::store);
                    for (std::size_t i = 0; i < 3; ++i) CHECK(at::equal(first.values[i], second.values[i]));
                    for (std::size_t i = 0; i < first.gradients.size(); ++i) {
                        CHECK(at::equal(first.gradients[i], second.gradients[i]));
                    }
                }
            }
        }
    }
}

TEST_CASE("engine: the direct convolution gives an item the same bits wherever it stands in a batch", "[engine]") {
    if (!has_engines()) return;  // LibTorch promises no such thing
    for (const std::int64_t kernel : {1, 3, 5, 7}) {
        const CellCall call = random_call({5, 3, 3, 17, 7, 11, kernel}, 52);
        const auto run = [&](const torch::Tensor& items) {
            CellCall some = call;
            some.x = call.x.index_select(0, items).detach();
            some.state = {call.state.h.index_select(0, items).detach(), call.state.c.index_select(0, items).detach()};
            const c10::NoGradGuard no_grad;
            return answer_of(some, Algorithm::direct, Memory::store, false).values[0];
        };
        const torch::Tensor whole = run(at::arange(5, at::kLong));
        for (const int threads : {1, 2, 3}) {
            const Threads scope(threads);
            nowcell::forget_engine_uses();
            CHECK(at::equal(run(at::arange(5, at::kLong)), whole));
            const torch::Tensor turned = at::tensor({3, 0, 4, 1, 2}, at::kLong);
            CHECK(at::equal(run(turned), whole.index_select(0, turned)));
            for (std::int64_t item = 0; item < 5; ++item) {
                CHECK(at::equal(run(at::tensor({item}, at::kLong)), whole.narrow(0, item, 1)));
            }
            CHECK(not_computed_by(Algorithm::direct, false) == "");
        }
    }
}

TEST_CASE("engine: frame by frame equals the whole sequence", "[engine]") {
    for (const std::int64_t kernel : {1, 3, 5, 7}) {
        for (const bool last : {false, true}) {
            CellCall call = random_call({2, 6, 3, 17, 9, 11, kernel}, 53);
            if (last) call.x = leaf(channels_last(call.x.detach()));
            for (const Algorithm algorithm : engines_for(kernel)) {
                for (const bool training : {false, true}) {
                    INFO("kernel " << kernel << ", " << name_of(algorithm) << (training ? ", training" : ""));
                    const at::AutoGradMode mode(training);
                    nowcell::forget_engine_uses();
                    const CellAnswer whole = answer_of(call, algorithm, Memory::store, false);
                    State state = call.state;
                    std::vector<torch::Tensor> frames;
                    for (std::int64_t t = 0; t < 6; ++t) {
                        frames.push_back(nowcell::conv_lstm(call.x.narrow(1, t, 1), state, call.weights, {}, {}, {},
                                                            Memory::store, algorithm));
                    }
                    CHECK(not_computed_by(algorithm, false) == "");
                    const torch::Tensor pieces = at::cat(frames, 1);
                    if (has_engines()) {
                        CHECK(at::equal(pieces, whole.values[0]));
                        CHECK(at::equal(state.h, whole.values[1]));
                        CHECK(at::equal(state.c, whole.values[2]));
                    }
                    CHECK(largest_difference(pieces, whole.values[0]) <= 1e-5);
                }
            }
        }
    }
}
