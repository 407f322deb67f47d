#include "train/sampling.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"

#include <cmath>

using Catch::Approx;
using nowcell::draw_shown;
using nowcell::SamplingOptions;
using nowcell::shown_shares;
using nowcell::taught_steps;
using nowcell::TrainOptions;

TEST_CASE("the shares of true frames are those of the papers") {
    const SamplingOptions scheduled{.name = "scheduled"};
    CHECK(shown_shares(scheduled, 0).taught == 1.0);
    CHECK(shown_shares(scheduled, 1).taught == Approx(1.0 - 2e-5));
    CHECK(shown_shares(scheduled, 12345).taught == Approx(1.0 - 2e-5 * 12345));
    CHECK(shown_shares(scheduled, 50000).taught == 0.0);
    CHECK(shown_shares(scheduled, 90000).taught == 0.0);
    CHECK(shown_shares(scheduled, 12345).input == 1.0);
    const SamplingOptions fading{.name = "scheduled", .decay = "exponential", .start = 100, .alpha = 2000};
    CHECK(shown_shares(fading, 99).taught == 1.0);
    CHECK(shown_shares(fading, 2100).taught == Approx(std::exp(-1.0)));
    CHECK(shown_shares(fading, 50000).taught == 0.0);

    const SamplingOptions reverse{.name = "reverse", .decay = "exponential", .start = 25000};
    for (const std::int64_t step : {0, 24999}) {
        CHECK(shown_shares(reverse, step).input == 0.5);
        CHECK(shown_shares(reverse, step).taught == 0.5);
    }
    CHECK(shown_shares(reverse, 30000).input == Approx(1.0 - 0.5 * std::exp(-1.0)));
    CHECK(shown_shares(reverse, 30000).taught == Approx(0.5 - 0.5 / 25000 * 5000));
    CHECK(shown_shares(reverse, 50000).input == 1.0);
    CHECK(shown_shares(reverse, 50000).taught == 0.0);
    CHECK(shown_shares({.name = "reverse", .start = 100, .stop = 200}, 150).input == Approx(0.75));
    CHECK(shown_shares({}, 1000).taught == 1.0);
}

TEST_CASE("what is shown depends on seed and step alone, and has its shares") {
    CHECK_FALSE(draw_shown({}, 0, 4, 5, 6).defined());
    const SamplingOptions options{.name = "reverse", .start = 10, .stop = 110, .seed = 7};
    const torch::Tensor shown = draw_shown(options, 60, 4000, 5, 6);
    CHECK(shown.sizes() == at::IntArrayRef({4000, 10}));
    CHECK(shown.scalar_type() == at::kBool);
    CHECK(shown.select(1, 0).all().item<bool>());
    const torch::Tensor shares = shown.to(at::kDouble).mean(0);
    for (std::int64_t s = 1; s < 10; ++s) {
        CHECK(shares[s].item<double>() == Approx(s < 5 ? 0.75 : 0.25).margin(0.03));  // 4 standard deviations
    }
    // No column knows of another.
    CHECK((shown.select(1, 6) == shown.select(1, 7)).to(at::kDouble).mean().item<double>() ==
          Approx(0.625).margin(0.03));
    CHECK(at::equal(shown, draw_shown(options, 60, 4000, 5, 6)));
    CHECK_FALSE(at::equal(shown, draw_shown(options, 61, 4000, 5, 6)));
    SamplingOptions other = options;
    other.seed = 8;
    CHECK_FALSE(at::equal(shown, draw_shown(other, 60, 4000, 5, 6)));

    const torch::Tensor first = draw_shown({.name = "scheduled"}, 0, 50, 3, 4);
    CHECK(first.all().item<bool>());
    const torch::Tensor last = draw_shown({.name = "scheduled"}, 50000, 50, 3, 4);
    CHECK(last.narrow(1, 0, 3).all().item<bool>());
    CHECK_FALSE(last.narrow(1, 3, 3).any().item<bool>());
}

TEST_CASE("a curriculum reaches all lead times in its epochs") {
    TrainOptions options;
    CHECK(taught_steps(options, 1, 12) == 12);
    options.curriculum_start = 2;
    options.curriculum_epochs = 5;
    const std::vector<std::int64_t> expected = {2, 4, 6, 8, 10, 12, 12, 12};
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(taught_steps(options, static_cast<std::int64_t>(i) + 1, 12) == expected[i]);
    }
    options.curriculum_epochs = 4;
    CHECK(taught_steps(options, 2, 9) == 3);
    CHECK(taught_steps(options, 4, 9) == 7);
    CHECK(taught_steps(options, 5, 9) == 9);
}
