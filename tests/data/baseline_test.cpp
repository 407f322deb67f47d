#include "data/baseline.h"
#include "data/frame_source.h"
#include "data/loader.h"
#include "data/normalizer.h"
#include "src/error.h"
#include "tests/data/fake_source.h"
#include "tests/data/moving_texture.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <cmath>

using namespace nowcell;

namespace {

// (1,T,1,1,1) from numbers.
torch::Tensor series(const std::vector<float>& values) {
    return torch::tensor(values).view({1, static_cast<std::int64_t>(values.size()), 1, 1, 1});
}

std::vector<float> numbers(const torch::Tensor& forecast) {
    const torch::Tensor flat = forecast.contiguous().view({-1});
    return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

ExitCode code_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.code();
    }
    return ExitCode::ok;
}

const float kNan = std::nanf("");

double error_on(const torch::Tensor& forecast, const Batch& batch) {
    return (forecast - batch.target).masked_select(batch.valid).abs().mean().item<double>();
}

}  // namespace

TEST_CASE("persistence repeats the last frame") {
    CHECK(numbers(make_persistence()->forecast(series({1, 2, 5}), 3)) == std::vector<float>{5, 5, 5});
    CHECK(make_persistence()->history() == 1);
}

TEST_CASE("seasonal persistence repeats the last cycle, also beyond one period") {
    const auto seasonal = make_seasonal(3);
    CHECK(seasonal->history() == 3);
    CHECK(numbers(seasonal->forecast(series({9, 1, 2, 3}), 2)) == std::vector<float>{1, 2});
    CHECK(numbers(seasonal->forecast(series({1, 2, 3}), 8)) == std::vector<float>{1, 2, 3, 1, 2, 3, 1, 2});
}

TEST_CASE("the anomaly baseline adds the decaying last anomaly to the last cycle") {
    const auto anomaly = make_anomaly(2, 0.5);
    CHECK(anomaly->history() == 3);
    // last cycle 10, 14; last anomaly 14 - 6 = 8, then 4, 2, 1 of it
    CHECK(numbers(anomaly->forecast(series({99, 6, 10, 14}), 3)) == std::vector<float>{14, 16, 11});
    CHECK(numbers(make_anomaly(2, 0)->forecast(series({6, 10, 14}), 2)) == std::vector<float>{10, 14});
    CHECK(numbers(make_anomaly(1, 1)->forecast(series({6, 10}), 2)) == std::vector<float>{14, 14});
}

TEST_CASE("climatology is the mean of the training part, whatever came before") {
    const auto climatology = make_climatology(torch::full({1, 1, 1}, 3.0F));
    CHECK(numbers(climatology->forecast(series({7}), 2)) == std::vector<float>{3, 3});
    CHECK(code_of([&] { climatology->forecast(torch::zeros({1, 2, 1, 4, 4}), 1); }) == ExitCode::data);
}

TEST_CASE("every baseline works on batches and channels and leaves the past alone") {
    torch::manual_seed(4);
    const torch::Tensor past = torch::rand({2, 5, 3, 24, 20});
    const torch::Tensor before = past.clone();
    const auto all = all_baselines({3, 0.9, torch::rand({3, 24, 20})});
    CHECK(all.size() == 8);
    for (const auto& baseline : all) {
        INFO(baseline->name());
        const torch::Tensor forecast = baseline->forecast(past, 4);
        CHECK(forecast.sizes() == torch::IntArrayRef({2, 4, 3, 24, 20}));
        CHECK(forecast.isfinite().all().item<bool>());
        CHECK(past.equal(before));
        CHECK(baseline->forecast(past.slice(0, 1), 4).equal(forecast.slice(0, 1)));
        CHECK(baseline->forecast(past.slice(1, 1), 4).equal(forecast));
    }
}

