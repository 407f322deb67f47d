#include "src/sequence_model.h"
#include "src/checkpoint.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "tests/support/catch.h"

using nowcell::ModelOptions;

namespace {

ModelOptions options(const std::string& strategy, const std::string& head = "conv2d", std::int64_t patch = 1) {
    ModelOptions made;
    made.strategy = strategy;
    made.head = head;
    made.patch = patch;
    made.output_steps = 3;
    made.layers = {{.filters = 4}, {.filters = 3}};
    return made;
}

torch::Tensor frames(std::int64_t steps, std::int64_t channels = 1) {
    at::manual_seed(11);
    return at::rand({2, steps, channels, 8, 6});
}

// Largest change of outputs at or before t when everything after t is replaced.
double leak(nowcell::SequenceModel& model, const torch::Tensor& input, const torch::Tensor& target, std::int64_t t) {
    torch::Tensor changed = at::cat({input, target}, 1);
    const torch::Tensor later = changed.narrow(1, t + 1, changed.size(1) - t - 1);
    later.copy_(at::rand_like(later) * 5.0 - 2.0);
    const auto before = model.supervised({input, target}).prediction;
    const auto after =
        model.supervised({changed.narrow(1, 0, input.size(1)), changed.narrow(1, input.size(1), target.size(1))})
            .prediction;
    return (before.narrow(1, 0, t + 1) - after.narrow(1, 0, t + 1)).abs().max().item<double>();
}

}  // namespace

TEST_CASE("every strategy and head gives the asked horizon") {
    const c10::NoGradGuard no_grad;
    for (const char* strategy : {"next-frame", "encoder-forecaster"}) {
        for (const char* head : {"conv2d", "conv3d"}) {
            for (const std::int64_t patch : {1, 2}) {
                INFO(strategy << " " << head << " patch " << patch);
                auto model = nowcell::make_sequence_model(3, options(strategy, head, patch));
                for (const std::int64_t horizon : {1, 4}) {
                    const torch::Tensor forecast = model->forecast(frames(5, 3), {}, horizon);
                    CHECK(forecast.sizes() == std::vector<std::int64_t>({2, horizon, 3, 8, 6}));
                }
            }
        }
    }
}

TEST_CASE("no output sees a later frame") {
    const c10::NoGradGuard no_grad;
    for (const char* head : {"conv2d", "conv3d"}) {
        auto model = nowcell::make_sequence_model(1, options("next-frame", head));
        for (const std::int64_t t : {0, 3, 5}) CHECK(leak(*model, frames(4), frames(4), t) == 0.0);
    }
    for (const char* strategy : {"encoder-forecaster", "direct"}) {
        auto closed = nowcell::make_sequence_model(1, options(strategy));
        const torch::Tensor input = frames(4);
        const auto a = closed->supervised({input, at::zeros({2, 4, 1, 8, 6})});
        const auto b = closed->supervised({input, at::ones({2, 4, 1, 8, 6})});
        CHECK(at::equal(a.prediction, b.prediction));
    }
}

TEST_CASE("teacher forcing and rollout agree on the first forecast, and the rollout feeds itself") {
    const c10::NoGradGuard no_grad;
    for (const char* head : {"conv2d", "conv3d"}) {
        auto model = nowcell::make_sequence_model(1, options("next-frame", head));
        const torch::Tensor input = frames(5);
        const torch::Tensor rolled = model->forecast(input, {}, 3);
        // The rolled-out frames, given back as if they were the truth, must be forecast again.
        const auto taught = model->supervised({input, rolled});
        CHECK(at::allclose(taught.prediction.narrow(1, 4, 3), rolled, 1e-5, 1e-6));
        CHECK(taught.target.size(1) == 7);
    }
}

TEST_CASE("a longer horizon begins with the shorter one") {
    const c10::NoGradGuard no_grad;
    for (const std::string strategy : {"next-frame", "encoder-forecaster", "direct"}) {
        auto model = nowcell::make_sequence_model(1, options(strategy, strategy == "direct" ? "conv2d" : "conv3d"));
        const torch::Tensor input = frames(3);
        CHECK(at::equal(model->forecast(input, {}, 6).narrow(1, 0, 2), model->forecast(input, {}, 2)));
    }
}

