// What every cell promises, with every set of options.
#include "cells/conv_gru.h"
#include "cells/conv_gru_operator.h"
#include "cells/conv_lstm.h"
#include "cells/conv_lstm_operator.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/support/catch.h"

#include <functional>

using nowcell::Activation;
using nowcell::CellRules;
using nowcell::ConvGru;
using nowcell::ConvGruOptions;
using nowcell::ConvLstm;
using nowcell::ConvLstmOptions;
using nowcell::GateNorm;
using nowcell::Memory;
using nowcell::NormOn;
using nowcell::Padding;
using nowcell::Peephole;
using nowcell::RecurrentLayer;
using nowcell::RecurrentOptions;
using nowcell::Reset;
using nowcell::SequenceNoise;
using nowcell::State;
using nowcell::Update;

namespace {

constexpr std::int64_t kBatch = 2;
constexpr std::int64_t kSteps = 6;  // more than one chunk
const std::vector<std::int64_t> kFrame = {5, 7, 3};

struct Variant {
    std::string name;
    std::function<std::shared_ptr<RecurrentLayer>(Memory)> make;
    bool masked = false;
};

template <class Layer, class Options>
Variant variant(const std::string& name, const std::function<void(Options&)>& change) {
    const auto make = [change](Memory memory) -> std::shared_ptr<RecurrentLayer> {
        Options options;
        options.input_channels = 2;
        options.filters = 3;
        options.memory = memory;
        change(options);
        return std::make_shared<Layer>(options);
    };
    return {name, make, false};
}

Variant lstm(const std::string& name, const std::function<void(ConvLstmOptions&)>& change) {
    return variant<ConvLstm, ConvLstmOptions>("lstm " + name, change);
}

Variant gru(const std::string& name, const std::function<void(ConvGruOptions&)>& change) {
    return variant<ConvGru, ConvGruOptions>("gru " + name, change);
}

std::vector<std::int64_t> frame(std::int64_t rank) { return {kFrame.begin(), kFrame.begin() + rank}; }

// Options that both kinds of cell have.
template <class Options>
std::vector<std::pair<std::string, std::function<void(Options&)>>> common_changes() {
    return {
        {"plain", [](Options&) {}},
        {"rank 1", [](Options& o) { o.rank = 1; }},
        {"rank 3", [](Options& o) { o.rank = 3; }},
        {"kernel 1", [](Options& o) { o.kernel = {1}; }},
        {"even kernel",
         [](Options& o) {
             o.kernel = {2, 4};
         }},
        {"strides",
         [](Options& o) {
             o.stride = {2, 3};
         }},
        {"strides and an even kernel",
         [](Options& o) {
             o.stride = {2}, o.kernel = {2, 3};
         }},
        {"dilation", [](Options& o) { o.dilation = {2}; }},
        {"valid", [](Options& o) { o.padding = Padding::valid; }},
        {"valid strides", [](Options& o) { o.padding = Padding::valid, o.stride = {2}; }},
        {"no bias", [](Options& o) { o.bias = false; }},
        {"relu, hard_sigmoid",
         [](Options& o) { o.activation = Activation::relu, o.recurrent_activation = Activation::hard_sigmoid; }},
        {"linear, hard_sigmoid_keras2",
         [](Options& o) {
             o.activation = Activation::linear, o.recurrent_activation = Activation::hard_sigmoid_keras2;
         }},
        {"sigmoid, tanh",
         [](Options& o) { o.activation = Activation::sigmoid, o.recurrent_activation = Activation::tanh; }},
        {"backwards", [](Options& o) { o.go_backwards = true; }},
        {"last output alone", [](Options& o) { o.return_sequences = false; }},
        {"dropout", [](Options& o) { o.dropout = 0.3; }},
        {"recurrent dropout, valid", [](Options& o) { o.recurrent_dropout = 0.3, o.padding = Padding::valid; }},
        {"dropouts and strides", [](Options& o) { o.recurrent_dropout = 0.3, o.dropout = 0.2, o.stride = {2}; }},
        {"zoneout", [](Options& o) { o.zoneout = 0.3; }},
    };
}

std::vector<Variant> variants() {
    std::vector<Variant> all;
    for (const auto& [name, change] : common_changes<ConvLstmOptions>()) all.push_back(lstm(name, change));
    for (const Reset reset : {Reset::after, Reset::before}) {
        for (const auto& [name, change] : common_changes<ConvGruOptions>()) {
            const std::string when = reset == Reset::after ? ", reset after" : ", reset before";
            all.push_back(
                gru(name + when, [change = change, reset](ConvGruOptions& o) { change(o), o.reset = reset; }));
        }
        all.push_back(gru("replacing", [reset](ConvGruOptions& o) { o.update = Update::replace, o.reset = reset; }));
    }
    all.push_back(lstm("zoneout of both", [](auto& o) { o.zoneout = 0.2, o.zoneout_cell = 0.4; }));
    for (const Peephole peephole : {Peephole::channel, Peephole::pixel}) {
        const std::string which = peephole == Peephole::channel ? "channel" : "pixel";
        all.push_back(lstm("peephole " + which, [peephole](auto& o) { o.peephole = peephole, o.frame = frame(2); }));
        all.push_back(lstm("peephole, zoneout " + which, [peephole](auto& o) {
            o.peephole = peephole, o.frame = frame(2), o.zoneout_cell = 0.3, o.padding = Padding::valid;
        }));
    }
    for (const GateNorm norm : {GateNorm::channels, GateNorm::frame}) {
        for (const NormOn on : {NormOn::parts, NormOn::sum}) {
            const std::string which =
                std::string(norm == GateNorm::frame ? "frame" : "channels") + (on == NormOn::sum ? ", sum" : ", parts");
            all.push_back(
                lstm("norm " + which, [norm, on](auto& o) { o.norm = norm, o.norm_on = on, o.frame = frame(2); }));
            all.push_back(lstm("everything, norm " + which, [norm, on](auto& o) {
                o.norm = norm, o.norm_on = on, o.frame = frame(1), o.rank = 1, o.peephole = Peephole::pixel;
                o.stride = {2}, o.kernel = {2}, o.dropout = 0.1, o.recurrent_dropout = 0.2, o.zoneout = 0.1;
                o.go_backwards = true;
            }));
        }
    }
    const std::size_t plain = all.size();
    for (std::size_t i = 0; i < plain; ++i) {
        const std::string& name = all[i].name;
        const bool chosen = name.find("plain") != std::string::npos || name.find("everything") != std::string::npos ||
                            name.find("backwards") != std::string::npos || name.find("zoneout") != std::string::npos;
        if (!chosen) continue;
        Variant masked = all[i];
        masked.name += ", mask";
        masked.masked = true;
        all.push_back(masked);
    }
    return all;
}

// One number that every element of the tensors moves, each in its own measure.
torch::Tensor weighted(const std::vector<torch::Tensor>& parts) {
    torch::Tensor sum = at::zeros({}, at::kDouble);
    double b = 0.2;
    for (const torch::Tensor& part : parts) {
        const torch::Tensor n = at::arange(part.numel(), at::kDouble).view_as(part);
        sum = sum + (part * at::sin(n * 0.31 + b)).sum();
        b += 0.7;
    }
    return sum;
}

// Noise of the kinds that the layer has.
SequenceNoise noise_of(const RecurrentLayer& layer, const torch::Tensor& x) {
    at::manual_seed(11);
    const auto* lstm = dynamic_cast<const ConvLstm*>(&layer);
    const RecurrentOptions& options = layer.recurrent_options();
    const auto draw = [](std::vector<std::int64_t> shape, at::IntArrayRef size, double chance) {
        shape.insert(shape.end(), size.begin(), size.end());
        return chance > 0.0 ? at::empty(shape, at::kDouble).bernoulli_(chance) : torch::Tensor();
    };
    const at::IntArrayRef size = x.sizes().slice(3);
    const std::vector<std::int64_t> state_size = layer.output_size(size);
    const std::int64_t gates = lstm != nullptr ? 4 : 3;
    return {draw({kBatch, gates, x.size(2)}, size, options.dropout),
            draw({kBatch, gates, options.filters}, state_size, options.recurrent_dropout),
            draw({kBatch, kSteps, options.filters}, state_size, options.zoneout),
            draw({kBatch, kSteps, options.filters}, state_size, lstm != nullptr ? lstm->options().zoneout_cell : 0.0)};
}

// Outputs and last states of the layer's weights in the operator, or in the definition.
std::vector<torch::Tensor> run_cell(const RecurrentLayer& layer, const torch::Tensor& x, State state,
                                    const SequenceNoise& noise, bool definition) {
    const RecurrentOptions& o = layer.recurrent_options();
    const CellRules rules{{o.stride, o.dilation, o.padding}, o.activation, o.recurrent_activation};
    if (const auto* lstm = dynamic_cast<const ConvLstm*>(&layer)) {
        const torch::Tensor outputs = definition ? nowcell::conv_lstm_reference(x, state, lstm->weights(), rules, noise)
                                                 : nowcell::conv_lstm(x, state, lstm->weights(), rules, noise);
        return {outputs, state.h, state.c};
    }
    const auto& gru = dynamic_cast<const ConvGru&>(layer);
    const nowcell::ConvGruRules all{rules, gru.options().reset, gru.options().update};
    const torch::Tensor outputs = definition ? nowcell::conv_gru_reference(x, state, gru.weights(), all, noise)
                                             : nowcell::conv_gru(x, state, gru.weights(), all, noise);
    return {outputs, state.h};
}

// One layer with everything that it reads; all in double precision.
struct Bench {
    std::shared_ptr<RecurrentLayer> layer;
    torch::Tensor x, mask;
    State state;
    bool has_c = false;
    std::vector<std::pair<std::string, torch::Tensor>> inputs;  // all that can have a gradient

