// The CPU's kernels against the definition in float64: shapes, threads, options, long sequences.
#include "cells/bidirectional.h"
#include "cells/conv_lstm.h"
#include "cells/cpu/engine_use.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/adam.h>

#include "tests/support/catch.h"
#include "tests/support/engine.h"
#include "tests/support/files.h"

#include <functional>
#include <limits>
#include <random>
#include <set>

using nowcell::Activation;
using nowcell::Algorithm;
using nowcell::ConvLstm;
using nowcell::ConvLstmOptions;
using nowcell::Memory;
using nowcell::Padding;
using nowcell::Peephole;
using nowcell::State;

namespace {

// Sizes at which kernels go wrong: around vector widths, tiles, and frames smaller than either.
CallShape random_shape(std::mt19937_64& random) {
    const auto one_of = [&](const std::vector<std::int64_t>& values) { return values[random() % values.size()]; };
    CallShape s;
    s.batch = one_of({1, 2, 3, 4, 5});
    s.steps = one_of({1, 2, 3, 4});
    s.channels = one_of({1, 2, 3, 5, 16, 17, 30});
    s.filters = one_of({1, 2, 3, 4, 8, 16, 17, 40});
    s.height = one_of({1, 2, 3, 4, 5, 6, 7, 9, 12, 13});
    s.width = one_of({1, 2, 3, 4, 5, 7, 8, 11, 16, 17});
    s.kernel = one_of({1, 3, 5, 7});
    if (s.height * s.width == 1) s.width = 2;  // a single pixel has no layout: a test of its own
    return s;
}

// What a random sample may miss: more tiles than a block, rows longer than a run, panels that are full, tensors from
// the pool.
const std::vector<CallShape> kLargerShapes = {
    {1, 3, 1, 2, 40, 37, 7}, {3, 2, 30, 40, 6, 5, 3}, {2, 2, 5, 16, 64, 66, 3}, {5, 2, 3, 4, 21, 70, 5},
    {1, 2, 64, 1, 5, 9, 3},  {4, 1, 1, 64, 3, 3, 5},  {1, 2, 2, 33, 1, 130, 1}};

void check_shape(const CallShape& shape, std::uint64_t seed, bool from_state, std::set<std::string>* engines) {
    CellCall call = random_call(shape, seed);
    if (!from_state) call.state = {};
    const CellAnswer exact = answer_of_definition(call.copy(at::kDouble));
    for (const Algorithm algorithm : engines_for(shape.kernel)) {
        for (const int threads : {1, 2, 3}) {
            const Threads scope(threads);
            for (const Memory memory : {Memory::store, Memory::recompute, Memory::checkpoint}) {
                INFO(shape.text() << "; " << name_of(algorithm) << ", " << threads << " threads, "
                                  << nowcell::name_of(memory) << (from_state ? "" : ", from zeros"));
                nowcell::forget_engine_uses();
                const CellAnswer got = answer_of(call, algorithm, memory);
                CHECK(not_computed_by(algorithm) == "");
                CHECK(misses(got, exact, call.leaf_names()) == "");
                for (const nowcell::EngineUse& use : nowcell::engine_uses()) engines->insert(use.engine);
            }
        }
    }
}

}  // namespace

TEST_CASE("engine: every algorithm equals the definition on many shapes", "[engine]") {
    std::mt19937_64 random(test_seed());
    std::set<std::string> engines;
    const std::int64_t count = test_shapes(60);
    for (std::int64_t n = 0; n < count; ++n) {
        const CallShape shape = random_shape(random);
        check_shape(shape, random(), n % 4 != 3, &engines);
    }
    if (!has_engines()) return;
    for (const Algorithm algorithm : {Algorithm::direct, Algorithm::winograd_safe, Algorithm::winograd_fast}) {
        for (const char* const threads : {"1 thread", "2 threads", "3 threads"}) {
            INFO(name_of(algorithm) << ", " << threads);
            const std::string part = name_of(algorithm) + ", ";
            CHECK(std::any_of(engines.begin(), engines.end(), [&](const std::string& engine) {
                return engine.starts_with(part) && engine.ends_with(threads);
            }));
        }
    }
}

