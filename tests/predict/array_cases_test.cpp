#include "predict/array_cases.h"
#include "src/error.h"
#include "tests/data/fake_source.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"

using namespace nowcell;

namespace {

std::unique_ptr<FakeSource> source_of(const torch::Tensor& samples) {
    std::vector<torch::Tensor> recordings;
    for (const torch::Tensor& sample : samples.unbind()) recordings.push_back(sample.contiguous());
    return std::make_unique<FakeSource>(recordings);
}

std::vector<ForecastArray> forecasts_of(const std::vector<torch::Tensor>& all) {
    std::vector<ForecastArray> out;
    for (const torch::Tensor& one : all) out.push_back({"f" + std::to_string(out.size()), source_of(one)});
    return out;
}

ScoreTable scored(ArrayCases& cases, const ScoreOptions& options) {
    const std::vector<Contender> all = cases.contenders();
    WindowOptions window;
    window.output_steps = cases.leads();
    ScoreTable table = empty_table(all, cases.leads(), options, cases.info(), window);
    score([&](Batch& batch, std::vector<ForecastTime>& times) { return cases.next(batch, times); }, all, table);
    return table;
}

}  // namespace

TEST_CASE("arrays are scored sample by sample, whatever the size of a batch") {
    at::manual_seed(3);
    const torch::Tensor truth = at::rand({7, 5, 2, 13, 17});
    const torch::Tensor a = at::rand({7, 3, 2, 13, 17}), b = at::rand({7, 3, 2, 13, 17});
    std::vector<double> before;
    for (const std::int64_t batch : {1, 3, 64}) {
        ArrayCases cases(forecasts_of({a, b}), source_of(truth), {false, -1, batch});
        CHECK(cases.leads() == 3);
        CHECK(cases.past_frames() == 2);
        const ScoreTable table = scored(cases, {});
        CHECK(table.windows() == 7);
        const std::vector<double> values = {table.of("f0").value("mae", 0), table.of("f1").value("mae", 2)};
        CHECK(values[0] == Catch::Approx((a - truth.slice(1, 2)).abs().mean().item<double>()).epsilon(1e-6));
        CHECK(values[1] ==
              Catch::Approx((b.select(1, 1) - truth.select(1, 3)).abs().mean().item<double>()).epsilon(1e-6));
        if (!before.empty()) CHECK(values == before);
        before = values;
    }
}

TEST_CASE("where lead 1 is in the truth can be said") {
    const torch::Tensor truth = at::rand({2, 6, 1, 4, 5});
    ArrayCases cases(forecasts_of({truth.slice(1, 1, 3)}), source_of(truth), {false, 1});
    CHECK(scored(cases, {}).of("f0").value("mae", 0) == 0.0);
    CHECK_THROWS_AS(ArrayCases(forecasts_of({truth.slice(1, 1, 3)}), source_of(truth), {false, 5}), Error);
}

TEST_CASE("channels of an ensemble are its members") {
    const torch::Tensor truth = at::rand({4, 2, 1, 6, 5});
    const torch::Tensor members = at::rand({4, 2, 3, 6, 5});
    ArrayCases cases(forecasts_of({members}), source_of(truth), {true});
    const ScoreTable table = scored(cases, {});
    REQUIRE(table.rows.front().ensemble);
    CHECK(table.of("f0").value("mae", 0) ==
          Catch::Approx((members.mean(2, true) - truth).abs().mean().item<double>()).epsilon(1e-6));
    // CRPS = mean |x - y| - half the mean distance of two members.
    const torch::Tensor near = (members - truth).abs().mean(2);
    const torch::Tensor apart = (members.unsqueeze(2) - members.unsqueeze(3)).abs().mean({2, 3});
    CHECK(table.rows.front().value("crps", 0) ==
          Catch::Approx((near - 0.5 * apart).mean().item<double>()).epsilon(1e-5));
    std::vector<torch::Tensor> forecasts;
    const Batch one = cases.sample(2, forecasts);
    CHECK(at::equal(one.target[0], truth[2]));
    CHECK(at::equal(forecasts[0][0].squeeze(2), members[2].transpose(0, 1)));
}

TEST_CASE("arrays that do not fit each other are refused") {
    const torch::Tensor truth = at::rand({3, 4, 1, 6, 5});
    const auto refuse = [&](const std::vector<torch::Tensor>& forecasts, const torch::Tensor& what,
                            bool ensemble = false) {
        CHECK_THROWS_AS(ArrayCases(forecasts_of(forecasts), source_of(what), {ensemble}), Error);
    };
    refuse({at::rand({2, 4, 1, 6, 5})}, truth);                             // samples
    refuse({at::rand({3, 5, 1, 6, 5})}, truth);                             // more leads than truth
    refuse({at::rand({3, 4, 1, 5, 6})}, truth);                             // size
    refuse({at::rand({3, 4, 2, 6, 5})}, truth);                             // channels
    refuse({at::rand({3, 4, 1, 6, 5}), at::rand({3, 3, 1, 6, 5})}, truth);  // leads of two forecasts
    refuse({at::rand({3, 4, 2, 6, 5})}, at::rand({3, 4, 2, 6, 5}), true);   // a truth with members
}

TEST_CASE("missing values of the truth take no part") {
    torch::Tensor truth = at::zeros({1, 2, 1, 2, 2});
    truth[0][1][0][1][1] = std::numeric_limits<float>::quiet_NaN();
    torch::Tensor forecast = at::ones({1, 2, 1, 2, 2});
    forecast[0][1][0][1][1] = 1000.0;
    ArrayCases cases(forecasts_of({forecast}), source_of(truth), {});
    CHECK(scored(cases, {}).of("f0").value("mae", 0) == 1.0);
}