    explicit Bench(const Variant& variant, Memory memory = Memory::store) {
        at::manual_seed(5);
        layer = variant.make(memory);
        layer->to(at::kDouble);
        const RecurrentOptions& options = layer->recurrent_options();
        const auto normal = [](const std::vector<std::int64_t>& shape) { return at::randn(shape, at::kDouble); };
        const std::vector<std::int64_t> size = frame(options.rank);
        const std::vector<std::int64_t> state_size = layer->output_size(size);
        std::vector<std::int64_t> shape = {kBatch, kSteps, 2};
        shape.insert(shape.end(), size.begin(), size.end());
        x = normal(shape);
        shape = {kBatch, 3};
        shape.insert(shape.end(), state_size.begin(), state_size.end());
        has_c = std::dynamic_pointer_cast<ConvLstm>(layer) != nullptr;
        state.h = normal(shape) * 0.5;
        if (has_c) state.c = normal(shape) * 0.5;
        if (variant.masked) {
            mask = at::ones({kBatch, kSteps}, at::kBool);
            mask[0][2] = false;
            mask[0][5] = false;
            mask[1][0] = false;
        }
        inputs = {{"x", x}, {"h", state.h}};
        if (has_c) inputs.emplace_back("c", state.c);
        const c10::NoGradGuard no_grad;
        for (auto& parameter : layer->named_parameters()) {
            // Nothing at its initial zeros and ones: those hide mistakes.
            parameter.value().add_(at::randn_like(parameter.value()) * 0.3);
            inputs.emplace_back(parameter.key(), parameter.value());
        }
        for (auto& [name, tensor] : inputs) tensor.requires_grad_(true);
    }