TEST_CASE("engine: every algorithm equals the definition on larger frames", "[engine]") {
    std::set<std::string> engines;
    for (const CallShape& shape : kLargerShapes) check_shape(shape, 3, true, &engines);
}

TEST_CASE("engine: frames of a single pixel", "[engine]") {
    std::set<std::string> engines;
    for (const std::int64_t kernel : {1, 3, 5, 7}) {
        check_shape({2, 3, 5, 2, 1, 1, kernel}, 3, true, &engines);
        check_shape({1, 1, 1, 1, 1, 1, kernel}, 3, true, &engines);
    }
}

TEST_CASE("engine: a call of one shape on a processor without kernels", "[engine][engine-plain]") {
    std::set<std::string> engines;
    check_shape({}, 1, true, &engines);
    CHECK((has_engines() || engines == std::set<std::string>{"reference"}));
}

TEST_CASE("engine: only some gradients, only some states", "[engine]") {
    const CellCall whole = random_call({3, 3, 2, 5, 6, 7, 3}, 5);
    for (int given = 0; given < 4; ++given) {
        CellCall call = whole;
        if ((given & 1) == 0) call.state.h = torch::Tensor();
        if ((given & 2) == 0) call.state.c = torch::Tensor();
        const std::vector<std::string> names = call.leaf_names();
        const CellAnswer exact = answer_of_definition(call.copy(at::kDouble));
        for (const Algorithm algorithm : engines_for(3)) {
            for (std::size_t only = 0; only < names.size(); ++only) {
                INFO(name_of(algorithm) << ", gradient of " << names[only] << " alone, states " << given);
                CellCall mine = call.copy(at::kFloat);
                const std::vector<torch::Tensor> leaves = mine.leaves();
                for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i].set_requires_grad(i == only);
                nowcell::forget_engine_uses();
                State state = mine.state;
                const torch::Tensor h =
                    nowcell::conv_lstm(mine.x, state, mine.weights, {}, {}, {}, Memory::store, algorithm);
                const auto got = torch::autograd::grad({smooth_loss({h, state.h, state.c})}, {leaves[only]});
                CHECK(not_computed_by(algorithm) == "");
                CHECK(relative_error(got[0], exact.gradients[only]) <= kGradientTolerance);
            }
        }
    }
}

TEST_CASE("engine: without gradients the numbers are those of training", "[engine]") {
    for (const std::int64_t kernel : {1, 3, 5, 7}) {
        const CellCall call = random_call({3, 4, 3, 17, 9, 10, kernel}, 8);
        for (const Algorithm algorithm : engines_for(kernel)) {
            const CellAnswer training = answer_of(call, algorithm, Memory::store);
            const c10::NoGradGuard no_grad;
            nowcell::forget_engine_uses();
            const CellAnswer inference = answer_of(call, algorithm, Memory::store, false);
            CHECK(not_computed_by(algorithm, false) == "");
            for (std::size_t i = 0; i < 3; ++i) CHECK(at::equal(training.values[i], inference.values[i]));
        }
    }
}

TEST_CASE("engine: no kernel of that size, and automatic choice", "[engine]") {
    const auto engine_of = [](std::int64_t kernel, Algorithm algorithm) {
        const CellCall call = random_call({2, 3, 2, 3, 8, 9, kernel}, 3);
        nowcell::forget_engine_uses();
        const CellAnswer got = answer_of(call, algorithm, Memory::store);
        CHECK(misses(got, answer_of_definition(call.copy(at::kDouble)), call.leaf_names()) == "");
        const std::vector<nowcell::EngineUse> uses = nowcell::engine_uses();
        REQUIRE(uses.size() == 1);
        CHECK(uses[0].forward_calls == 1);
        CHECK(uses[0].backward_calls == 1);
        CHECK(uses[0].layer == "2 -> 3, " + std::to_string(kernel) + "x" + std::to_string(kernel) + ", batch 2, 8x9");
        return uses[0];
    };
    for (const std::int64_t kernel : {1, 3, 5, 7}) CHECK(engine_of(kernel, Algorithm::automatic).engine != "");
    if (!has_engines()) return;
    for (const std::int64_t kernel : {1, 3, 5, 7}) {
        INFO(kernel);
        CHECK(engine_of(kernel, Algorithm::automatic).reason == "");
        for (const Algorithm algorithm : {Algorithm::winograd_safe, Algorithm::winograd_fast}) {
            const std::vector<Algorithm> own = engines_for(kernel);
            if (std::find(own.begin(), own.end(), algorithm) != own.end()) continue;
            const nowcell::EngineUse use = engine_of(kernel, algorithm);
            CHECK(use.engine.starts_with("direct, "));
            CHECK(holds(use.reason, name_of(algorithm) + " has no kernel of that size"));
        }
    }
    CHECK(engine_of(3, Algorithm::reference).engine == "reference");
}

