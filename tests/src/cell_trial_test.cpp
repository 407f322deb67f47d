// The cells that `nowcell bench cells` times, and the speed it expects.
#include "cells/trial/trial_cell.h"
#include "cells/trial/cell_bars.h"
#include "src/verb.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <algorithm>

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