TEST_CASE("baselines are made by name, as far as what they need is known") {
    CHECK(all_baselines({}).size() == 5);
    CHECK(all_baselines({24, 0.9, {}}).size() == 7);
    for (const char* name :
         {"persistence", "seasonal", "anomaly", "climatology", "linear-trend", "optical-flow", "farneback", "s-prog"}) {
        CHECK(make_baseline(name, {24, 0.9, torch::zeros({1, 2, 2})})->name() == name);
    }
    CHECK(code_of([] { make_baseline("persistance", {}); }) == ExitCode::usage);
    CHECK(code_of([] { make_baseline("seasonal", {}); }) == ExitCode::usage);
    CHECK(code_of([] { make_baseline("anomaly", {}); }) == ExitCode::usage);
    CHECK(code_of([] { make_baseline("climatology", {}); }) == ExitCode::usage);
    CHECK(code_of([] { make_anomaly(24, 1.5); }) == ExitCode::usage);
    CHECK(code_of([] { make_seasonal(24)->forecast(torch::zeros({1, 23, 1, 2, 2}), 1); }) == ExitCode::data);
}

TEST_CASE("baselines can be chosen") {
    const auto names = [](const std::vector<std::string>& chosen) {
        std::vector<std::string> out;
        for (const auto& one : chosen_baselines({}, chosen)) out.push_back(one->name());
        return out;
    };
    CHECK(names({"s-prog", "persistence", "s-prog"}) == std::vector<std::string>{"s-prog", "persistence"});
    CHECK(names({}) == std::vector<std::string>{"persistence", "linear-trend", "optical-flow", "farneback", "s-prog"});
    CHECK(code_of([&] { names({"seasonal"}); }) == ExitCode::usage);
    CHECK(code_of([&] { names({"sprog"}); }) == ExitCode::usage);
}

TEST_CASE("a linear trend continues a ramp exactly, and the least squares line of what is not one") {
    const auto trend = make_linear_trend(9);
    CHECK(trend->history() == 2);
    CHECK(numbers(trend->forecast(series({99, 1, 2, 3, 4}), 3)) == std::vector<float>{5, 6, 7});
    CHECK(numbers(trend->forecast(series({1, 3}), 2)) == std::vector<float>{5, 7});
    // 0, 0, 0, 10 at times -3..0: mean 2.5 at -1.5, slope 15 / 5
    CHECK(numbers(trend->forecast(series({0, 0, 0, 10}), 2)) == std::vector<float>{10, 13});
    CHECK(numbers(trend->forecast(series({280.125F, 280.125F, 280.125F}), 2)) ==
          std::vector<float>{280.125F, 280.125F});
    CHECK(code_of([&] { trend->forecast(series({1}), 1); }) == ExitCode::data);

    const torch::Tensor slopes = torch::arange(24, torch::kFloat32).view({1, 1, 2, 3, 4});
    const torch::Tensor times = torch::arange(8, torch::kFloat32).view({1, 8, 1, 1, 1});
    const torch::Tensor ramp = slopes * times - 3;
    CHECK(torch::allclose(trend->forecast(ramp.slice(1, 0, 5), 3), ramp.slice(1, 5), 1e-6, 1e-4));
}

TEST_CASE("a linear trend is fitted on what is known") {
    const auto trend = make_linear_trend(9);
    CHECK(numbers(trend->forecast(series({1, kNan, 3, kNan}), 2)) == std::vector<float>{5, 6});
    CHECK(numbers(trend->forecast(series({kNan, kNan, kNan, 3}), 2)) == std::vector<float>{3, 3});
    CHECK(numbers(trend->forecast(series({7, kNan, kNan, kNan, kNan}), 2)) == std::vector<float>{7, 7});
    CHECK(numbers(trend->forecast(series({kNan, kNan}), 2)) == std::vector<float>{9, 9});
}

TEST_CASE("optical flow follows a shift by whole pixels in the interior") {
    const auto flow = make_optical_flow();
    for (const auto& [right, down] : std::vector<std::pair<int, int>>{{2, 0}, {0, 3}, {-2, 1}, {0, 0}}) {
        const torch::Tensor frames = moving(7, right, down);
        const torch::Tensor forecast = flow->forecast(frames.slice(1, 0, 3), 4);
        const torch::Tensor truth = frames.slice(1, 3);
        INFO(right << " right, " << down << " down");
        CHECK(error_of(inside(forecast, 20), inside(truth, 20)) < 0.03);
        if (right != 0 || down != 0) {
            const torch::Tensor still = make_persistence()->forecast(frames.slice(1, 0, 3), 4);
            CHECK(error_of(inside(forecast, 20), inside(truth, 20)) <
                  0.1 * error_of(inside(still, 20), inside(truth, 20)));
        }
    }
}