    // Output, last h, last c.
    std::vector<torch::Tensor> run(const torch::Tensor& frames) const {
        at::manual_seed(7);  // the same masks in every call
        State last = state;
        const torch::Tensor outputs = layer->forward(frames, last, mask);
        std::vector<torch::Tensor> all = {outputs, last.h};
        if (has_c) all.push_back(last.c);
        return all;
    }

    torch::Tensor loss(const torch::Tensor& frames) const { return weighted(run(frames)); }
    torch::Tensor loss() const { return loss(x); }

    std::vector<torch::Tensor> tensors() const {
        std::vector<torch::Tensor> all;
        for (const auto& [name, tensor] : inputs) all.push_back(tensor);
        return all;
    }
    std::vector<torch::Tensor> gradients(bool create_graph = false) const {
        return torch::autograd::grad({loss()}, tensors(), {}, create_graph, create_graph);
    }
};

double largest(const torch::Tensor& x) { return x.abs().max().item<double>(); }

// The central difference of a function at one element.
double slope(torch::Tensor tensor, std::int64_t at, const std::function<double()>& value) {
    constexpr double kStep = 1e-5;
    const c10::NoGradGuard no_grad;
    torch::Tensor element = tensor.view({-1})[at];
    const double middle = element.item<double>();
    element.fill_(middle + kStep);
    const double above = value();
    element.fill_(middle - kStep);
    const double below = value();
    element.fill_(middle);
    return (above - below) / (2.0 * kStep);
}

}  // namespace