TEST_CASE("engine: saturated gates, and what is not a number stays visible", "[engine]") {
    for (const std::int64_t kernel : {1, 3, 5, 7}) {
        CellCall call = random_call({2, 2, 2, 5, 12, 11, kernel}, 3);
        const c10::NoGradGuard no_grad;
        call.weights.bias.mul_(300.0);
        const CellCall exact = call.copy(at::kDouble);
        State expected = exact.state;
        const torch::Tensor h = nowcell::conv_lstm_reference(exact.x, expected, exact.weights);
        for (const Algorithm algorithm : engines_for(kernel)) {
            INFO("kernel " << kernel << ", " << name_of(algorithm));
            const CellAnswer got = answer_of(call, algorithm, Memory::store, false);
            CHECK(largest_difference(got.values[0], h) <= kStateTolerance);
            for (const double bad :
                 {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
                CellCall broken = call.copy(at::kFloat);
                broken.weights.bias.div_(300.0);
                broken.x[1][0][1][4][4].fill_(bad);
                const torch::Tensor out = answer_of(broken, algorithm, Memory::store, false).values[0];
                if (std::isnan(bad)) CHECK(out[1][0].select(1, 4).select(1, 4).isnan().all().item<bool>());
                CHECK(out[0].isfinite().all().item<bool>());  // the other item
            }
        }
    }
}

namespace {

// A layer in float32 and one in float64 with the same weights.
struct LayerPair {
    std::shared_ptr<ConvLstm> single, exact;
    torch::Tensor x, x_exact;
    State state, state_exact;

    LayerPair(const ConvLstmOptions& options, const std::vector<std::int64_t>& size, bool from_state,
              std::uint64_t seed = 4, double scale = 1.0) {
        at::manual_seed(seed);
        single = std::make_shared<ConvLstm>(options);
        ConvLstmOptions slow = options;
        slow.algorithm = Algorithm::reference;
        exact = std::make_shared<ConvLstm>(slow);
        exact->to(at::kDouble);
        std::vector<std::int64_t> shape = {3, 4, options.input_channels};
        shape.insert(shape.end(), size.begin(), size.end());
        x = at::randn(shape, at::kFloat).requires_grad_(true);
        if (from_state) {
            shape = {3, options.filters};
            const std::vector<std::int64_t> state_size = single->output_size(size);
            shape.insert(shape.end(), state_size.begin(), state_size.end());
            state = {(at::randn(shape, at::kFloat) * 0.5).requires_grad_(true),
                     (at::randn(shape, at::kFloat) * 0.5).requires_grad_(true)};
        }
        const c10::NoGradGuard no_grad;
        for (auto& parameter : single->named_parameters()) {
            // Nothing at its initial zeros and ones: those hide mistakes.
            parameter.value().add_(at::randn_like(parameter.value()) * 0.2).mul_(scale);
            exact->named_parameters()[parameter.key()].copy_(parameter.value());
        }
        const auto leaf = [](const torch::Tensor& t) {
            return t.defined() ? t.detach().to(at::kDouble).requires_grad_(true) : t;
        };
        x_exact = leaf(x);
        state_exact = {leaf(state.h), leaf(state.c)};
    }
};

CellAnswer answer_of_layer(ConvLstm& layer, const torch::Tensor& x, const State& start, const torch::Tensor& mask) {
    at::manual_seed(9);  // the same dropout for both
    State state = start;
    const torch::Tensor out = layer.forward(x, state, mask);
    CellAnswer answer{{out, state.h, state.c}, {}};
    std::vector<torch::Tensor> leaves = {x};
    for (const torch::Tensor& tensor : {start.h, start.c}) {
        if (tensor.defined()) leaves.push_back(tensor);
    }
    for (const torch::Tensor& parameter : layer.parameters()) leaves.push_back(parameter);
    answer.gradients = torch::autograd::grad({smooth_loss(answer.values)}, leaves, {}, {}, false, true);
    return answer;
}

std::vector<std::string> names_of(const LayerPair& pair) {
    std::vector<std::string> names = {"x"};
    if (pair.state.h.defined()) names.insert(names.end(), {"h", "c"});
    for (const auto& parameter : pair.single->named_parameters()) names.push_back(parameter.key());
    return names;
}

struct Variant {
    std::string name;
    std::function<void(ConvLstmOptions&)> change;
    std::string reason = {};  // why an engine cannot; empty: it can
    bool masked = false;
    bool training = true;
    double scale = 1.0;  // of all parameters
};

ConvLstmOptions base_options(std::int64_t kernel, Algorithm algorithm, Memory memory) {
    ConvLstmOptions options;
    options.input_channels = 2;
    options.filters = 5;
    options.kernel = {kernel};
    options.algorithm = algorithm;
    options.memory = memory;
    return options;
}

std::vector<std::int64_t> frame_of(const ConvLstmOptions& options) {
    const std::vector<std::int64_t> size = {6, 7, 3};
    return {size.begin(), size.begin() + options.rank};
}

// (B,T) = (3,4); one item is masked as a whole.
torch::Tensor some_mask() {
    const torch::Tensor mask = at::ones({3, 4}, at::kBool);
    mask[0][0] = false;
    mask[0][2] = false;
    mask[1].fill_(false);
    return mask;
}

void check_variant(const Variant& variant, std::int64_t kernel, Algorithm algorithm, Memory memory) {
    INFO(variant.name << ", kernel " << kernel << ", " << name_of(algorithm) << ", " << nowcell::name_of(memory));
    ConvLstmOptions options = base_options(kernel, algorithm, memory);
    variant.change(options);
    for (const bool from_state : {true, false}) {
        LayerPair pair(options, frame_of(options), from_state, 4, variant.scale);
        pair.single->train(variant.training);
        pair.exact->train(variant.training);
        const torch::Tensor mask = variant.masked ? some_mask() : torch::Tensor();
        if (variant.masked) {
            const c10::NoGradGuard no_grad;
            for (const torch::Tensor& x : {pair.x, pair.x_exact}) {
                x.masked_fill_(mask.logical_not().view({3, 4, 1, 1, 1}), std::numeric_limits<double>::quiet_NaN());
            }
        }
        const CellAnswer exact = answer_of_layer(*pair.exact, pair.x_exact, pair.state_exact, mask);
        nowcell::forget_engine_uses();
        const CellAnswer got = answer_of_layer(*pair.single, pair.x, pair.state, mask);
        if (variant.reason.empty()) {
            CHECK(not_computed_by(algorithm) == "");
        } else {
            CHECK(not_by_reference(variant.reason) == "");
        }
        CHECK(misses(got, exact, names_of(pair)) == "");
    }
}

void check_with_every_engine(const std::vector<Variant>& variants) {
    for (const Variant& variant : variants) {
        for (const std::int64_t kernel : {1, 3, 5, 7}) {
            for (const Algorithm algorithm : engines_for(kernel)) {
                for (const Memory memory : {Memory::store, Memory::recompute, Memory::checkpoint}) {
                    check_variant(variant, kernel, algorithm, memory);
                }
            }
        }
    }
}

std::vector<Variant> with_masks(std::vector<Variant> variants) {
    const std::size_t plain = variants.size();
    for (std::size_t i = 0; i < plain; ++i) {
        Variant masked = variants[i];
        masked.name += ", mask";
        masked.masked = true;
        variants.push_back(masked);
    }
    return variants;
}

}  // namespace

TEST_CASE("engine: options that are policies of the kernels, with and without a mask", "[engine]") {
    check_with_every_engine(with_masks({
        {"plain", [](auto&) {}},
        {"peephole per channel", [](auto& o) { o.peephole = Peephole::channel; }},
        {"peephole per pixel",
         [](auto& o) {
             o.peephole = Peephole::pixel, o.frame = {6, 7};
         }},
        {"no bias", [](auto& o) { o.bias = false; }},
        {"no bias, peephole", [](auto& o) { o.bias = false, o.peephole = Peephole::channel; }},
        {"backwards", [](auto& o) { o.go_backwards = true; }},
        {"zeros for the mask", [](auto& o) { o.zero_output_for_mask = true; }},
        {"last output alone", [](auto& o) { o.return_sequences = false; }},
        {"last output alone, backwards", [](auto& o) { o.return_sequences = false, o.go_backwards = true; }},
        {"zoneout of h", [](auto& o) { o.zoneout = 0.3; }, "", false, false},
        {"zoneout of c", [](auto& o) { o.zoneout_cell = 0.4; }, "", false, false},
        {"zoneout of both, peephole",
         [](auto& o) {
             o.zoneout = 0.2, o.zoneout_cell = 0.4, o.peephole = Peephole::pixel, o.frame = {6, 7};
         },
         "", false, false},
        {"dropout in evaluation", [](auto& o) { o.dropout = 0.3, o.recurrent_dropout = 0.2; }, "", false, false},
    }));
}

TEST_CASE("engine: every pair of activations", "[engine]") {
    constexpr Activation kAll[] = {Activation::linear, Activation::tanh,         Activation::sigmoid,
                                   Activation::relu,   Activation::hard_sigmoid, Activation::hard_sigmoid_keras2};
    for (const Activation activation : kAll) {
        for (const Activation recurrent : kAll) {
            const auto change = [&](ConvLstmOptions& o) {
                o.activation = activation;
                o.recurrent_activation = recurrent;
                o.peephole = Peephole::channel;
            };
            // Small weights: products of linear gates grow without bound.
            const Variant variant{name_of(activation) + " and " + name_of(recurrent), change, "", false, true, 0.3};
            check_variant(variant, 3, Algorithm::direct, Memory::store);
            check_variant(variant, 3, Algorithm::winograd_safe, Memory::recompute);
            check_variant(variant, 5, Algorithm::winograd_fast, Memory::store);
        }
    }
}

TEST_CASE("engine: what no engine has runs on the reference, for a reason", "[engine][engine-plain]") {
    const std::vector<Variant> variants = {
        {"stride", [](auto& o) { o.stride = {2}; }, "stride"},
        {"dilation", [](auto& o) { o.dilation = {2}; }, "dilation"},
        {"valid", [](auto& o) { o.padding = Padding::valid; }, "padding"},
        {"even kernel", [](auto& o) { o.kernel = {4}; }, "kernel"},
        {"rectangular kernel",
         [](auto& o) {
             o.kernel = {3, 5};
         },
         "kernel"},
        {"large kernel", [](auto& o) { o.kernel = {9}; }, "kernel"},
        {"norm of channels", [](auto& o) { o.norm = nowcell::GateNorm::channels; }, "norm"},
        {"norm of frames",
         [](auto& o) {
             o.norm = nowcell::GateNorm::frame, o.frame = {6, 7};
         },
         "norm"},
        {"dropout", [](auto& o) { o.dropout = 0.3; }, "dropout"},
        {"recurrent dropout", [](auto& o) { o.recurrent_dropout = 0.3; }, "dropout"},
        {"zoneout in training", [](auto& o) { o.zoneout = 0.3; }, "zoneout"},
        {"rank 1", [](auto& o) { o.rank = 1; }, "two axes"},
        {"rank 3", [](auto& o) { o.rank = 3; }, "two axes"},
    };
    for (const Variant& variant : variants) {
        for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::direct, Algorithm::winograd_fast}) {
            check_variant(variant, 3, algorithm, Memory::store);
        }
    }
    const CellCall call = random_call({}, 2).copy(at::kDouble);
    nowcell::forget_engine_uses();
    const CellAnswer got = answer_of(call, Algorithm::direct, Memory::store);
    CHECK(not_by_reference("float32") == "");
    CHECK(misses(got, answer_of_definition(call), call.leaf_names()) == "");
    nowcell::forget_engine_uses();
    answer_of(random_call({}, 2), Algorithm::reference, Memory::store);
    CHECK(not_by_reference("asked for") == "");
}

