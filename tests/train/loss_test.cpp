#include "train/loss.h"
#include "predict/scores/ssim.h"
#include "train/optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "tests/support/catch.h"

#include <cmath>
#include <functional>

using Catch::Approx;
using nowcell::Loss;
using nowcell::LossOptions;
using nowcell::Normalizer;
using nowcell::Supervised;

namespace {

constexpr std::int64_t kInput = 4;
const std::vector<std::string> kNames = {"mae",   "mse",         "huber", "mae+mse", "b-mae",
                                         "b-mse", "b-mae+b-mse", "ssim",  "gdl"};

// 0..50 mm/h as 0..1.
Normalizer radar() { return {.kind = "minmax", .min = 0.0, .max = 50.0}; }

double value(const LossOptions& options, const Supervised& frames, const torch::Tensor& valid = {}) {
    return Loss(options, radar())(frames, valid, kInput).item<double>();
}

// Frames after the input, smooth enough for finite differences; some targets in every class of radar().
Supervised random_frames(std::uint64_t seed = 3) {
    at::manual_seed(seed);
    const std::vector<std::int64_t> shape = {2, 3, 2, 12, 13};
    return {at::rand(shape, at::kDouble), at::rand(shape, at::kDouble).square(), kInput};
}

torch::Tensor row(const std::vector<double>& values) { return at::tensor(values, at::kDouble).view({1, 1, 1, 1, -1}); }

// The largest difference between autograd's gradient and central differences, over some elements.
double gradient_error(const Loss& loss, Supervised frames, const torch::Tensor& valid) {
    const torch::Tensor start = frames.prediction.detach().clone();
    frames.prediction = start.clone().requires_grad_();
    loss(frames, valid, kInput).backward();
    const torch::Tensor gradient = frames.prediction.grad().flatten();
    double worst = 0.0;
    for (std::int64_t i = 0; i < gradient.numel(); i += 41) {
        const auto at_offset = [&](double offset) {
            Supervised moved = frames;
            moved.prediction = start.clone();
            moved.prediction.view(-1)[i] += offset;
            return loss(moved, valid, kInput).item<double>();
        };
        const double numeric = (at_offset(1e-6) - at_offset(-1e-6)) / 2e-6;
        worst = std::max(worst, std::abs(numeric - gradient[i].item<double>()));
    }
    return worst / gradient.abs().max().item<double>();
}

}  // namespace

TEST_CASE("pixelwise losses are plain means") {
    // Keras' documented case: mean over all elements, not a mean of batch means.
    const Supervised frames{row({4, 8, 12, 8, 1, 3}), row({1, 9, 2, -5, -2, 6}), kInput};
    CHECK(value({.name = "mae"}, frames) == Approx(5.5));
    CHECK(value({.name = "mse"}, frames) == Approx((9 + 1 + 100 + 169 + 9 + 9) / 6.0));
    CHECK(value({.name = "mae+mse"}, frames) == Approx(5.5 + 297 / 6.0));
    // |e| = 3, 1, 10, 13, 3, 3 with delta 2.
    CHECK(value({.name = "huber", .huber_delta = 2.0}, frames) ==
          Approx((3 * 2 * (3 - 1) + 0.5 + 2 * (10 - 1) + 2 * (13 - 1)) / 6.0));
}

