#include "predict/evaluation.h"
#include "data/paired_source.h"
#include "data/synthetic/moving_squares.h"
#include "predict/scores/score_table.h"
#include "tests/data/fake_source.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

#include <cmath>

using namespace nowcell;

namespace {

Contender contender(const std::string& name, const std::shared_ptr<Baseline>& baseline) {
    return {name,
            [baseline](const torch::Tensor& past, std::int64_t horizon) { return baseline->forecast(past, horizon); }};
}

Contender persistence() { return contender("persistence", make_persistence()); }

// Persistence that is off by so much.
Contender off_by(const std::string& name, double error) {
    const std::shared_ptr<Baseline> baseline = make_persistence();
    return {name, [baseline, error](const torch::Tensor& past, std::int64_t horizon) {
                return baseline->forecast(past, horizon) + error;
            }};
}

std::vector<torch::Tensor> movies(const torch::Tensor& all) {
    std::vector<torch::Tensor> out;
    for (const torch::Tensor& movie : all.unbind()) out.push_back(movie.unsqueeze(1).to(at::kFloat));
    return out;
}

}  // namespace

TEST_CASE("copying the last frame of Keras' test movies has the published error, at every length of input") {
    const MovingSquares made = make_moving_squares({1200, 15, 0});
    const auto source = pair_sources(std::make_unique<FakeSource>(movies(made.noisy)),
                                     std::make_unique<FakeSource>(movies(made.shifted)));
    WindowOptions window{15, 1};
    window.paired = true;
    const SplitOptions split{"sequence", {0, 950}, {950, 1000}, {1000, 1200}};
    const auto windows = cut_windows(source->info(), window, split, Part::test);
    REQUIRE(windows.size() == 200);
    const ScoreTable table = evaluate({*source, window, windows, 50, false, 1}, {persistence()}, Normalizer());
    CHECK(table.of("persistence").windows() == 3000);
    CHECK(table.of("persistence").value("mae", 1) == Catch::Approx(0.02852).margin(5e-6));
    CHECK(table.times.front().frame == 0);
    CHECK(table.times.back().frame == 14);
    CHECK(table.times.back().recording == 1199);
}

TEST_CASE("shorter inputs are scored on what follows them") {
    const FakeSource source({numbered_frames(0, 12)});  // each frame is one more than the one before
    const WindowOptions window{4, 3};
    const ScoreTable whole = evaluate({source, window, {{0, 2}, {0, 5}}, 1, false}, {persistence()}, Normalizer());
    CHECK(whole.of("persistence").windows() == 2);
    CHECK(whole.times[1].frame == 8);
    const ScoreTable all = evaluate({source, window, {{0, 2}, {0, 5}}, 1, false, 2}, {persistence()}, Normalizer());
    CHECK(all.of("persistence").windows() == 6);
    CHECK(all.of("persistence").value("mae", 3) == 3.0);
    CHECK(all.times[0].frame == 3);
    CHECK(all.times[5].frame == 8);
    CHECK_THROWS_AS(
        evaluate({source, window, {{0, 2}}, 1, false, 1}, {contender("flow", make_optical_flow())}, Normalizer()),
        Error);
}

TEST_CASE("the first forecaster is compared with the best of the others, window by window") {
    FakeSource source({numbered_frames(0, 60)});
    source.edit().units = "K";
    const WindowOptions window{2, 1, 1};
    const auto windows = cut_windows(source.info(), window, {}, Part::all);
    // Persistence is 1 below the truth; what is added takes from that.
    const ScoreTable table = evaluate({source, window, windows, 16, false},
                                      {off_by("model", 0.75), off_by("good", 0.5), persistence()}, Normalizer());
    const auto found = compare_with_best(table);
    REQUIRE(found);
    CHECK(found->baseline == "good");
    CHECK(found->mae.difference == Catch::Approx(-0.25));
    CHECK(found->mae.high == Catch::Approx(-0.25));
    CHECK(found->mae.block_windows == 3);
    const ScoreContext context{"run", "data.h5", "test", "why"};
    const std::string text = score_text(table, context);
    INFO(text);
    CHECK(text.find("Model - good, the best of the others: MAE -0.2500 K, 95 % interval -0.2500 to -0.2500: better") !=
          std::string::npos);
    const auto report = nlohmann::json::parse(score_json(table, context));
    CHECK(report.at("comparison").at("baseline") == "good");
    CHECK(report.at("comparison").at("verdict") == "better");
    CHECK(report.at("comparison").at("high").get<double>() == Catch::Approx(-0.25));

    const ScoreTable alone = evaluate({source, window, windows, 16, false}, {persistence()}, Normalizer());
    CHECK_FALSE(compare_with_best(alone));
    CHECK_FALSE(nlohmann::json::parse(score_json(alone, context)).contains("comparison"));
}

TEST_CASE("the sums of windows make up the scores") {
    const FakeSource source({at::rand({20, 1, 3, 3})});
    const auto windows = cut_windows(source.info(), {3, 2}, {}, Part::all);
    const Scores scores =
        evaluate({source, {3, 2}, windows, 4, false}, {persistence()}, Normalizer()).of("persistence");
    double errors = 0.0, weights = 0.0;
    for (std::size_t i = 0; i < windows.size(); ++i) {
        const std::vector<double> parts = scores.window_parts({"mae"}, static_cast<std::int64_t>(i));
        errors += parts[0];
        weights += parts[1];
    }
    CHECK(errors / weights == Catch::Approx(scores.value("mae", 0)));
}
