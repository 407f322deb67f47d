#include "train/optimizer.h"

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include "tests/support/catch.h"

#include <cmath>
#include <limits>

using Catch::Approx;
using nowcell::TrainOptions;

namespace {

struct Single : torch::nn::Module {
    explicit Single(double value) { weight = register_parameter("weight", at::full({2}, value)); }
    torch::Tensor weight;
};

}  // namespace

TEST_CASE("the losses are plain means and broadcast nothing") {
    // Keras' documented case: mean over all elements, not a mean of batch means.
    const torch::Tensor target = at::tensor({1.0, 9.0, 2.0, -5.0, -2.0, 6.0}).view({2, 3});
    const torch::Tensor prediction = at::tensor({4.0, 8.0, 12.0, 8.0, 1.0, 3.0}).view({2, 3});
    CHECK(nowcell::loss_of("mae", {prediction, target}).item<double>() == Approx(5.5));
    CHECK(nowcell::loss_of("mse", {prediction, target}).item<double>() == Approx((9 + 1 + 100 + 169 + 9 + 9) / 6.0));
    CHECK_THROWS_AS(nowcell::loss_of("mae", {prediction, target.narrow(1, 0, 1)}), c10::ValueError);
}

TEST_CASE("Adam takes PyTorch's steps") {
    // Gradients .1, -.2, .05, .3, -.01 from weight 1 at rate 1e-3: PyTorch's documented defaults, in float64.
    torch::Tensor weight = at::ones({1}, at::kDouble).requires_grad_(true);
    TrainOptions options;
    auto optimizer = nowcell::make_optimizer(options, {weight});
    const double expected[] = {.999000000100, .999366103604, .999502794257, .999108694383, .998790165371};
    const double gradients[] = {.1, -.2, .05, .3, -.01};
    for (int i = 0; i < 5; ++i) {
        weight.mutable_grad() = at::full({1}, gradients[i], at::kDouble);
        optimizer->step();
        CHECK(weight.item<double>() == Approx(expected[i]).epsilon(1e-9));
    }
}

TEST_CASE("the learning rate warms up, then follows its schedule to the end") {
    TrainOptions options;
    options.lr = 1.0;
    options.min_lr = 0.1;
    options.warmup_steps = 10;
    CHECK(nowcell::learning_rate(options, 0, 110) == Approx(0.1));
    CHECK(nowcell::learning_rate(options, 9, 110) == Approx(1.0));
    CHECK(nowcell::learning_rate(options, 60, 110) == 1.0);
    options.schedule = "cosine";
    CHECK(nowcell::learning_rate(options, 10, 110) == Approx(1.0));
    CHECK(nowcell::learning_rate(options, 60, 110) == Approx(0.55));
    CHECK(nowcell::learning_rate(options, 110, 110) == Approx(0.1));
    CHECK(nowcell::learning_rate(options, 500, 110) == Approx(0.1));
}

TEST_CASE("gradients are clipped by their global norm") {
    torch::Tensor a = at::zeros({2}).requires_grad_(true);
    torch::Tensor b = at::zeros({1}).requires_grad_(true);
    a.mutable_grad() = at::tensor({3.0F, 0.0F});
    b.mutable_grad() = at::tensor({4.0F});
    CHECK(nowcell::clip_gradients({a, b}, 0.0) == Approx(5.0));
    CHECK(a.grad()[0].item<double>() == 3.0);
    CHECK(nowcell::clip_gradients({a, b}, 1.0) == Approx(5.0));
    CHECK(a.grad()[0].item<double>() == Approx(0.6).epsilon(1e-4));
    CHECK(b.grad()[0].item<double>() == Approx(0.8).epsilon(1e-4));
    b.mutable_grad() = at::full({1}, std::numeric_limits<float>::quiet_NaN());
    CHECK(std::isnan(nowcell::clip_gradients({a, b}, 1.0)));
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

TEST_CASE("a masked loss is the mean over what is known, and nothing flows back from the rest") {
    at::manual_seed(2);
    const torch::Tensor truth = at::rand({2, 3, 1, 4, 4});
    const torch::Tensor valid = at::rand(truth.sizes()) > 0.4;
    for (const char* name : {"mae", "mse"}) {
        torch::Tensor forecast = at::rand(truth.sizes()).requires_grad_();
        const torch::Tensor loss =
            nowcell::loss_of(name, {forecast, truth.masked_fill(valid.logical_not(), std::nan(""))}, valid);
        const torch::Tensor known = (forecast - truth).masked_select(valid);
        const torch::Tensor expected = std::string(name) == "mse" ? known.square().mean() : known.abs().mean();
        CHECK(loss.item<double>() == Approx(expected.item<double>()).epsilon(1e-6));
        loss.backward();
        CHECK(forecast.grad().isfinite().all().item<bool>());
        CHECK(forecast.grad().masked_select(valid.logical_not()).abs().max().item<double>() == 0.0);
        CHECK(forecast.grad().masked_select(valid).abs().min().item<double>() > 0.0);
    }
    torch::Tensor forecast = at::rand(truth.sizes()).requires_grad_();
    const torch::Tensor none = nowcell::loss_of("mae", {forecast, truth}, at::zeros(truth.sizes(), at::kBool));
    none.backward();
    CHECK(none.item<double>() == 0.0);
    CHECK(forecast.grad().abs().max().item<double>() == 0.0);
    CHECK_THROWS_AS(nowcell::loss_of("mae", {forecast, truth}, at::ones({1}, at::kBool)), c10::ValueError);
}