TEST_CASE("balanced losses weigh a pixel by the class of its true value") {
    // 0, 0.5, 2, 4.99, 5, 10, 29, 30, 50 mm/h; every forecast is off by 0.1 of the range.
    const torch::Tensor truth = row({0, .5, 2, 4.99, 5, 10, 29, 30, 50}) / 50.0;
    const Supervised frames{truth + 0.1, truth, kInput};
    const double mean_weight = (1 + 1 + 2 + 2 + 5 + 10 + 10 + 30 + 30) / 9.0;
    CHECK(value({.name = "b-mae"}, frames) == Approx(0.1 * mean_weight));
    CHECK(value({.name = "b-mse"}, frames) == Approx(0.01 * mean_weight));
    CHECK(value({.name = "b-mae+b-mse"}, frames) == Approx(0.11 * mean_weight));
    const LossOptions own{.name = "b-mae", .thresholds = {5}, .threshold_weights = {0, 3}};
    CHECK(value(own, frames) == Approx(0.1 * 3 * 5 / 9.0));
    // A value on a threshold stays on it in the type and by the map that the target went through.
    for (const char* kind : {"minmax", "zscore", "log1p", "none"}) {
        const Normalizer map{.kind = kind, .min = 0.0, .max = 50.0, .mean = 1.7, .deviation = 3.3};
        const torch::Tensor target =
            map.apply(at::tensor({0.4999, 0.5, 2.0, 5.0, 30.0}, at::kFloat).view({1, 1, 1, 1, 5}));
        const Loss loss({.name = "b-mae"}, map);
        CHECK(loss({target + 1, target, kInput}, {}, kInput).item<double>() == Approx((1 + 1 + 2 + 5 + 30) / 5.0));
    }
}

TEST_CASE("the gradient difference compares the sizes of steps between neighbours") {
    const torch::Tensor truth = at::tensor({0.0, 1.0, 4.0, 4.0, 2.0, 2.0}, at::kDouble).view({1, 1, 1, 2, 3});
    const torch::Tensor forecast = at::tensor({0.0, 0.0, 0.0, 1.0, 0.0, 3.0}, at::kDouble).view({1, 1, 1, 2, 3});
    // Down: |truth| 4, 1, 2, |forecast| 1, 0, 3. Along: 1, 3; 2, 0 and 0, 0; 1, 3.
    const double down = (3 + 1 + 1) / 3.0, along = (1 + 3 + 1 + 3) / 4.0;
    CHECK(value({.name = "gdl"}, {forecast, truth, kInput}) == Approx(down + along));
    CHECK(value({.name = "gdl"}, {-truth, truth, kInput}) == 0.0);  // sizes, not signs
    CHECK(value({.gradient_weight = 0.5}, {forecast, truth, kInput}) ==
          Approx(value({}, {forecast, truth, kInput}) + 0.5 * (down + along)));
    // A pair counts where both of its pixels are known: of the second row only the first.
    const torch::Tensor valid = at::tensor({1, 1, 1, 1, 0, 0}, at::kInt).view(truth.sizes()).to(at::kBool);
    CHECK(value({.name = "gdl"}, {forecast, truth.masked_fill(valid.logical_not(), NAN), kInput}, valid) ==
          Approx(3.0 + (1 + 3) / 2.0));
    CHECK(value({.name = "gdl"}, {row({0, 2}), row({0, 1}), kInput}) == Approx(1.0));  // a frame of one row
}

TEST_CASE("the similarity loss is one minus the metric, on the range that the metric has") {
    const Supervised frames = random_frames();
    for (const char* kind : {"minmax", "zscore", "log1p"}) {
        const Normalizer map{.kind = kind, .min = 2.0, .max = 8.0, .mean = 5.0, .deviation = 2.0};
        const Supervised model_units{map.apply(frames.prediction * 6 + 2), map.apply(frames.target * 6 + 2), kInput};
        const double metric =
            nowcell::ssim(frames.prediction.flatten(0, 1), frames.target.flatten(0, 1)).mean().item<double>();
        CHECK(Loss({.name = "ssim"}, map)(model_units, {}, kInput).item<double>() ==
              Approx(1.0 - metric).epsilon(1e-9));
    }
    CHECK(value({.name = "ssim"}, {frames.target, frames.target, kInput}) == Approx(0.0).margin(1e-12));
    CHECK(value({.ssim_weight = 0.25}, frames) == Approx(value({}, frames) + 0.25 * value({.name = "ssim"}, frames)));
    const Supervised small{at::rand({1, 1, 1, 10, 20}), at::rand({1, 1, 1, 10, 20}), kInput};
    CHECK_THROWS_AS(value({.name = "ssim"}, small), c10::ValueError);
    CHECK_THROWS_AS(value({.ssim_weight = 1.0}, small), c10::ValueError);
    // Training after a validation: the metric's constants were made in inference mode, and autograd takes them.
    Supervised later = frames;
    later.prediction = frames.prediction.clone().requires_grad_();
    {
        const c10::InferenceMode inference;
        CHECK(nowcell::ssim(at::rand({1, 1, 12, 12}), at::rand({1, 1, 12, 12})).item<double>() < 1.0);
    }
    CHECK_NOTHROW(Loss({.name = "ssim"}, radar())(later, {}, kInput).backward());
}