TEST_CASE("a new network that corrects a baseline forecasts the baseline exactly") {
    const c10::NoGradGuard no_grad;
    for (const std::string kind : {"conv2d", "conv3d", "direct"}) {
        const bool direct = kind == "direct";
        ModelOptions correcting = options(direct ? "direct" : "encoder-forecaster", direct ? "conv2d" : kind, 2);
        correcting.residual_on = "persistence";
        auto model = nowcell::make_sequence_model(1, correcting);
        at::manual_seed(2);
        const torch::Tensor baseline = at::rand({2, 4, 1, 8, 6});
        CHECK(at::equal(model->forecast(frames(3), baseline, 4), baseline));
        CHECK_THROWS_AS(model->forecast(frames(3), {}, 4), c10::ValueError);
        CHECK_THROWS_AS(model->forecast(frames(3), baseline, 5), c10::ValueError);
    }
}

TEST_CASE("a relative network follows the level of its input") {
    const c10::NoGradGuard no_grad;
    for (const char* strategy : {"next-frame", "encoder-forecaster", "direct"}) {
        ModelOptions relative = options(strategy);
        relative.relative = true;
        auto model = nowcell::make_sequence_model(1, relative);
        const torch::Tensor forecast = model->forecast(frames(4), {}, 3);
        CHECK(at::allclose(model->forecast(frames(4) + 7.0, {}, 3), forecast + 7.0, 1e-4, 1e-4));
        const auto taught = model->supervised({frames(4), frames(2)});
        CHECK(at::allclose(taught.prediction.narrow(1, taught.prediction.size(1) - 2, 1),
                           strategy == std::string("next-frame") ? model->forecast(frames(4), {}, 1)
                                                                 : taught.prediction.narrow(1, 0, 1),
                           1e-5, 1e-6));
    }
}

TEST_CASE("further baselines are seen but not corrected") {
    const c10::NoGradGuard no_grad;
    ModelOptions guided = options("encoder-forecaster");
    guided.decoder_inputs = {"persistence", "seasonal"};
    auto model = nowcell::make_sequence_model(1, guided);
    at::manual_seed(3);
    const torch::Tensor guides = at::rand({2, 4, 2, 8, 6});
    const torch::Tensor forecast = model->forecast(frames(3), guides, 4);
    CHECK(forecast.sizes() == std::vector<std::int64_t>({2, 4, 1, 8, 6}));
    torch::Tensor changed = guides.clone();
    changed.select(2, 1).select(1, 2).add_(1.0);
    const torch::Tensor other = model->forecast(frames(3), changed, 4);
    CHECK(at::equal(other.narrow(1, 0, 2), forecast.narrow(1, 0, 2)));
    CHECK_FALSE(at::equal(other.select(1, 2), forecast.select(1, 2)));

    guided.residual_on = "seasonal";
    CHECK(guided.guides() == std::vector<std::string>({"seasonal", "persistence"}));
}

TEST_CASE("direct: all lead times come from one state, and longer forecasts go on from their own frames") {
    const c10::NoGradGuard no_grad;
    for (const bool last_only : {false, true}) {
        ModelOptions made = options("direct", "conv2d", 2);
        made.layers.back().return_sequences = !last_only;
        made.relative = true;
        made.decoder_inputs = {"persistence", "seasonal"};
        auto model = nowcell::make_sequence_model(1, made);
        const torch::Tensor input = frames(4);
        at::manual_seed(8);
        const torch::Tensor guides = at::rand({2, 7, 2, 8, 6});
        const torch::Tensor forecast = model->forecast(input, guides, 7);
        CHECK(at::equal(model->forecast(input, guides.narrow(1, 0, 3), 3), forecast.narrow(1, 0, 3)));
        const torch::Tensor second = at::cat({input.narrow(1, 3, 1), forecast.narrow(1, 0, 3)}, 1);
        CHECK(at::equal(model->forecast(second, guides.narrow(1, 3, 3), 3), forecast.narrow(1, 3, 3)));
        CHECK(at::equal(model->supervised({input, frames(2), guides.narrow(1, 0, 2)}).prediction,
                        forecast.narrow(1, 0, 2)));
        CHECK_THROWS_AS(model->forecast(input, guides, 6), c10::ValueError);
        CHECK_THROWS_AS(model->forecast(input, {}, 3), c10::ValueError);
    }
}

