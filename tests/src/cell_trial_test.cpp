// The cells that `nowcell bench cells` times, and the speed it expects.
#include "cells/trial/cell_bars.h"
#include "cells/trial/cell_check.h"
#include "cells/trial/trial_cell.h"
#include "src/verb.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <algorithm>
#include <cmath>

using Catch::Approx;
using nowcell::Algorithm;
using nowcell::CellCase;
using nowcell::Direction;

namespace {

const CellCase kSmall = {"small", 2, 3, 4, 5, 9, 3};

torch::Tensor unit_loss(const torch::Tensor& h) { return at::ones_like(h); }

}  // namespace

TEST_CASE("the plain cell and the layer start from the same weights and compute the same") {
    const torch::Tensor x = kSmall.frames();
    nowcell::TrialCell plain = nowcell::plain_cell(kSmall);
    nowcell::TrialCell engine = nowcell::engine_cell(kSmall, Algorithm::direct);
    CHECK(at::allclose(plain.infer(x), engine.infer(x), 1e-5, 1e-6));
    std::vector<torch::Tensor> of_plain, of_engine;
    plain.differentiate(x, unit_loss, of_plain);
    engine.differentiate(x, unit_loss, of_engine);
    REQUIRE(of_plain.size() == 3);   // weights of both parts, bias, x
    REQUIRE(of_engine.size() == 4);  // input, hidden, bias, x
    CHECK(at::allclose(of_plain[0], at::cat({of_engine[0], of_engine[1]}, 1), 1e-4, 1e-4));
    CHECK(at::allclose(of_plain[1], of_engine[2], 1e-4, 1e-4));
    CHECK(at::allclose(of_plain[2], of_engine[3], 1e-4, 1e-4));
}

TEST_CASE("a training step of either cell changes its weights alike") {
    const torch::Tensor x = kSmall.frames();
    nowcell::TrialCell plain = nowcell::plain_cell(kSmall);
    nowcell::TrialCell engine = nowcell::engine_cell(kSmall, Algorithm::direct);
    const torch::Tensor before = engine.infer(x);
    for (int step = 0; step < 20; ++step) {
        plain.run(Direction::training, x);
        engine.run(Direction::training, x);
    }
    const torch::Tensor after = engine.infer(x);
    CHECK(after.square().mean().item<double>() < before.square().mean().item<double>());
    CHECK(at::allclose(plain.infer(x), after, 1e-3, 1e-4));
}

TEST_CASE("errors against float64 are those of float32, and name what computed") {
    const nowcell::CellTruth truth(kSmall);
    std::string engine;
    const nowcell::CellErrors inference = truth.errors(Algorithm::reference, Direction::inference, engine);
    CHECK(engine == "reference");
    CHECK_FALSE(inference.gradient);
    CHECK(inference.output > 0.0);
    CHECK(inference.output <= 1e-6);
    const nowcell::CellErrors training = truth.errors(Algorithm::automatic, Direction::training, engine);
    CHECK(training.output <= 1e-4);
    REQUIRE(training.gradient);
    CHECK(*training.gradient > 0.0);
    CHECK(*training.gradient <= 5e-5);
}

TEST_CASE("every case has a bar, which moves between those of narrow and wide cores") {
    for (const CellCase& shape : nowcell::cell_cases()) {
        for (const Direction direction : {Direction::inference, Direction::training}) {
            INFO(shape.name << " " << name_of(direction));
            const auto bar = [&](double peak) { return nowcell::speed_bar(shape.name, direction, peak); };
            CHECK(bar(1.0) > 1.0);
            CHECK(bar(1.0) == bar(130.0));
            CHECK(bar(180.0) == bar(1e6));
            CHECK(bar(155.0) == Approx((bar(130.0) + bar(180.0)) / 2));
        }
    }
    CHECK(nowcell::speed_bar("c", Direction::inference, 114.0) == Approx(4.8));
    CHECK(nowcell::speed_bar("c", Direction::training, 220.0) == Approx(3.0));
    CHECK_THROWS(nowcell::speed_bar("d", Direction::training, 220.0));
}

TEST_CASE("the command line names the cases and algorithms that there are") {
    const nowcell::Verb& verb = *nowcell::find_verb("bench cells");
    const auto flag = [&](const std::string& name) {
        return *std::find_if(verb.flags.begin(), verb.flags.end(), [&](const auto& f) { return f.name == name; });
    };
    CHECK(flag("--algorithm").choices == nowcell::algorithm_names());
    std::string names;
    for (const CellCase& shape : nowcell::cell_cases()) names += (names.empty() ? "" : ", ") + shape.name;
    CHECK(holds(flag("--config").help, names));
}

TEST_CASE("a report without libraries is JSON that libraries read") {
    nowcell::TrialReport report;
    report.head = {{"text", "a \"b\" \\ \n"}, {"number", 0.25}, {"count", std::int64_t{3}}, {"flag", true}};
    report.rows = {{{"none", nullptr}}, {{"nan", std::nan("")}}};
    const auto json = nlohmann::json::parse(report.json());
    CHECK(json.at("text") == "a \"b\" \\ \n");
    CHECK(json.at("number") == 0.25);
    CHECK(json.at("count") == 3);
    CHECK(json.at("flag") == true);
    CHECK(json.at("rows")[0].at("none").is_null());
    CHECK(json.at("rows")[1].at("nan").is_null());
}

TEST_CASE("check names rows that failed, and engines that computed nothing") {
    using nowcell::CheckState;
    const auto row = [](Algorithm algorithm, CheckState state) {
        nowcell::CheckRow made{"odd sizes", "", "float32", algorithm, "reference: no reason", 1e-5};
        made.state = state;
        return made;
    };
    CHECK(nowcell::check_problems(
              {row(Algorithm::direct, CheckState::passed), row(Algorithm::direct, CheckState::not_run)})
              .empty());
    const auto failed = nowcell::check_problems({row(Algorithm::direct, CheckState::failed)});
    REQUIRE(failed.size() == 1);
    CHECK(holds(failed.front(), "odd sizes, float32, direct"));
    const auto idle = nowcell::check_problems(
        {row(Algorithm::direct, CheckState::passed), row(Algorithm::winograd_fast, CheckState::not_run)});
    REQUIRE(idle.size() == 1);
    CHECK(holds(idle.front(), "winograd-fast computed no row; reference: no reason"));
}

TEST_CASE("what is off by more than allowed, or not a number, fails") {
    const torch::Tensor expected = at::linspace(-1.0, 1.0, 101, at::kDouble);
    const auto judge = [&](const torch::Tensor& got) { return nowcell::compare("h", {got}, {expected}, 1e-3); };
    CHECK(judge(expected).passed);
    CHECK(judge(expected * (1.0 + 5e-4)).passed);
    CHECK_FALSE(judge(expected * (1.0 + 2e-3)).passed);
    torch::Tensor one_wrong = expected.clone();
    one_wrong[50] += 4.5e-3;  // hidden in the norm, not in the largest difference
    CHECK(judge(one_wrong).relative < 1e-3);
    CHECK_FALSE(judge(one_wrong).passed);
    one_wrong[50] = std::nan("");
    CHECK_FALSE(judge(one_wrong).passed);
    CHECK_FALSE(nowcell::compare("h", {expected}, {at::zeros_like(expected)}, 1e-3).passed);
}
