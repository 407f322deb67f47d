#include "predict/evaluation.h"
#include "data/paired_source.h"
#include "data/synthetic/moving_squares.h"
#include "predict/scores/score_files.h"
#include "tests/data/fake_source.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

#include <cmath>

using namespace nowcell;

namespace {

Contender contender(const std::string& name, const std::shared_ptr<Baseline>& baseline) {
    return {name,
            [baseline](const Batch& batch, std::int64_t horizon) { return baseline->forecast(batch.past, horizon); },
            true};
}

Contender persistence() { return contender("persistence", make_persistence()); }

// Persistence that is off by so much.
Contender off_by(const std::string& name, double error, bool is_baseline) {
    const std::shared_ptr<Baseline> baseline = make_persistence();
    return {name,
            [baseline, error](const Batch& batch, std::int64_t horizon) {
                return baseline->forecast(batch.past, horizon) + error;
            },
            is_baseline};
}

const ScoreOptions kErrors{"standard", {"mae", "mse"}};

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
    const ScoreTable table = evaluate({*source, window, windows, 50, 1}, {persistence()}, kErrors);
    CHECK(table.of("persistence").windows() == 3000);
    CHECK(table.of("persistence").value("mae", 1) == Catch::Approx(0.02852).margin(5e-6));
    CHECK(table.times.front().frame == 0);
    CHECK(table.times.back().frame == 14);
    CHECK(table.times.back().recording == 1199);
}

TEST_CASE("shorter inputs are scored on what follows them") {
    const FakeSource source({numbered_frames(0, 12)});  // each frame is one more than the one before
    const WindowOptions window{4, 3};
    const ScoreTable whole = evaluate({source, window, {{0, 2}, {0, 5}}, 1}, {persistence()}, kErrors);
    CHECK(whole.of("persistence").windows() == 2);
    CHECK(whole.times[1].frame == 8);
    const ScoreTable all = evaluate({source, window, {{0, 2}, {0, 5}}, 1, 2}, {persistence()}, kErrors);
    CHECK(all.of("persistence").windows() == 6);
    CHECK(all.of("persistence").value("mae", 3) == 3.0);
    CHECK(all.times[0].frame == 3);
    CHECK(all.times[5].frame == 8);
    CHECK_THROWS_AS(evaluate({source, window, {{0, 2}}, 1, 1}, {contender("flow", make_optical_flow())}, kErrors),
                    Error);
}

TEST_CASE("the first forecaster is compared with the best of the others, window by window") {
    FakeSource source({numbered_frames(0, 60)});
    source.edit().units = "K";
    const WindowOptions window{2, 1, 1};
    const auto windows = cut_windows(source.info(), window, {}, Part::all);
    // Persistence is 1 below the truth; what is added takes from that.
    ScoreReport report{{"run", "data.h5", "test", "why"},
                       evaluate({source, window, windows, 16},
                                {off_by("model", 0.75, false), off_by("good", 0.5, true), persistence()}, kErrors),
                       {}};
    report.comparisons = compare(report.table);
    CHECK(report.comparisons.size() == 4);  // MAE and MSE, two baselines
    const auto found = against_best(report.table, report.comparisons);
    REQUIRE(found);
    CHECK(found->baseline == "good");
    CHECK(found->difference.difference == Catch::Approx(-0.25));
    CHECK(found->difference.high == Catch::Approx(-0.25));
    CHECK(found->difference.block_windows == 3);
    CHECK(found->skill == Catch::Approx(0.5));
    CHECK(found->skill_low == Catch::Approx(0.5));
    const std::string text = score_text(report);
    INFO(text);
    CHECK(text.find("Model - good, the best of the others: MAE -0.2500 K, 95 % interval -0.2500 to -0.2500: better") !=
          std::string::npos);
    CHECK(text.find("+50.0 % (+50.0 to +50.0)") != std::string::npos);
    const auto document = score_document(report);
    CHECK(document.at("comparisons")[0].at("baseline") == "good");
    CHECK(document.at("comparisons")[0].at("verdict") == "better");
    CHECK(document.at("comparisons")[0].at("high").get<double>() == Catch::Approx(-0.25));

    const ScoreTable alone = evaluate({source, window, windows, 16}, {persistence()}, kErrors);
    CHECK(compare(alone).empty());
}

TEST_CASE("models are compared with each other too, and an ensemble of them is a forecaster") {
    const FakeSource source({numbered_frames(0, 60)});
    const auto windows = cut_windows(source.info(), {2, 3}, {}, Part::all);
    Contender together{"ensemble", {}};
    together.members = 2;
    together.of = {0, 1};
    const ScoreTable table = evaluate({source, {2, 3}, windows, 7},
                                      {off_by("a", 0.5, false), off_by("b", 1.5, false), together, persistence()}, {});
    // Lead k of persistence is k below the truth: the mean of the members is k - 1 below.
    CHECK(table.of("ensemble").value("mae", 1) == Catch::Approx(0.0).margin(1e-6));
    CHECK(table.of("ensemble").value("mae", 3) == Catch::Approx(2.0));
    REQUIRE(table.rows[2].ensemble);
    CHECK(table.rows[2].value("crps", 1) == Catch::Approx(0.25));  // 0.5 from both, 1 apart
    std::vector<std::string> pairs;
    for (const Comparison& one : compare(table)) {
        if (one.quantity == Quantity{"mae"}) pairs.push_back(one.forecaster + "-" + one.baseline);
    }
    CHECK(pairs ==
          std::vector<std::string>{"a-persistence", "b-a", "b-persistence", "ensemble-a", "ensemble-persistence"});
}

TEST_CASE("the sums of windows make up the scores") {
    const FakeSource source({at::rand({20, 1, 3, 3})});
    const auto windows = cut_windows(source.info(), {3, 2}, {}, Part::all);
    const Scores scores = evaluate({source, {3, 2}, windows, 4}, {persistence()}, kErrors).of("persistence");
    const Quantity mae{"mae"};
    std::vector<double> sums;
    for (std::int64_t i = 0; i < scores.windows(); ++i) {
        const std::vector<double> parts = scores.window_parts(mae, i);
        if (sums.empty()) sums.resize(parts.size());
        for (std::size_t k = 0; k < parts.size(); ++k) sums[k] += parts[k];
    }
    CHECK(scores.windows() == static_cast<std::int64_t>(windows.size()));
    CHECK(scores.from_parts(mae, sums) == Catch::Approx(scores.value(mae, 0)));
}