TEST_CASE("contract: gradients equal central differences, and no parameter is without") {
    for (const Variant& variant : variants()) {
        const Bench bench(variant);
        const std::vector<torch::Tensor> got = bench.gradients();
        for (std::size_t i = 0; i < bench.inputs.size(); ++i) {
            const auto& [name, tensor] = bench.inputs[i];
            INFO(variant.name << ": " << name);
            CHECK(largest(got[i]) > 0.0);
            const torch::Tensor flat = got[i].contiguous().view({-1});
            const std::int64_t stride = std::max<std::int64_t>(1, flat.numel() / 7);
            for (std::int64_t at = 0; at < flat.numel(); at += stride) {
                const double numeric = slope(tensor, at, [&] { return bench.loss().item<double>(); });
                CHECK(std::abs(flat[at].item<double>() - numeric) < 1e-7 * std::max(1.0, std::abs(numeric)));
            }
        }
    }
}

TEST_CASE("contract: recomputing gives the gradients of storing") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        const Bench stored(variant);
        const Bench recomputed(variant, Memory::recompute);
        const std::vector<torch::Tensor> a = stored.gradients();
        const std::vector<torch::Tensor> b = recomputed.gradients();
        for (std::size_t i = 0; i < a.size(); ++i) CHECK(at::allclose(a[i], b[i], 1e-12, 1e-12));
    }
}

TEST_CASE("contract: gradients accumulate, and two runs agree bit for bit") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        const Bench bench(variant);
        const std::vector<torch::Tensor> first = bench.gradients();
        const std::vector<torch::Tensor> second = bench.gradients();
        for (std::size_t i = 0; i < first.size(); ++i) CHECK(at::equal(first[i], second[i]));
        bench.loss().backward();
        bench.loss().backward();
        for (std::size_t i = 0; i < first.size(); ++i) {
            CHECK(at::allclose(bench.inputs[i].second.grad(), 2 * first[i], 1e-12, 1e-12));
        }
    }
}

TEST_CASE("contract: a graph kept for it gives the same gradients twice") {
    const Bench bench(lstm("plain", [](auto&) {}));
    const torch::Tensor loss = bench.loss();
    const auto gradient = [&] { return torch::autograd::grad({loss}, {bench.x}, {}, true)[0]; };
    CHECK(at::equal(gradient(), gradient()));
}

TEST_CASE("contract: second derivatives equal central differences of the first") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        const Bench bench(variant);
        const auto norm = [&] {
            torch::Tensor sum = at::zeros({}, at::kDouble);
            for (const torch::Tensor& gradient : bench.gradients(true)) sum = sum + gradient.square().sum();
            return sum;
        };
        const torch::Tensor weight = bench.layer->parameters()[1];
        const std::vector<torch::Tensor> got = torch::autograd::grad({norm()}, {bench.x, weight}, {}, {}, false, true);
        for (const auto& [tensor, second] : {std::pair(bench.x, got[0]), std::pair(weight, got[1])}) {
            REQUIRE(second.defined());
            CHECK(largest(second) > 0.0);
            const std::int64_t at = second.numel() / 2;
            // Gradients need a graph even where the difference is taken.
            const double numeric = slope(tensor, at, [&] {
                const at::AutoGradMode grad(true);
                double sum = 0.0;
                for (const torch::Tensor& gradient : bench.gradients()) sum += gradient.square().sum().item<double>();
                return sum;
            });
            CHECK(std::abs(second.contiguous().view({-1})[at].item<double>() - numeric) <
                  1e-5 * std::max(1.0, std::abs(numeric)));
        }
    }
}