TEST_CASE("every loss has the gradient of its value") {
    at::manual_seed(9);
    const Supervised frames = random_frames();
    const torch::Tensor valid = at::rand(frames.target.sizes()) > 0.3;
    for (const std::string& name : kNames) {
        for (const bool masked : {false, true}) {
            INFO(name << (masked ? " masked" : ""));
            const Loss loss({.name = name, .huber_delta = 0.3, .lead_weights = {0.5, 1.0, 1.5}}, radar());
            CHECK(gradient_error(loss, frames, masked ? valid : torch::Tensor()) < 1e-6);
        }
    }
    const Loss all({.name = "mse", .gradient_weight = 0.3, .ssim_weight = 0.2}, radar());
    CHECK(gradient_error(all, frames, valid) < 1e-6);
}

TEST_CASE("what is not known has no part in any loss, and nothing flows back from it") {
    const Supervised known = random_frames();
    at::manual_seed(2);
    torch::Tensor valid = at::rand(known.target.sizes()) > 0.1;
    valid[1][2].fill_(false);  // a frame of which nothing is known
    const torch::Tensor unknown = valid.logical_not();
    for (const std::string& name : kNames) {
        INFO(name);
        const LossOptions options{.name = name};
        Supervised frames = known;
        frames.prediction = known.prediction.clone().requires_grad_();
        frames.target = known.target.masked_fill(unknown, std::nan(""));
        const torch::Tensor loss = Loss(options, radar())(frames, valid, kInput);
        REQUIRE(std::isfinite(loss.item<double>()));
        loss.backward();
        CHECK(frames.prediction.grad().isfinite().all().item<bool>());
        CHECK(frames.prediction.grad().masked_select(unknown).abs().max().item<double>() == 0.0);
        CHECK(frames.prediction.grad().abs().max().item<double>() > 0.0);
        // Whatever stands there: also in the forecast.
        const Supervised other{known.prediction.masked_fill(unknown, 7.0), frames.target, kInput};
        CHECK(value(options, other, valid) == Approx(loss.item<double>()).epsilon(1e-12));
        // A mask that hides nothing changes nothing.
        CHECK(value(options, known, at::ones_like(valid)) == Approx(value(options, known)).epsilon(1e-12));
        // Nothing known: 0, and no gradient.
        frames.prediction = known.prediction.clone().requires_grad_();
        const torch::Tensor none = Loss(options, radar())(frames, at::zeros_like(valid), kInput);
        none.backward();
        CHECK(none.item<double>() == 0.0);
        CHECK(frames.prediction.grad().abs().max().item<double>() == 0.0);
    }
    const torch::Tensor difference = (known.prediction - known.target).masked_select(valid);
    CHECK(value({.name = "mae"}, known, valid) == Approx(difference.abs().mean().item<double>()));
    CHECK(value({.name = "mse"}, known, valid) == Approx(difference.square().mean().item<double>()));
}

TEST_CASE("lead times have their weights, counted from the end of the input") {
    const Supervised frames = random_frames();
    const auto of_lead = [&](const std::string& name, std::int64_t lead) {
        return value({.name = name},
                     {frames.prediction.narrow(1, lead - 1, 1), frames.target.narrow(1, lead - 1, 1), kInput});
    };
    for (const std::string& name : kNames) {
        INFO(name);
        const LossOptions options{.name = name, .lead_weights = {0.5, 1.0, 1.5}};
        CHECK(value(options, frames) ==
              Approx((0.5 * of_lead(name, 1) + of_lead(name, 2) + 1.5 * of_lead(name, 3)) / 3.0));
        // Taught input frames weigh what the first lead does: frames 3, 4 (input), 5 (lead 1) when the input has 5.
        Supervised earlier = frames;
        earlier.first = kInput - 2;
        CHECK(value(options, earlier) == Approx(0.5 * value({.name = name}, frames)));
    }
    Supervised beyond = frames;
    beyond.first = kInput + 1;
    CHECK_THROWS_AS(value({.lead_weights = {1, 1, 1}}, beyond), c10::ValueError);
}

