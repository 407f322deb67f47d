#include "train/lesson.h"
#include "data/paired_source.h"
#include "predict/evaluation.h"
#include "tests/data/fake_source.h"
#include "train/prepare.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"

#include <limits>

using namespace nowcell;

namespace {

// Movies of noise; what follows frame t is 1 - frame t.
std::unique_ptr<FrameSource> opposites(std::int64_t missing_frame = -1) {
    at::manual_seed(31);
    std::vector<torch::Tensor> input, target;
    for (int i = 0; i < 10; ++i) {
        input.push_back(at::rand({6, 1, 8, 8}));
        target.push_back(1 - input.back());
        if (missing_frame >= 0) target.back()[missing_frame].fill_(std::numeric_limits<float>::quiet_NaN());
    }
    return pair_sources(std::make_unique<FakeSource>(input), std::make_unique<FakeSource>(target));
}

Config pairs_config(const std::string& strategy, const std::string& layer = "",
                    const std::string& more = "train.seed=1") {
    return Config::parse("[[model.layers]]\nfilters = 4\n" + layer, "pairs",
                         {"data.path=memory", "data.target=/clean", "data.input_steps=4", "data.output_steps=3",
                          "data.normalize=none", "data.missing=mask", "model.strategy=" + strategy, more});
}

struct Case {
    Forecaster forecaster;
    Batch batch;
};

Case first_windows(const FrameSource& source, Config config) {
    settle_period(config, source.info());
    const TrainingWindows windows = cut_training_windows(config, source.info());
    Forecaster forecaster = prepare_forecaster(config, source, windows.training, torch::kCPU);
    const Batch batch = read_windows(source, forecaster.data().window, {windows.training[0], windows.training[1]});
    return {std::move(forecaster), batch};
}

}  // namespace

TEST_CASE("next-frame pairs are shown every input frame and taught what follows each") {
    const auto source = opposites();
    const Case made = first_windows(*source, pairs_config("next-frame"));
    const Lesson lesson = BatchLesson(made.forecaster, made.batch).lesson();
    const torch::Tensor all = at::cat({made.batch.past, made.batch.later}, 1);  // the 6 frames of a window
    const torch::Tensor shown = at::cat({lesson.input, lesson.seen}, 1);
    CHECK(shown.slice(1, 0, 6).equal(all));
    CHECK(lesson.target.equal(1 - all));
    CHECK(lesson.seen.sizes() == lesson.target.sizes());
    const Supervised taught = made.forecaster.network().supervised(lesson);
    CHECK(taught.target.equal(1 - all));
    CHECK(taught.first == 1);
    // The first forecast after the input, made while learning and made by itself.
    made.forecaster.network().eval();
    const torch::Tensor after_input = made.forecaster.network().supervised(lesson).prediction.select(1, 3);
    CHECK(after_input.allclose(made.forecaster.forecast(made.batch.past, 1).select(1, 0), 1e-5, 1e-6));
}

TEST_CASE("pairs of a decoder, and of a network that forecasts one frame, are the targets of the lead times") {
    const auto source = opposites();
    for (const Config& config :
         {pairs_config("encoder-forecaster"), pairs_config("next-frame", "return_sequences = false\n")}) {
        const Case made = first_windows(*source, config);
        const Lesson lesson = BatchLesson(made.forecaster, made.batch).lesson();
        CHECK(lesson.input.equal(made.batch.past));
        CHECK(lesson.target.equal(1 - at::cat({made.batch.past.slice(1, 3), made.batch.later}, 1)));
        CHECK(lesson.seen.slice(1, 0, 2).equal(made.batch.later));
        CHECK(lesson.seen.sizes() == lesson.target.sizes());
    }
}

TEST_CASE("what a pair teaches is known where its target is") {
    const auto source = opposites(1);  // follows the second frame of the input
    const Case made = first_windows(*source, pairs_config("next-frame"));
    const BatchLesson lesson(made.forecaster, made.batch);
    CHECK(lesson.lesson().target.isfinite().all().item<bool>());
    const torch::Tensor known = lesson.known(made.forecaster.network().supervised(lesson.lesson()));
    REQUIRE(known.defined());
    CHECK(known.sizes() == lesson.lesson().target.sizes());
    CHECK_FALSE(known.select(1, 1).any().item<bool>());
    CHECK(known.sum().item<std::int64_t>() == known.numel() * 5 / 6);
    const Case decoder = first_windows(*source, pairs_config("encoder-forecaster"));
    const BatchLesson later(decoder.forecaster, decoder.batch);
    CHECK_FALSE(later.known(decoder.forecaster.network().supervised(later.lesson())).defined());
}

TEST_CASE("levels of the last input frame do not fit pairs that are taught at every step") {
    const Config config = pairs_config("next-frame", "", "model.relative=true");
    CHECK_THROWS_AS(first_windows(*opposites(), config), Error);
}
