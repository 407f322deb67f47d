#include "train/optimizer.h"
#include "cells/conv_lstm.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/golden.h"

#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

using Catch::Approx;
using nowcell::make_optimizer;
using nowcell::NamedParameters;
using nowcell::Optimizer;
using nowcell::OptimizerOptions;

namespace {

struct Single : torch::nn::Module {
    explicit Single(double value) { weight = register_parameter("weight", at::full({2}, value)); }
    torch::Tensor weight;
};

NamedParameters parameters(at::ScalarType type = at::kFloat) {
    at::manual_seed(5);
    return {{"a.weight", at::randn({3, 2, 2}, type).requires_grad_()}, {"b", at::randn({4}, type).requires_grad_()}};
}

// The same gradients for the same step, whoever asks.
void give_gradients(const NamedParameters& all, int step) {
    at::manual_seed(static_cast<std::uint64_t>(100 + step));
    for (const auto& [name, parameter] : all) torch::Tensor(parameter).mutable_grad() = at::randn_like(parameter);
}

void take_steps(Optimizer& optimizer, int first, int count) {
    for (int step = first; step < first + count; ++step) {
        give_gradients(optimizer.parameters(), step);
        optimizer.step(0.01 / (1 + step));
    }
}

std::vector<OptimizerOptions> every_kind() {
    std::vector<OptimizerOptions> kinds;
    for (const char* name : {"adam", "adam-keras", "adamw", "sgd"}) {
        for (const double decay : {0.0, 0.1}) kinds.push_back({.name = name, .weight_decay = decay});
    }
    kinds.push_back({.name = "sgd", .momentum = 0.9, .weight_decay = 0.1});
    kinds.push_back({.name = "sgd", .momentum = 0.9, .nesterov = true});
    return kinds;
}

// What the optimiser makes of one weight of 1 at rate 1e-3.
std::vector<double> path(const std::string& name, double eps, const std::vector<double>& gradients) {
    torch::Tensor weight = at::ones({1}, at::kDouble).requires_grad_(true);
    const auto optimizer = make_optimizer({.name = name, .eps = eps}, {{"w", weight}});
    std::vector<double> out;
    for (const double gradient : gradients) {
        weight.mutable_grad() = at::full({1}, gradient, at::kDouble);
        optimizer->step(1e-3);
        out.push_back(weight.item<double>());
    }
    return out;
}

void check_path(const std::vector<double>& got, const std::vector<double>& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(got[i] - expected[i]) < 1e-9);
}