TEST_CASE("passes weighed by their counts give the loss of the large batch") {
    const Supervised frames = random_frames();
    at::manual_seed(4);
    const torch::Tensor valid = at::rand(frames.target.sizes()) > 0.5;
    const auto part = [&](const torch::Tensor& all, std::int64_t b) { return all.narrow(0, b, 1); };
    for (const std::string& name : kNames) {
        for (const bool masked : {false, true}) {
            if (masked && (name == "ssim" || name == "gdl")) continue;  // they count windows and pairs
            INFO(name << masked);
            const Loss loss({.name = name}, radar());
            double sum = 0.0, count = 0.0;
            for (std::int64_t b = 0; b < 2; ++b) {
                const Supervised pass{part(frames.prediction, b), part(frames.target, b), kInput};
                const torch::Tensor mask = masked ? part(valid, b) : torch::Tensor();
                const double n = Loss::count(pass, mask).item<double>();
                sum += n * loss(pass, mask, kInput).item<double>();
                count += n;
            }
            CHECK(sum / count ==
                  Approx(value({.name = name}, frames, masked ? valid : torch::Tensor())).epsilon(1e-12));
        }
    }
}

TEST_CASE("gradients of several passes are those of the large batch") {
    at::manual_seed(6);
    const auto config = nowcell::Config::parse("[[model.layers]]\nfilters = 3\n", "test", {"data.path=memory"});
    const auto network = nowcell::make_sequence_model(1, nowcell::ModelOptions::from(config));
    network->to(at::kDouble);
    const auto parameters = nowcell::named_parameters(*network);
    const torch::Tensor input = at::rand({5, kInput, 1, 12, 12}, at::kDouble), target = at::rand_like(input);
    torch::Tensor valid = at::rand(target.sizes()) > 0.5;
    valid[4].fill_(false);  // a pass without anything known
    for (const bool masked : {false, true}) {
        const Loss loss({.name = "mae+mse", .ssim_weight = masked ? 0.0 : 0.3}, radar());
        // Adds the gradients of some windows; returns the count that they were weighed with.
        const auto pass = [&](std::int64_t first, std::int64_t count) {
            const torch::Tensor mask = masked ? valid.narrow(0, first, count) : torch::Tensor();
            const Supervised frames =
                network->supervised({input.narrow(0, first, count), target.narrow(0, first, count)});
            const torch::Tensor weight = Loss::count(frames, mask);
            (loss(frames, mask, kInput) * weight).backward();
            return weight.item<double>();
        };
        const auto gradients = [&](const std::vector<std::pair<std::int64_t, std::int64_t>>& passes) {
            network->zero_grad();
            double sum = 0.0;
            for (const auto& [first, count] : passes) sum += pass(first, count);
            nowcell::divide_gradients(parameters, sum);
            std::vector<torch::Tensor> all;
            for (const auto& [name, parameter] : parameters) all.push_back(parameter.grad().flatten().clone());
            return at::cat(all);
        };
        const torch::Tensor whole = gradients({{0, 5}});
        CHECK(whole.abs().max().item<double>() > 1e-3);
        const torch::Tensor parts = gradients({{0, 2}, {2, 2}, {4, 1}});
        CHECK((whole - parts).abs().max().item<double>() < 1e-12);
    }
}

TEST_CASE("a loss broadcasts nothing") {
    const Supervised frames = random_frames();
    for (const std::string& name : kNames) {
        INFO(name);
        CHECK_THROWS_AS(value({.name = name}, {frames.prediction, frames.target.narrow(2, 0, 1)}), c10::ValueError);
        CHECK_THROWS_AS(value({.name = name}, {frames.prediction[0], frames.target[0]}), c10::ValueError);
        CHECK_THROWS_AS(value({.name = name}, frames, at::ones({1}, at::kBool)), c10::ValueError);
    }
}