TEST_CASE("optical flow does not depend on unit or offset") {
    const torch::Tensor frames = moving(3, 2, 1);
    const auto flow = make_optical_flow();
    const torch::Tensor forecast = flow->forecast(frames, 2);
    CHECK((flow->forecast(frames * 40 + 280, 2) - (forecast * 40 + 280)).abs().max().item<double>() < 0.5);
    CHECK(flow->forecast(frames, 2).equal(forecast));
}

TEST_CASE("optical flow of nothing is nothing, on frames of any size") {
    const auto flow = make_optical_flow();
    CHECK(flow->history() == 2);
    for (const std::int64_t side : {1, 2, 5, 13, 33}) {
        CHECK(flow->forecast(torch::zeros({1, 2, 1, side, side + 1}), 3).abs().max().item<double>() == 0);
        CHECK(flow->forecast(torch::rand({1, 2, 1, side, side + 1}), 3).isfinite().all().item<bool>());
    }
    const torch::Tensor flat = torch::full({1, 2, 1, 16, 16}, 5.0F);
    CHECK(flow->forecast(flat, 2).equal(torch::full({1, 2, 1, 16, 16}, 5.0F)));
}

TEST_CASE("persistence holds what was last known, and the mean where nothing was") {
    CHECK(numbers(make_persistence(9)->forecast(series({1, 2, kNan, kNan}), 2)) == std::vector<float>{2, 2});
    CHECK(numbers(make_persistence(9)->forecast(series({kNan, kNan}), 2)) == std::vector<float>{9, 9});
    torch::Tensor past = torch::arange(8).view({1, 2, 1, 2, 2}).to(torch::kFloat32);
    past[0][1][0][0][1] = kNan;
    CHECK(numbers(make_persistence()->forecast(past, 1)) == std::vector<float>{4, 1, 6, 7});
}

TEST_CASE("seasonal persistence takes what is missing from the cycle before, then from what was last known") {
    const auto seasonal = make_seasonal(3, 9);
    CHECK(numbers(seasonal->forecast(series({1, 2, 3, kNan, 5, 6}), 4)) == std::vector<float>{1, 5, 6, 1});
    CHECK(numbers(seasonal->forecast(series({2, 3, kNan, 5, 6}), 3)) == std::vector<float>{6, 5, 6});  // half a cycle
    CHECK(numbers(seasonal->forecast(series({7, kNan, 3, 4, kNan, kNan}), 3)) == std::vector<float>{4, 4, 3});
    CHECK(numbers(seasonal->forecast(series({kNan, kNan, kNan}), 2)) == std::vector<float>{9, 9});
}

TEST_CASE("the anomaly comes from the last pair that is known, and has decayed since") {
    const auto anomaly = make_anomaly(2, 0.5, 9);
    // cycle 14, 20 from the steps that are known; 14 - 10 = 4 is the last pair, one step old
    CHECK(numbers(anomaly->forecast(series({6, 20, 10, 20, 14, kNan}), 2)) == std::vector<float>{15, 20.5F});
    CHECK(numbers(anomaly->forecast(series({kNan, 10, 14}), 2)) == std::vector<float>{10, 14});
    CHECK(numbers(anomaly->forecast(series({kNan, kNan, kNan}), 2)) == std::vector<float>{9, 9});
}

TEST_CASE("missing values never make a baseline's forecast missing") {
    torch::manual_seed(14);
    for (const double part : {0.02, 0.5, 0.98, 1.1}) {
        torch::Tensor past = torch::rand({2, 5, 3, 40, 36});
        past.masked_fill_(torch::rand(past.sizes()) < part, kNan);
        past.slice(3, 0, 8).fill_(kNan);  // never seen
        for (const auto& baseline : all_baselines({3, 0.9, torch::rand({3, 40, 36}), 0.5})) {
            INFO(baseline->name() << ", missing " << part);
            const torch::Tensor forecast = baseline->forecast(past, 4);
            CHECK(forecast.isfinite().all().item<bool>());
            if (baseline->name() != "linear-trend") CHECK((forecast.abs().max() <= 3).item<bool>());
            CHECK(baseline->forecast(past.slice(0, 1), 4).equal(forecast.slice(0, 1)));
        }
    }
}