TEST_CASE("engine: lengths of the items as a mask", "[engine]") {
    const torch::Tensor mask = nowcell::mask_of_lengths(at::tensor({4, 0, 1}, at::kLong), 4);
    for (const Algorithm algorithm : engines_for(3)) {
        LayerPair pair(base_options(3, algorithm, Memory::store), {6, 7}, true);
        const CellAnswer exact = answer_of_layer(*pair.exact, pair.x_exact, pair.state_exact, mask);
        nowcell::forget_engine_uses();
        const CellAnswer got = answer_of_layer(*pair.single, pair.x, pair.state, mask);
        CHECK(not_computed_by(algorithm) == "");
        CHECK(misses(got, exact, names_of(pair)) == "");
        CHECK(at::equal(got.values[1][1], pair.state.h[1]));  // nothing seen: the state as it was, bit by bit
        CHECK(at::equal(got.values[2][1], pair.state.c[1]));
        CHECK(got.gradients[0][1].abs().max().item<double>() == 0.0);
    }
}

TEST_CASE("engine: a stateful layer goes on from where it ended", "[engine]") {
    for (const Algorithm algorithm : engines_for(3)) {
        ConvLstmOptions options = base_options(3, algorithm, Memory::store);
        options.stateful = true;
        const LayerPair pair(options, {6, 7}, false);
        nowcell::forget_engine_uses();
        for (int call = 0; call < 3; ++call) {
            const torch::Tensor got = pair.single->forward(pair.x);
            const torch::Tensor exact = pair.exact->forward(pair.x_exact);
            CHECK(largest_difference(got, exact) <= kStateTolerance);
            got.sum().backward();
        }
        pair.single->reset_state();
        pair.exact->reset_state();
        CHECK(largest_difference(pair.single->forward(pair.x), pair.exact->forward(pair.x_exact)) <= kStateTolerance);
        // The layer in float64 is the reference's.
        bool ours = false;
        for (const nowcell::EngineUse& use : nowcell::engine_uses()) ours |= use.engine.starts_with(name_of(algorithm));
        CHECK(ours == has_engines());
    }
}