TEST_CASE("contract: a graph of the gradient does not change it, though one input depends on another") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        const Bench bench(variant);
        const auto gradient = [&](bool create_graph) {
            at::manual_seed(7);  // the same masks for both
            State state = bench.state;
            bench.layer->forward(bench.x, state, bench.mask);
            const torch::Tensor loss = bench.layer->forward(bench.x, state, bench.mask).square().sum();
            return torch::autograd::grad({loss}, {bench.layer->parameters()[1]}, {}, true, create_graph)[0];
        };
        CHECK(at::allclose(gradient(true), gradient(false), 1e-10, 1e-10));
    }
}

TEST_CASE("contract: a graph of the gradient has zeros where no output depends on a weight") {
    for (const Variant& variant : {lstm("plain", [](auto&) {}), gru("plain", [](auto&) {})}) {
        INFO(variant.name);
        const Bench bench(variant);
        const torch::Tensor hidden = bench.layer->parameters()[1];
        for (const bool create_graph : {false, true}) {
            State none;  // one step from zeros: nothing recurs
            const torch::Tensor loss = bench.layer->forward(bench.x.detach().narrow(1, 0, 1), none).sum();
            const torch::Tensor got = torch::autograd::grad({loss}, {hidden}, {}, {}, create_graph, true)[0];
            REQUIRE(got.defined());
            CHECK(largest(got) == 0.0);
        }
        // And when nothing else is asked for, so that no output has a graph.
        for (auto& parameter : bench.layer->parameters()) parameter.requires_grad_(false);
        hidden.requires_grad_(true);
        State none;
        const torch::Tensor loss = bench.layer->forward(bench.x.detach().narrow(1, 0, 1), none).sum();
        CHECK(largest(torch::autograd::grad({loss}, {hidden}, {}, {}, true)[0]) == 0.0);
    }
}

TEST_CASE("contract: absent states are zeros, each by itself") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        Bench bench(variant);
        const State full = bench.state;
        const auto run = [&](const State& start) {
            bench.state = start;
            std::vector<torch::Tensor> all = bench.run(bench.x);
            std::vector<torch::Tensor> leaves = bench.layer->parameters();
            leaves.push_back(bench.x);
            // The states that are there, too; the others have none.
            for (const torch::Tensor& state : {start.h, start.c}) {
                if (state.defined() && state.requires_grad()) leaves.push_back(state);
            }
            const std::vector<torch::Tensor> gradients = torch::autograd::grad({bench.loss()}, leaves);
            all.insert(all.end(), gradients.begin(), gradients.end());
            return all;
        };
        const torch::Tensor zeros = at::zeros_like(full.h.detach());
        const torch::Tensor c_zeros = bench.has_c ? zeros : torch::Tensor();
        const auto compare = [&](const State& absent, const State& explicit_zeros) {
            const std::vector<torch::Tensor> got = run(absent);
            const std::vector<torch::Tensor> expected = run(explicit_zeros);
            REQUIRE(got.size() == expected.size());
            for (std::size_t i = 0; i < got.size(); ++i) CHECK(at::allclose(got[i], expected[i], 1e-12, 1e-12));
        };
        compare({}, {zeros, c_zeros});
        if (!bench.has_c) continue;
        compare({full.h, {}}, {full.h, zeros});
        compare({{}, full.c}, {zeros, full.c});
    }
}

TEST_CASE("contract: the operator equals the reference, outputs and gradients") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        const Bench bench(variant);
        const SequenceNoise noise = noise_of(*bench.layer, bench.x);
        const std::vector<torch::Tensor> expected = run_cell(*bench.layer, bench.x, bench.state, noise, true);
        const std::vector<torch::Tensor> got = run_cell(*bench.layer, bench.x, bench.state, noise, false);
        REQUIRE(got.size() == expected.size());
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(at::allclose(got[i], expected[i], 1e-12, 1e-12));
        const std::vector<torch::Tensor> gradients = torch::autograd::grad({weighted(got)}, bench.tensors());
        const std::vector<torch::Tensor> defined = torch::autograd::grad({weighted(expected)}, bench.tensors());
        for (std::size_t i = 0; i < gradients.size(); ++i) {
            CHECK(at::allclose(gradients[i], defined[i], 1e-10, 1e-10));
        }
    }
}