std::string refusal(const std::function<void()>& action) {
    try {
        action();
    } catch (const nowcell::Error& error) {
        CHECK(error.code() == nowcell::ExitCode::model);
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("Adam takes PyTorch's steps, or Keras'") {
    // What both frameworks computed, from their documented defaults.
    const std::vector<double> usual = {.1, -.2, .05, .3, -.01};
    check_path(path("adam", 1e-8, usual), {.999000000100, .999366103604, .999502794257, .999108694383, .998790165371});
    check_path(path("adam-keras", 1e-7, usual),
               {.999000031622, .999366129971, .999502818746, .999108722155, .998790195794});
    const std::vector<double> tiny(5, 1e-6);
    check_path(path("adam", 1e-8, tiny), {.999009900990, .998019801980, .997029702970, .996039603960, .995049504950});
    check_path(path("adam-keras", 1e-7, tiny),
               {.999759746927, .999450783324, .999097008293, .998709760401, .998295789459});
}

TEST_CASE("Adam, AdamW and SGD are bit for bit PyTorch's") {
    for (const OptimizerOptions& options : every_kind()) {
        if (options.name == "adam-keras") continue;
        INFO(options.name << " decay " << options.weight_decay << " momentum " << options.momentum);
        const NamedParameters ours = parameters();
        std::vector<torch::Tensor> theirs;
        for (const auto& [name, parameter] : parameters()) theirs.push_back(parameter);
        std::unique_ptr<torch::optim::Optimizer> torch_optimizer;
        if (options.name == "adam") {
            torch_optimizer = std::make_unique<torch::optim::Adam>(
                theirs, torch::optim::AdamOptions(0.01).weight_decay(options.weight_decay));
        } else if (options.name == "adamw") {
            torch_optimizer = std::make_unique<torch::optim::AdamW>(
                theirs, torch::optim::AdamWOptions(0.01).weight_decay(options.weight_decay));
        } else {
            torch_optimizer = std::make_unique<torch::optim::SGD>(theirs, torch::optim::SGDOptions(0.01)
                                                                              .momentum(options.momentum)
                                                                              .nesterov(options.nesterov)
                                                                              .weight_decay(options.weight_decay));
        }
        const auto optimizer = make_optimizer(options, ours);
        for (int step = 0; step < 8; ++step) {
            give_gradients(ours, step);
            for (std::size_t i = 0; i < theirs.size(); ++i) theirs[i].mutable_grad() = ours[i].second.grad().clone();
            optimizer->step(0.01);
            torch_optimizer->step();
            for (std::size_t i = 0; i < theirs.size(); ++i) REQUIRE(at::equal(ours[i].second, theirs[i]));
        }
    }
}

TEST_CASE("Keras' weight decay shrinks the weights beside the gradient") {
    torch::Tensor weight = at::full({1}, 2.0, at::kDouble).requires_grad_(true);
    const auto optimizer = make_optimizer({.name = "adam-keras", .eps = 1e-7, .weight_decay = 0.1}, {{"w", weight}});
    weight.mutable_grad() = at::zeros({1}, at::kDouble);
    optimizer->step(0.5);
    CHECK(weight.item<double>() == Approx(2.0 * (1.0 - 0.5 * 0.1)).epsilon(1e-14));
}

TEST_CASE("an optimiser's state continues bit for bit in another one") {
    for (const OptimizerOptions& options : every_kind()) {
        INFO(options.name << " decay " << options.weight_decay << " momentum " << options.momentum);
        const auto whole = make_optimizer(options, parameters());
        take_steps(*whole, 0, 10);
        const auto first = make_optimizer(options, parameters());
        take_steps(*first, 0, 5);
        std::map<std::string, torch::Tensor> saved;
        for (const auto& [name, tensor] : first->state()) saved[name] = tensor.clone();
        NamedParameters weights;
        for (const auto& [name, tensor] : first->parameters()) {
            weights.emplace_back(name, tensor.detach().clone().requires_grad_());
        }
        const auto second = make_optimizer(options, weights);
        second->load_state(saved);
        take_steps(*second, 5, 5);
        const auto expected = whole->state();
        for (const auto& [name, tensor] : second->state()) CHECK(at::equal(tensor, expected.at(name)));
        for (std::size_t i = 0; i < weights.size(); ++i) {
            CHECK(at::equal(weights[i].second, whole->parameters()[i].second));
        }
        // Without the state the same steps end elsewhere.
        const auto forgetful = make_optimizer(options, parameters());
        take_steps(*forgetful, 0, 5);
        const auto fresh = make_optimizer(options, forgetful->parameters());
        take_steps(*fresh, 5, 5);
        const bool alike = at::equal(forgetful->parameters()[0].second, whole->parameters()[0].second);
        CHECK(alike == (options.name == "sgd" && options.momentum == 0.0));
    }
}

TEST_CASE("the state has a name for every tensor, and what does not fit is refused by name") {
    const auto optimizer = make_optimizer({}, parameters());
    take_steps(*optimizer, 0, 3);
    std::map<std::string, torch::Tensor> state = optimizer->state();
    std::vector<std::string> names;
    for (const auto& [name, tensor] : state) names.push_back(name);
    CHECK(names ==
          std::vector<std::string>{"exp_avg.a.weight", "exp_avg.b", "exp_avg_sq.a.weight", "exp_avg_sq.b", "step"});
    CHECK(state.at("step").item<std::int64_t>() == 3);
    const torch::Tensor before = state.at("exp_avg.b").clone();
    state.erase("exp_avg_sq.b");
    state["exp_avg.c"] = at::zeros({2});
    state["exp_avg.a.weight"] = at::zeros({3, 2});
    state["exp_avg.b"] = at::ones({4});
    const std::string message = refusal([&] { optimizer->load_state(state); });
    CHECK(holds(message, "missing: exp_avg_sq.b"));
    CHECK(holds(message, "unexpected: exp_avg.c"));
    CHECK(holds(message, "exp_avg.a.weight: got Float [3,2], expected Float [3,2,2]"));
    CHECK(at::equal(optimizer->state().at("exp_avg.b"), before));
    state = make_optimizer({}, parameters(at::kDouble))->state();
    CHECK(holds(refusal([&] { optimizer->load_state(state); }), "exp_avg.b: got Double [4], expected Float [4]"));
}

TEST_CASE("a parameter without a gradient stays") {
    const NamedParameters all = parameters();
    const torch::Tensor before = all[1].second.detach().clone();
    const auto optimizer = make_optimizer({.name = "adamw", .weight_decay = 0.1}, all);
    give_gradients(all, 0);
    torch::Tensor(all[1].second).mutable_grad().reset();
    const torch::Tensor moved = all[0].second.detach().clone();
    optimizer->step(0.1);
    CHECK(at::equal(all[1].second, before));
    CHECK_FALSE(at::equal(all[0].second, moved));
    optimizer->zero_grad();
    CHECK_FALSE(all[0].second.grad().defined());
}

TEST_CASE("gradients are clipped by their global norm, per variable or by value") {
    const auto clipped = [](const OptimizerOptions& options) {
        torch::Tensor a = at::zeros({2}).requires_grad_(true);
        torch::Tensor b = at::zeros({1}).requires_grad_(true);
        a.mutable_grad() = at::tensor({3.0F, 0.0F});
        b.mutable_grad() = at::tensor({-4.0F});
        CHECK(nowcell::clip_gradients({{"a", a}, {"b", b}}, options) == Approx(5.0));
        return std::pair(a.grad()[0].item<double>(), b.grad()[0].item<double>());
    };
    CHECK(clipped({.grad_clip = 0.0}) == std::pair(3.0, -4.0));
    const auto norm = clipped({.grad_clip = 1.0});
    CHECK(norm.first == Approx(0.6).epsilon(1e-4));
    CHECK(norm.second == Approx(-0.8).epsilon(1e-4));
    const auto each = clipped({.grad_clip = 3.5, .clip = "per-variable"});
    CHECK(each.first == Approx(3.0).epsilon(1e-6));
    CHECK(each.second == Approx(-3.5).epsilon(1e-5));
    CHECK(clipped({.grad_clip = 2.0, .clip = "value"}) == std::pair(2.0, -2.0));
    torch::Tensor bad = at::zeros({1}).requires_grad_(true);
    for (const char* clip : {"global-norm", "per-variable", "value"}) {
        bad.mutable_grad() = at::full({1}, std::numeric_limits<float>::quiet_NaN());
        CHECK(std::isnan(nowcell::clip_gradients({{"bad", bad}}, {.clip = clip})));
    }
}

TEST_CASE("the average follows the weights, quickly at first") {
    Single average(0.0);
    const Single weights(1.0);
    nowcell::update_average(average, weights, 0.99, 1);
    CHECK(average.weight[0].item<double>() == Approx(1.0 - 2.0 / 11.0));
    const double before = average.weight[0].item<double>();
    nowcell::update_average(average, weights, 0.99, 100000);
    CHECK(average.weight[0].item<double>() == Approx(before + 0.01 * (1.0 - before)));
    nowcell::copy_weights(average, weights);
    CHECK(at::equal(average.weight, weights.weight));
}

TEST_CASE("ten steps of training give the losses of Keras and of PyTorch") {
    const Golden golden = read_golden("training");
    const nlohmann::json keras = nlohmann::json::parse(golden.metadata.at("case"));
    const bool of_keras = GENERATE(true, false);
    nowcell::ConvLstmOptions options;
    options.input_channels = golden.at("x").size(-1);
    options.filters = keras.at("filters");
    options.kernel = keras.at("kernel_size").get<std::vector<std::int64_t>>();
    nowcell::ConvLstm layer(options);
    layer.to(at::kDouble);
    const auto ours = [](const torch::Tensor& kernel) { return kernel.movedim(-1, 0).movedim(-1, 1); };
    {
        const c10::NoGradGuard no_grad;
        layer.weights().input.copy_(ours(golden.at("kernel")));
        layer.weights().hidden.copy_(ours(golden.at("recurrent_kernel")));
        layer.weights().bias.copy_(golden.at("bias"));
    }
    const torch::Tensor x = golden.at("x").movedim(-1, 2), target = golden.at("target").movedim(-1, 2);
    const auto optimizer = make_optimizer({.name = of_keras ? "adam-keras" : "adam", .eps = of_keras ? 1e-7 : 1e-8},
                                          nowcell::named_parameters(layer));
    const torch::Tensor expected = golden.at(of_keras ? "losses/keras" : "losses/torch");
    // On TensorFlow Keras rounds both betas to float32 where it corrects the moments: 2e-8 of the last loss.
    const double tolerance = of_keras ? 5e-8 : 1e-9;
    REQUIRE(expected.numel() == 10);
    for (std::int64_t n = 0; n < expected.numel(); ++n) {
        optimizer->zero_grad();
        const torch::Tensor loss = (layer.forward(x) - target).abs().mean();
        CHECK(std::abs(loss.item<double>() - expected[n].item<double>()) < tolerance);
        (loss * keras.at("loss_scale").get<double>()).backward();
        optimizer->step(keras.at("lr"));
    }
}