TEST_CASE("engine: both directions", "[engine]") {
    for (const Algorithm algorithm : engines_for(5)) {
        for (const bool sequences : {true, false}) {
            ConvLstmOptions options = base_options(5, algorithm, Memory::store);
            options.return_sequences = sequences;
            const LayerPair ahead(options, {6, 7}, true, 4);
            options.go_backwards = true;
            const LayerPair back(options, {6, 7}, true, 5);
            nowcell::Bidirectional exact(ahead.exact, back.exact);
            nowcell::Bidirectional single(ahead.single, back.single);
            std::array<State, 2> states = {ahead.state_exact, back.state_exact};
            const torch::Tensor expected = exact.forward(ahead.x_exact, states, some_mask());
            const auto gradient = [](const torch::Tensor& out, const torch::Tensor& x, nowcell::Bidirectional& layer) {
                std::vector<torch::Tensor> leaves = layer.parameters();
                leaves.push_back(x);
                return torch::autograd::grad({smooth_loss({out})}, leaves);
            };
            const auto d_expected = gradient(expected, ahead.x_exact, exact);
            nowcell::forget_engine_uses();
            states = {ahead.state, back.state};
            const torch::Tensor got = single.forward(ahead.x, states, some_mask());
            const auto d_got = gradient(got, ahead.x, single);
            CHECK(not_computed_by(algorithm) == "");
            CHECK(largest_difference(got, expected) <= kStateTolerance);
            for (std::size_t i = 0; i < d_got.size(); ++i) {
                CHECK(relative_error(d_got[i], d_expected[i]) <= kGradientTolerance);
            }
        }
    }
}