TEST_CASE("missing areas bend neither the motion nor the pixels beside them") {
    const auto flow = make_optical_flow();
    const torch::Tensor frames = moving(7, 2, 1);
    torch::Tensor past = frames.slice(1, 0, 3).clone();
    past.slice(4, 0, 24).fill_(kNan);  // a quarter that no frame knows
    const torch::Tensor forecast = flow->forecast(past, 4);
    CHECK(forecast.isfinite().all().item<bool>());
    const torch::Tensor truth = frames.slice(1, 3);
    // Four steps of two pixels bring in what was never seen; right of that all is as if the frame were whole.
    const auto right = [](const torch::Tensor& x) { return x.slice(3, 20, -20).slice(4, 34, -20); };
    const double whole = error_of(right(flow->forecast(frames.slice(1, 0, 3), 4)), right(truth));
    CHECK(error_of(right(forecast), right(truth)) < 1.5 * whole + 0.002);
    torch::Tensor zeros = past.nan_to_num(0.0);
    CHECK(error_of(right(forecast), right(truth)) < error_of(right(flow->forecast(zeros, 4)), right(truth)));

    // Scattered pixels: what surrounds them is unharmed, where nan_to_num(0) would pull towards 0.
    torch::manual_seed(3);
    torch::Tensor holes = frames.slice(1, 0, 3).clone() + 50;
    holes.masked_fill_(torch::rand(holes.sizes()) < 0.01, kNan);
    CHECK(error_of(inside(flow->forecast(holes, 1), 20), inside(frames.slice(1, 3, 4) + 50, 20)) < 0.1);

    torch::Tensor blind = frames.slice(1, 0, 3).clone();
    blind.select(1, 2).fill_(kNan);  // no motion can be seen: what was last known stays
    CHECK(flow->forecast(blind, 2).equal(make_persistence()->forecast(blind, 2)));
}

TEST_CASE("the decay of a synthetic anomaly is found again") {
    torch::manual_seed(11);
    constexpr std::int64_t kPeriod = 8;
    for (const double decay : {0.3, 0.8}) {
        torch::Tensor frames = torch::zeros({1200, 1, 6, 6});
        torch::Tensor anomaly = torch::zeros({1, 6, 6});
        // Pulses that decay by the wanted factor and have died away long before the cycle looks back at them.
        for (std::int64_t t = 0; t < 1200; ++t) {
            if (t % 67 == 0) anomaly = torch::randn({1, 6, 6}) * 10;
            frames[t] = anomaly + 5 * std::sin(2 * M_PI * static_cast<double>(t) / kPeriod);
            anomaly = anomaly * decay;
        }
        const FakeSource source({frames});
        const WindowOptions options{4, 3, 1, kPeriod + 1};
        std::vector<Window> after_pulses;
        for (std::int64_t t = 67; t + 8 < 1200; t += 67) after_pulses.push_back({0, t - 3});
        CHECK(std::abs(fit_decay(source, after_pulses, options, kPeriod) - decay) < 0.051);
    }
}

TEST_CASE("missing values take no part in fitting a decay") {
    torch::manual_seed(12);
    torch::Tensor frames = torch::randn({300, 1, 6, 6});
    for (std::int64_t t = 1; t < 300; ++t) frames[t] = frames[t - 1] * 0.8 + frames[t] * 0.3;
    std::vector<Window> windows;
    for (std::int64_t t = 10; t + 8 < 300; t += 5) windows.push_back({0, t});
    const WindowOptions options{4, 3, 1, 5};
    const double whole = fit_decay(FakeSource({frames}), windows, options, 4);
    torch::Tensor holes = frames.clone();
    holes.masked_fill_(torch::rand(holes.sizes()) < 0.05, kNan);
    holes.slice(3, 0, 1).fill_(kNan);
    CHECK(std::abs(fit_decay(FakeSource({holes}), windows, options, 4) - whole) < 0.06);
    holes.slice(0, 17, 22).fill_(kNan);  // a window without any target
    CHECK(fit_decay(FakeSource({holes}), windows, options, 4) <= 1.0);
}