TEST_CASE("contract: memory layout of the frames does not matter") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        const Bench bench(variant);
        const torch::Tensor expected = bench.loss();
        const torch::Tensor time_major = bench.x.detach().transpose(0, 1).contiguous().transpose(0, 1);
        const torch::Tensor channels_last = bench.x.detach().movedim(2, -1).contiguous().movedim(-1, 2);
        const torch::Tensor every_second = at::stack({bench.x.detach(), bench.x.detach()}, -1).select(-1, 0);
        for (const torch::Tensor& x : {time_major, channels_last, every_second}) {
            REQUIRE(!x.is_contiguous());
            torch::Tensor leaf = x.requires_grad_(true);
            const torch::Tensor loss = bench.loss(leaf);
            CHECK(at::allclose(loss, expected, 1e-12, 1e-12));
            CHECK(at::allclose(torch::autograd::grad({loss}, {leaf})[0], bench.gradients()[0], 1e-12, 1e-12));
        }
    }
}

TEST_CASE("contract: one step, one sample") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        Bench bench(variant);
        bench.mask = torch::Tensor();
        State none;
        const torch::Tensor x = bench.x.narrow(0, 0, 1).narrow(1, 0, 1);
        const torch::Tensor out = bench.layer->forward(x, none);
        std::vector<std::int64_t> expected = bench.layer->output_size(frame(bench.x.dim() - 3));
        expected.insert(expected.begin(), 3);
        if (bench.layer->recurrent_options().return_sequences) expected.insert(expected.begin(), 1);
        expected.insert(expected.begin(), 1);
        CHECK((out.sizes() == expected));
        CHECK(torch::autograd::grad({out.sum()}, {bench.x})[0].isfinite().all().item<bool>());
        CHECK(none.c.defined() == bench.has_c);
    }
}

TEST_CASE("contract: a state split over two calls equals one call") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        Bench bench(variant);
        const RecurrentOptions& options = bench.layer->recurrent_options();
        if (options.go_backwards || !options.return_sequences) continue;
        bench.layer->eval();  // no draws
        State whole = bench.state;
        const torch::Tensor expected = bench.layer->forward(bench.x, whole, bench.mask);
        State pieces = bench.state;
        std::vector<torch::Tensor> got;
        for (const auto& [first, count] : {std::pair<std::int64_t, std::int64_t>{0, 1}, {1, 4}, {5, 1}}) {
            const torch::Tensor mask = bench.mask.defined() ? bench.mask.narrow(1, first, count) : bench.mask;
            got.push_back(bench.layer->forward(bench.x.narrow(1, first, count), pieces, mask));
        }
        if (!bench.mask.defined()) CHECK(at::allclose(at::cat(got, 1), expected, 1e-12, 1e-12));
        CHECK(at::allclose(pieces.h, whole.h, 1e-12, 1e-12));
        if (bench.has_c) CHECK(at::allclose(pieces.c, whole.c, 1e-12, 1e-12));
    }
}

TEST_CASE("contract: the order of frames matters") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        const Bench bench(variant);
        CHECK(!at::allclose(bench.run(bench.x)[1], bench.run(bench.x.flip(1))[1], 1e-3, 1e-3));
    }
}

TEST_CASE("contract: without gradients the outputs are the same, and single precision is near") {
    for (const Variant& variant : variants()) {
        INFO(variant.name);
        Bench bench(variant);
        bench.layer->eval();
        const std::vector<torch::Tensor> expected = bench.run(bench.x);
        {
            const c10::InferenceMode inference;
            const std::vector<torch::Tensor> got = bench.run(bench.x);
            for (std::size_t i = 0; i < got.size(); ++i) CHECK(at::equal(got[i], expected[i]));
        }
        const c10::NoGradGuard no_grad;
        bench.layer->to(at::kFloat);
        bench.state = {bench.state.h.to(at::kFloat), bench.has_c ? bench.state.c.to(at::kFloat) : torch::Tensor()};
        CHECK(at::allclose(bench.run(bench.x.to(at::kFloat))[0].to(at::kDouble), expected[0], 1e-4, 1e-4));
    }
}