TEST_CASE("time_padding = \"same\" leaks where teaching shows true frames, and nowhere else") {
    const c10::NoGradGuard no_grad;
    ModelOptions same = options("next-frame", "conv3d");
    CHECK_FALSE(same.leaks());
    same.time_padding = "same";
    CHECK(same.leaks());
    auto model = nowcell::make_sequence_model(1, same);
    for (const std::int64_t t : {0, 3, 5}) CHECK(leak(*model, frames(4), frames(4), t) > 1e-4);
    // In a forecast there is no later frame: zeros stand for it, as behind the last frame of a sequence.
    const torch::Tensor input = frames(5);
    const torch::Tensor rolled = model->forecast(input, {}, 3);
    for (std::int64_t lead = 0; lead < 3; ++lead) {
        const torch::Tensor track = at::cat({input, rolled.narrow(1, 0, lead)}, 1);
        const auto again = model->supervised({track, rolled.narrow(1, lead, 1)});
        CHECK(at::allclose(again.prediction.select(1, track.size(1) - 1), rolled.select(1, lead), 1e-4, 1e-5));
    }
    // Baselines are all known beforehand.
    ModelOptions guided = options("encoder-forecaster", "conv3d");
    guided.time_padding = "same";
    guided.decoder_inputs = {"persistence"};
    CHECK_FALSE(guided.leaks());
    CHECK(nowcell::make_sequence_model(1, guided)->forecast(input, frames(3), 3).size(1) == 3);
}

TEST_CASE("the last layer may return its last state only") {
    const c10::NoGradGuard no_grad;
    ModelOptions last = options("next-frame");
    last.layers.back().return_sequences = false;
    auto model = nowcell::make_sequence_model(1, last);
    const auto pair = model->supervised({frames(4), frames(2)});
    CHECK(pair.prediction.size(1) == 1);
    CHECK(at::equal(pair.target, frames(2).narrow(1, 0, 1)));
    CHECK(at::equal(model->forecast(frames(4), {}, 3).narrow(1, 0, 1), pair.prediction));
}

TEST_CASE("every parameter gets a gradient") {
    for (const char* strategy : {"next-frame", "encoder-forecaster"}) {
        for (const char* head : {"conv2d", "conv3d"}) {
            auto model = nowcell::make_sequence_model(1, options(strategy, head));
            const auto pair = model->supervised({frames(4), frames(3)});
            (pair.prediction - pair.target).square().mean().backward();
            for (const auto& entry : model->named_parameters()) {
                INFO(strategy << " " << head << " " << entry.key());
                REQUIRE(entry.value().grad().defined());
                CHECK(entry.value().grad().abs().max().item<double>() > 0.0);
            }
        }
    }
}

TEST_CASE("frames that a network cannot read are refused") {
    auto model = nowcell::make_sequence_model(1, options("encoder-forecaster", "conv2d", 4));
    CHECK_THROWS_AS(model->forecast(frames(3), {}, 1), c10::ValueError);                  // 6 is no multiple of 4
    CHECK_THROWS_AS(model->forecast(at::rand({1, 3, 2, 8, 8}), {}, 1), c10::ValueError);  // channels
}

TEST_CASE("activations bound what a network forecasts") {
    const c10::NoGradGuard no_grad;
    struct Bound {
        const char* activation;
        double lowest, highest;
    };
    for (const Bound& bound :
         {Bound{"sigmoid", 0, 1}, Bound{"tanh", -1, 1}, Bound{"relu", 0, 1e9}, Bound{"softplus", 0, 1e9}}) {
        for (const char* strategy : {"next-frame", "direct"}) {
            INFO(bound.activation << ", " << strategy);
            ModelOptions bounded = options(strategy);
            auto free = nowcell::make_sequence_model(1, bounded);
            bounded.output_activation = bound.activation;
            auto model = nowcell::make_sequence_model(1, bounded);
            nowcell::Checkpoint weights;
            weights.put_model(*free);
            weights.get_model(*model);
            const torch::Tensor forecast = model->forecast((frames(4) - 0.5) * 100.0, {}, 1);
            CHECK(forecast.min().item<double>() >= bound.lowest);
            CHECK(forecast.max().item<double>() <= bound.highest);
            const torch::Tensor linear = free->forecast((frames(4) - 0.5) * 100.0, {}, 1);
            CHECK(at::equal(forecast, nowcell::activated(linear, bound.activation)));
            CHECK_FALSE(at::equal(forecast, linear));
        }
    }
}

