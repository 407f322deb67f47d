#include "data/normalizer.h"
#include "src/error.h"
#include "tests/data/fake_source.h"
#include "tests/support/catch.h"

#include <cmath>
#include <limits>

using namespace nowcell;

namespace {

const SplitOptions kFirstHalf{"time", {0, 0.5}, {0.5, 0.6}, {0.6, 1}};

torch::Tensor random_frames(std::int64_t frames, double offset, double spread) {
    return torch::rand({frames, 1, 5, 7}) * spread + offset;
}

double largest_difference(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("every kind of normaliser is undone by its inverse, also outside the training range") {
    torch::manual_seed(1);
    const FakeSource source({random_frames(20, 260, 30)});
    const torch::Tensor wild = torch::linspace(150, 500, 101);
    for (const char* kind : {"minmax", "zscore", "log1p", "none"}) {
        const Normalizer normalizer = Normalizer::fit(kind, source, kFirstHalf);
        INFO(kind);
        CHECK(normalizer.apply(wild).isfinite().all().item<bool>());
        CHECK(largest_difference(normalizer.invert(normalizer.apply(wild)), wild) < 2e-3);
        CHECK((normalizer.apply(wild).slice(0, 1) > normalizer.apply(wild).slice(0, 0, -1)).all().item<bool>());
    }
}

TEST_CASE("the fit sees the training part only") {
    torch::Tensor frames = torch::ones({10, 1, 2, 2});
    frames[0] = -1;
    frames.slice(0, 5).fill_(100);
    const Normalizer normalizer = Normalizer::fit("minmax", FakeSource({frames}), kFirstHalf);
    CHECK(normalizer.min == -1);
    CHECK(normalizer.max == 1);
    CHECK(std::abs(normalizer.mean - 0.6) < 1e-6);
    CHECK(std::abs(normalizer.deviation - 0.8) < 1e-6);
    CHECK(training_mean(FakeSource({frames}), kFirstHalf).equal(torch::full({1, 2, 2}, 0.6F)));
}

TEST_CASE("mean and deviation keep their digits on a large offset and across blocks") {
    torch::manual_seed(2);
    // 40 frames of 512x512 fill more than two blocks of the streaming fit.
    const torch::Tensor frames = torch::randn({80, 1, 512, 512}) * 0.5 + 3000.0;
    const Normalizer normalizer = Normalizer::fit("zscore", FakeSource({frames}), kFirstHalf);
    const torch::Tensor used = frames.slice(0, 0, 40).to(torch::kFloat64);
    CHECK(std::abs(normalizer.mean - used.mean().item<double>()) < 1e-12 * std::abs(normalizer.mean));
    CHECK(std::abs(normalizer.deviation - used.std(false).item<double>()) < 1e-9 * std::abs(normalizer.deviation));
    CHECK(normalizer.min == used.min().item<double>());
    CHECK(largest_difference(training_mean(FakeSource({frames}), kFirstHalf), used.mean(0)) < 3e-4);
}

TEST_CASE("values that are not finite take no part in a fit") {
    torch::Tensor frames = torch::full({4, 1, 1, 3}, 2.0F);
    frames[0] = 4;
    frames[1][0][0][0] = std::numeric_limits<float>::quiet_NaN();
    frames[1][0][0][1] = std::numeric_limits<float>::infinity();
    frames.select(3, 2).slice(0, 0, 2).fill_(std::numeric_limits<float>::quiet_NaN());
    const Normalizer normalizer = Normalizer::fit("minmax", FakeSource({frames}), kFirstHalf);
    CHECK(normalizer.min == 4);
    CHECK(normalizer.mean == 4);
    CHECK(training_mean(FakeSource({frames}), kFirstHalf).equal(torch::full({1, 1, 3}, 4.0F)));
}

TEST_CASE("a constant field gets a range of one") {
    const Normalizer normalizer = Normalizer::fit("zscore", FakeSource({torch::full({4, 1, 2, 2}, 7.0F)}), kFirstHalf);
    CHECK(normalizer.max - normalizer.min == 1);
    CHECK(normalizer.deviation == 1);
    CHECK(normalizer.apply(torch::full({1}, 7.0F)).item<float>() == 0);
    CHECK(normalizer.unit_range(torch::full({1}, 7.5F)).item<float>() == 0.5F);
}

TEST_CASE("the unit range ignores the kind and does not clip") {
    const FakeSource source({torch::linspace(0, 10, 11).view({11, 1, 1, 1})});
    const Normalizer normalizer = Normalizer::fit("zscore", source, {"time", {0, 11}, {11, 11}, {11, 11}});
    CHECK(normalizer.unit_range(torch::full({1}, 20.0F)).item<float>() == 2.0F);
}

TEST_CASE("an unknown kind and an empty training part are refused") {
    const FakeSource source({torch::ones({4, 1, 2, 2})});
    const auto code = [](const std::function<void()>& action) {
        try {
            action();
        } catch (const Error& error) {
            return error.code();
        }
        return ExitCode::ok;
    };
    CHECK(code([&] { Normalizer::fit("min-max", source, kFirstHalf); }) == ExitCode::usage);
    CHECK(code([&] { Normalizer::fit("minmax", source, {"time", {0, 0}, {0, 0.5}, {0.5, 1}}); }) == ExitCode::data);
    CHECK(code([&] { training_mean(source, {"time", {0, 0}, {0, 0.5}, {0.5, 1}}); }) == ExitCode::data);
    Normalizer broken;
    broken.kind = "sqrt";
    CHECK(code([&] { broken.apply(torch::ones({1})); }) == ExitCode::usage);
}