TEST_CASE("a decay cannot be fitted without history or period") {
    const FakeSource source({numbered_frames(0, 30)});
    CHECK(code_of([&] { fit_decay(source, {{0, 0}}, {4, 2, 1, 0}, 8); }) == ExitCode::usage);
    CHECK(code_of([&] { fit_decay(source, {{0, 20}}, {4, 2, 1, 0}, 0); }) == ExitCode::usage);
    CHECK(code_of([&] { fit_decay(source, {{0, 20}}, {4, 2, 1, 0}, 8); }) == ExitCode::ok);
}

TEST_CASE("the baselines reach their published scores on a month of temperatures") {
    const std::string path = shared_data("era5_uk_t2m/era5_uk_t2m_201903.h5");
    if (path.empty()) {
        WARN("skipped: ../shared/data is absent");
        return;
    }
    SourceOptions from;
    from.path = path;
    const auto source = open_source(from);
    const SplitOptions split{"time", {0, 456}, {456, 520}, {540, 744}};
    const WindowOptions options{24, 12, 4, 25};
    const auto windows = cut_windows(source->info(), options, split, Part::test);
    REQUIRE(windows.size() == 43);
    const Batch batch = read_windows(*source, options, windows);
    const BaselineOptions known{24, 0.9, training_mean(*source, split)};
    const std::vector<std::pair<std::string, double>> expected = {
        {"persistence", 1.585}, {"climatology", 1.756}, {"seasonal", 1.026}, {"anomaly", 0.800}};
    for (const auto& [name, kelvin] : expected) {
        INFO(name);
        CHECK(std::abs(error_of(make_baseline(name, known)->forecast(batch.past, 12), batch.target) - kelvin) < 0.0015);
    }
    const double decay = fit_decay(*source, cut_windows(source->info(), options, split, Part::train), options, 24);
    CHECK(decay >= 0.85);
    CHECK(decay <= 1.0);
}

TEST_CASE("optical flow clearly beats persistence on moving rain") {
    const std::string path = shared_data("knmi_radar/knmi_radar_20100826.h5");
    if (path.empty()) {
        WARN("skipped: ../shared/data is absent");
        return;
    }
    SourceOptions from;
    from.path = path;
    from.missing = "zero";
    const auto source = open_source(from);
    const Batch batch = read_windows(*source, {6, 6, 1, 0}, {{0, 10}, {0, 40}, {0, 70}});
    const double flow = error_of(make_optical_flow()->forecast(batch.past, 6), batch.target);
    CHECK(flow < 0.7 * error_of(make_persistence()->forecast(batch.past, 6), batch.target));
}

TEST_CASE("on radar with 21 % missing pixels flow beats persistence by the known ratio") {
    const std::string path = shared_data("knmi_radar/knmi_radar_20100826.h5");
    if (path.empty()) {
        WARN("skipped: ../shared/data is absent");
        return;
    }
    SourceOptions from;
    from.path = path;
    from.missing = "mask";
    const auto source = open_source(from);
    double flow = 0;
    double still = 0;
    for (std::int64_t start = 0; start + 12 <= 92; start += 8) {
        const Batch batch = read_windows(*source, {6, 6, 1, 0}, {{0, start}});
        REQUIRE(batch.valid.defined());
        flow += error_on(make_optical_flow()->forecast(batch.past, 6), batch);
        still += error_on(make_persistence()->forecast(batch.past, 6), batch);
    }
    INFO("ratio " << flow / still);  // 0.537 over all 27 windows; 0.544 with missing values as 0
    CHECK(flow < 0.56 * still);
    CHECK(flow > 0.50 * still);
}

TEST_CASE("beside a missing area the motion is that of the known pixels, and nothing of it moves in") {
    const auto flow = make_optical_flow();
    const torch::Tensor frames = moving(4, 4, 1) + 50;
    torch::Tensor past = frames.slice(1, 0, 3).clone();
    past.slice(4, 0, 40).fill_(kNan);
    const torch::Tensor forecast = flow->forecast(past, 1);
    CHECK(forecast.min().item<double>() > 46);  // a missing value would be 0, or pull towards it
    const auto beside = [](const torch::Tensor& x) { return x.slice(3, 12, -12).slice(4, 46, 54); };
    CHECK(error_of(beside(forecast), beside(frames.slice(1, 3))) <
          0.067);  // 0.062; 0.072 with the motion of all pixels
}