TEST_CASE("next-frame teaching shows each sample the true frame or its own forecast, as it is told") {
    const c10::NoGradGuard no_grad;
    for (const bool relative : {false, true}) {
        ModelOptions made = options("next-frame", "conv3d", 2);
        made.relative = relative;
        auto model = nowcell::make_sequence_model(1, made);
        const torch::Tensor input = frames(3);
        const torch::Tensor target = frames(4);
        const torch::Tensor plain = model->supervised({input, target}).prediction;
        torch::Tensor shown = at::ones({2, 6}, at::kBool);
        CHECK(at::equal(model->supervised({.input = input, .target = target, .shown = shown}).prediction, plain));
        // The first sample is taught as before, the second sees its own forecasts of all frames after the input.
        shown.slice(1, 3).select(0, 1).fill_(false);
        const auto taught = model->supervised({.input = input, .target = target, .shown = shown});
        CHECK(at::allclose(taught.prediction.select(0, 0), plain.select(0, 0), 1e-4, 1e-5));
        const torch::Tensor rolled = model->forecast(input, {}, 4);
        CHECK(at::allclose(taught.prediction.select(0, 1).slice(0, 2), rolled.select(0, 1), 1e-4, 1e-5));
        CHECK_FALSE(at::allclose(taught.prediction.select(0, 1), plain.select(0, 1), 1e-4, 1e-5));
        CHECK(at::equal(taught.target, at::cat({input, target}, 1).slice(1, 1)));
        // Of the input too, where that is asked (reverse scheduled sampling).
        shown.fill_(true).select(1, 1).fill_(false);
        const torch::Tensor first = plain.narrow(1, 0, 1);
        const torch::Tensor own =
            model->supervised({at::cat({input.narrow(1, 0, 1), first, input.narrow(1, 2, 1)}, 1), target}).prediction;
        const torch::Tensor hidden = model->supervised({.input = input, .target = target, .shown = shown}).prediction;
        if (!relative) CHECK(at::allclose(hidden, own, 1e-4, 1e-5));
    }
}

TEST_CASE("a decoder that reads its own forecasts is shown the true frames that it is told") {
    const c10::NoGradGuard no_grad;
    auto model = nowcell::make_sequence_model(1, options("encoder-forecaster", "conv3d", 2));
    const torch::Tensor input = frames(3);
    const torch::Tensor target = frames(4);
    const torch::Tensor own = model->forecast(input, {}, 4);
    torch::Tensor shown = at::zeros({2, 6}, at::kBool);
    shown.slice(1, 0, 3).fill_(true);
    const auto predict = [&] {
        return model->supervised({.input = input, .target = target, .shown = shown}).prediction;
    };
    CHECK(at::equal(predict(), own));
    shown.select(1, 4).fill_(true);  // the third step of the decoder, frame 4: the second after the input
    CHECK(at::equal(predict().narrow(1, 0, 2), own.narrow(1, 0, 2)));
    CHECK_FALSE(at::allclose(predict().select(1, 2), own.select(1, 2)));
    // Forecasts given back as the truth change nothing.
    const auto same = model->supervised({.input = input, .target = own, .shown = shown});
    CHECK(at::allclose(same.prediction, own, 1e-5, 1e-6));
    // Column 1 is a frame of the input, which the encoder sees in any case.
    shown.select(1, 1).fill_(false);
    CHECK(at::equal(model->supervised({.input = input, .target = own, .shown = shown}).prediction, same.prediction));
}

TEST_CASE("frames that are seen may be others than those that are taught") {
    const c10::NoGradGuard no_grad;
    auto model = nowcell::make_sequence_model(1, options("next-frame"));
    const torch::Tensor input = frames(3);
    const torch::Tensor target = frames(4);
    const auto pairs = model->supervised({.input = input, .target = target, .seen = target * 0.5});
    CHECK(at::equal(pairs.prediction, model->supervised({input, target * 0.5}).prediction));
    CHECK(at::equal(pairs.target, at::cat({input, target}, 1).slice(1, 1)));
}

TEST_CASE("a mask of shown frames of another shape or type is refused") {
    for (const char* strategy : {"next-frame", "encoder-forecaster"}) {
        auto model = nowcell::make_sequence_model(1, options(strategy));
        for (const torch::Tensor& shown :
             {at::ones({2, 7}, at::kBool), at::ones({1, 6}, at::kBool), at::ones({2, 6})}) {
            CHECK_THROWS_AS(model->supervised({.input = frames(3), .target = frames(4), .shown = shown}),
                            c10::ValueError);
        }
    }
}
