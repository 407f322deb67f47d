// Mistakes in [loss], [optim], [schedule] and [train] that show only beside other keys.
#include "train/train_options.h"
#include "src/error.h"
#include "src/surface.h"
#include "tests/data/fake_source.h"
#include "train/prepare.h"

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <cmath>

using namespace nowcell;

namespace {

Config config_with(std::vector<std::string> overrides) {
    overrides.insert(overrides.begin(), {"data.path=memory", "data.input_steps=3", "data.output_steps=4"});
    return Config::parse("[[model.layers]]\nfilters = 2\n", "test", overrides);
}

// What a user reads who makes that mistake, also from `nowcell config check`.
std::string refused(const std::vector<std::string>& overrides) {
    const Config config = config_with(overrides);
    try {
        check_config(config);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::usage);
        CHECK_FALSE(error.problems().front().where.empty());
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("keys that contradict each other are refused where they stand") {
    CHECK(refused({}) == "accepted");
    CHECK(holds(refused({"loss.thresholds=[1,2,2]"}), "loss.thresholds must rise"));
    CHECK(holds(refused({"loss.thresholds=[]"}), "loss.thresholds must rise"));
    CHECK(holds(refused({"loss.thresholds=[1,2]", "loss.threshold_weights=[1,2]"}),
                "loss.threshold_weights has 2 weights for 2 thresholds, expected 3"));
    CHECK(holds(refused({"loss.lead_weights=[1,2,3]"}), "has 3 weights, expected data.output_steps = 4"));
    CHECK(holds(refused({"loss.lead_weights=[0,0,0,0]"}), "must not all be 0"));
    CHECK(holds(refused({"loss.lead_weights=[1,2,3,4]", "loss.lead_growth=linear"}), "both weigh the lead times"));
    CHECK(holds(refused({"optim.betas=[0.9]"}), "optim.betas must be two numbers"));
    CHECK(holds(refused({"optim.betas=[0.9,1.0]"}), "below 1"));
    CHECK(holds(refused({"optim.momentum=0.9"}), "optim.momentum is for \"sgd\", got optim.name = \"adam\""));
    CHECK(holds(refused({"optim.name=sgd", "optim.nesterov=true"}), "optim.nesterov needs a momentum"));
    CHECK(holds(refused({"schedule.name=one-cycle", "schedule.warmup_steps=5"}), "rises by itself"));
    CHECK(holds(refused({"train.sampling=scheduled", "model.residual_on=persistence"}), "never its own forecast"));
    CHECK(holds(refused({"train.sampling=reverse", "train.sampling_stop=25000"}),
                "train.sampling_stop is 25000, expected more than the 25000"));
    CHECK(holds(refused({"train.curriculum_start=5"}), "expected at most data.output_steps = 4"));
    CHECK(refused({"train.sampling=reverse", "train.curriculum_start=4", "optim.name=sgd", "optim.momentum=0.5",
                   "optim.nesterov=true", "loss.lead_weights=[0,0,1,1]"}) == "accepted");
}

TEST_CASE("lead times grow from one to the upper weight, with a mean of one") {
    const auto weights = [](const std::vector<std::string>& overrides) {
        return LossOptions::from(config_with(overrides)).lead_weights;
    };
    CHECK(weights({}).empty());
    const std::vector<double> line = weights({"loss.lead_growth=linear", "loss.lead_upper=4.0"});
    const std::vector<double> power = weights({"loss.lead_growth=exponential", "loss.lead_upper=8.0"});
    const std::vector<double> own = weights({"loss.lead_weights=[0,1,2,5]"});
    for (std::size_t i = 0; i < 4; ++i) {
        const double lead = static_cast<double>(i);
        CHECK(line[i] == Catch::Approx((1.0 + lead) / 2.5));
        CHECK(power[i] == Catch::Approx(std::pow(2.0, lead) / 3.75));
    }
    CHECK(own == std::vector<double>{0.0, 0.5, 1.0, 2.5});
}

TEST_CASE("defaults follow the kind that they belong to") {
    const auto options = [](const std::vector<std::string>& overrides) {
        return TrainOptions::from(config_with(overrides));
    };
    CHECK(options({}).optimizer.eps == 1e-8);
    CHECK(options({"optim.name=adam-keras"}).optimizer.eps == 1e-7);
    CHECK(options({"optim.name=adam-keras", "optim.eps=1e-4"}).optimizer.eps == 1e-4);
    CHECK(options({"train.sampling=scheduled"}).sampling.decay == "linear");
    CHECK(options({"train.sampling=scheduled"}).sampling.start == 0);
    CHECK(options({"train.sampling=reverse"}).sampling.decay == "exponential");
    CHECK(options({"train.sampling=reverse"}).sampling.start == 25000);
    CHECK(options({"train.sampling=reverse", "train.sampling_decay=linear"}).sampling.decay == "linear");
}

TEST_CASE("a loss with SSIM is refused before training where frames are too small for it") {
    const auto prepared = [](std::int64_t side, const std::vector<std::string>& overrides) -> std::string {
        const FakeSource source({at::rand({30, 1, side, side})});
        try {
            Config config = config_with(overrides);
            settle_period(config, source.info());
            const TrainingWindows windows = cut_training_windows(config, source.info());
            prepare_forecaster(config, source, windows.training, torch::kCPU);
        } catch (const Error& error) {
            return error.what();
        }
        return "accepted";
    };
    const std::vector<std::string> parts = {"data.split.train=[0,14]", "data.split.validation=[14,22]",
                                            "data.split.test=[22,30]"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.end(), parts.begin(), parts.end());
        return more;
    };
    CHECK(prepared(12, with({"loss.name=ssim"})) == "accepted");
    CHECK(holds(prepared(10, with({"loss.name=ssim"})), "loss.name: SSIM needs frames of at least 11x11, got 10x10"));
    CHECK(holds(prepared(10, with({"loss.ssim_weight=0.5"})), "loss.ssim_weight: SSIM needs"));
    CHECK(holds(prepared(12, with({"loss.ssim_weight=0.5", "data.augment_crop=8"})), "got 8x8"));
    CHECK(prepared(10, with({})) == "accepted");
}