TEST_CASE("engine: second derivatives go through the definition", "[engine]") {
    const CellCall call = random_call({}, 6);
    const auto second = [](const CellCall& c, Algorithm algorithm) {
        State state = c.state;
        const torch::Tensor h = nowcell::conv_lstm(c.x, state, c.weights, c.rules, {}, {}, Memory::store, algorithm);
        const auto d = torch::autograd::grad({smooth_loss({h, state.c})}, {c.x, c.weights.hidden}, {}, true, true);
        return torch::autograd::grad({d[0].square().sum() + d[1].square().sum()}, c.leaves());
    };
    const std::vector<torch::Tensor> exact = second(call.copy(at::kDouble), Algorithm::reference);
    for (const Algorithm algorithm : engines_for(3)) {
        nowcell::forget_engine_uses();
        const std::vector<torch::Tensor> got = second(call.copy(at::kFloat), algorithm);
        CHECK(not_computed_by(algorithm, false) == "");
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(relative_error(got[i], exact[i]) <= 2 * kGradientTolerance);
    }
}

namespace {

// Next-frame forecasts of a drifting wave: weights that have learnt something, with gates that are used.
CellCall trained_call(CellCall call, int steps) {
    call = call.copy(at::kFloat);
    const std::int64_t filters = call.weights.hidden.size(1);
    const torch::Tensor readout = at::full({1, filters, 1, 1}, 1.0 / static_cast<double>(filters), at::kFloat);
    const std::vector<torch::Tensor> learnt = {call.weights.input, call.weights.hidden, call.weights.bias};
    torch::optim::Adam adam(learnt, torch::optim::AdamOptions(0.01));
    const torch::Tensor frames = call.x.detach().narrow(1, 0, 8);
    for (int step = 0; step < steps; ++step) {
        adam.zero_grad();
        State state;
        const torch::Tensor h =
            nowcell::conv_lstm(frames, state, call.weights, {}, {}, {}, Memory::store, Algorithm::reference);
        const torch::Tensor forecast = (h * readout * 3.0).sum(2, true);
        (forecast.narrow(1, 0, 7) - frames.narrow(1, 1, 7).narrow(2, 0, 1)).square().mean().backward();
        adam.step();
    }
    return call.copy(at::kFloat);
}

torch::Tensor drifting_waves(at::IntArrayRef shape) {
    const torch::Tensor n = at::arange(shape[1], at::kFloat).view({1, -1, 1, 1, 1});
    const torch::Tensor y = at::arange(shape[3], at::kFloat).view({1, 1, 1, -1, 1});
    const torch::Tensor x = at::arange(shape[4], at::kFloat).view({1, 1, 1, 1, -1});
    const torch::Tensor b = at::arange(shape[0], at::kFloat).view({-1, 1, 1, 1, 1});
    const torch::Tensor c = at::arange(shape[2], at::kFloat).view({1, 1, -1, 1, 1});
    return at::sin(0.37 * n + 0.9 * y - 0.6 * x + b + 0.5 * c).contiguous();
}

void check_long_sequence(bool trained) {
    constexpr std::int64_t kSteps = 300;
    for (const std::int64_t kernel : {3, 5, 7}) {
        CellCall call = random_call({1, kSteps, 2, 6, 8, 9, kernel}, 12);
        if (trained) {
            call.x = drifting_waves(call.x.sizes()).requires_grad_(true);
            call = trained_call(call, 40);
        }
        const CellAnswer exact = answer_of_definition(call.copy(at::kDouble));
        for (const Algorithm algorithm : engines_for(kernel)) {
            INFO("kernel " << kernel << ", " << name_of(algorithm));
            nowcell::forget_engine_uses();
            const CellAnswer got = answer_of(call, algorithm, Memory::store);
            CHECK(not_computed_by(algorithm) == "");
            CHECK(misses(got, exact, call.leaf_names()) == "");
        }
    }
}

}  // namespace

TEST_CASE("engine: 300 steps of random weights", "[engine]") { check_long_sequence(false); }

TEST_CASE("engine: 300 steps of trained weights", "[engine]") { check_long_sequence(true); }
