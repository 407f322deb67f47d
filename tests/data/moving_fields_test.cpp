#include "data/baseline.h"
#include "data/baselines/advection.h"
#include "data/baselines/cascade.h"
#include "data/baselines/rain.h"
#include "data/frame_source.h"
#include "data/loader.h"
#include "tests/data/moving_texture.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <cmath>

using namespace nowcell;

namespace {

const float kNan = std::nanf("");

std::vector<std::unique_ptr<Baseline>> moving_baselines(const std::string& units = "1") {
    std::vector<std::unique_ptr<Baseline>> all;
    all.push_back(make_optical_flow());
    all.push_back(make_farneback());
    all.push_back(make_s_prog(0.0, units, 300));
    return all;
}

// A round hill, (H,W).
torch::Tensor hill(std::int64_t side, double x, double y, double width) {
    const torch::Tensor at = torch::arange(side, torch::kFloat32);
    return ((at.view({-1, 1}) - y).square() + (at.view({1, -1}) - x).square()).mul(-0.5 / (width * width)).exp();
}

// The way back of a turn about the middle, (H,W) of two floats.
cv::Mat turn(int side, double angle) {
    cv::Mat flow(side, side, CV_32FC2);
    const double middle = 0.5 * (side - 1);
    for (int row = 0; row < side; ++row) {
        for (int column = 0; column < side; ++column) {
            const double x = column - middle, y = row - middle;
            const double back_x = std::cos(angle) * x + std::sin(angle) * y;
            const double back_y = -std::sin(angle) * x + std::cos(angle) * y;
            flow.at<cv::Vec2f>(row, column) = {static_cast<float>(back_x - x), static_cast<float>(back_y - y)};
        }
    }
    return flow;
}

torch::Tensor moved(const WayBack& way, const torch::Tensor& field) {
    torch::Tensor out = torch::empty_like(field);
    way.moved(as_mat(field)).copyTo(as_mat(out));
    return out;
}

// Smooth noise, (n,H,W): frames without anything in common.
torch::Tensor noise(std::int64_t frames, std::int64_t side) { return torch::randn({frames, side, side}); }

// Rain in mm per 5 min from a texture: a third of it dry.
torch::Tensor rain_of(const torch::Tensor& field) { return (field + 0.5).clamp_min(0.0) * 0.3; }

double csi(const torch::Tensor& forecast, const torch::Tensor& truth, double threshold) {
    const torch::Tensor yes = forecast >= threshold, was = truth >= threshold;
    return yes.logical_and(was).sum().item<double>() / yes.logical_or(was).sum().item<double>();
}

}  // namespace

TEST_CASE("a way back of whole pixels is an exact shift, and goes on beyond the border with the nearest pixel") {
    const torch::Tensor field = texture(20, 30).contiguous();
    WayBack way(cv::Mat(20, 30, CV_32FC2, cv::Scalar(-2, 1)));
    for (int step = 1; step <= 5; ++step) {
        way.step();
        const torch::Tensor got = moved(way, field);
        const std::int64_t right = 2 * step, up = step;
        CHECK(got.slice(0, 0, -up).slice(1, right).equal(field.slice(0, up).slice(1, 0, -right)));
        CHECK(got.slice(0, 0, -up).slice(1, 0, right).equal(field.slice(0, up).slice(1, 0, 1).expand({-1, right})));
    }
    const cv::Mat ones = cv::Mat::ones(20, 30, CV_32F);
    CHECK(cv::sum(way.inside(ones))[0] == 20 * 15);
}

TEST_CASE("a turn stays a turn, for however many steps") {
    constexpr std::int64_t kSide = 101;
    const double angle = M_PI / 18;
    const torch::Tensor field = hill(kSide, 80, 50, 5);
    WayBack way(turn(kSide, angle));
    for (int step = 1; step <= 36; ++step) {
        way.step();
        const double at = angle * step;
        const torch::Tensor truth = hill(kSide, 50 + 30 * std::cos(at), 50 + 30 * std::sin(at), 5);
        INFO("step " << step);
        CHECK((moved(way, field) - truth).abs().max().item<double>() < 0.012);  // of a hill of 1; interpolated once
    }
}

TEST_CASE("whole pixels a frame are followed by every baseline that sees motion, on frames that are not square") {
    for (const auto& [right, down] : std::vector<std::pair<int, int>>{{2, 0}, {-1, 2}}) {
        const torch::Tensor frames = moving(7, right, down).slice(3, 0, 80);
        const torch::Tensor past = frames.slice(1, 0, 3), truth = inside(frames.slice(1, 3), 20);
        const double still = error_of(inside(make_persistence()->forecast(past, 4), 20), truth);
        for (const auto& baseline : moving_baselines()) {
            INFO(baseline->name() << ", " << right << " right, " << down << " down");
            CHECK(error_of(inside(baseline->forecast(past, 4), 20), truth) < 0.15 * still);
        }
    }
}

TEST_CASE("a field that does not move stays, a flat one exactly") {
    for (const auto& baseline : moving_baselines()) {
        INFO(baseline->name());
        const torch::Tensor flat = torch::full({1, 3, 2, 19, 33}, 280.125F);
        CHECK(baseline->forecast(flat, 3).equal(flat));
        const torch::Tensor still = texture(40, 60).expand({1, 3, 1, 40, 60}) + 280;
        CHECK(error_of(baseline->forecast(still, 3), still) < 0.02);
    }
}

TEST_CASE("frames of any size are forecast, in units of rain and others") {
    torch::manual_seed(2);
    for (const char* units : {"K", "mm"}) {
        for (const auto& baseline : moving_baselines(units)) {
            for (const auto& [height, width] :
                 std::vector<std::pair<int, int>>{{1, 1}, {1, 9}, {2, 2}, {3, 1}, {5, 4}, {31, 37}, {64, 48}}) {
                INFO(baseline->name() << " " << height << "x" << width << " " << units);
                CHECK(baseline->forecast(torch::rand({1, 3, 2, height, width}), 3).isfinite().all().item<bool>());
            }
        }
    }
}

TEST_CASE("no rain stays no rain") {
    const torch::Tensor dry = torch::zeros({1, 3, 1, 40, 50});
    for (const auto& baseline : moving_baselines("mm"))
        CHECK(baseline->forecast(dry, 4).equal(torch::zeros({1, 4, 1, 40, 50})));
    torch::Tensor clearing = dry.clone();
    clearing.select(1, 0) = 1.0;
    clearing.select(1, 1) = 1.0;
    CHECK(make_s_prog(0, "mm", 300)->forecast(clearing, 4).abs().max().item<double>() == 0);
    const torch::Tensor drizzle = torch::rand({1, 3, 1, 40, 50}) * 0.005;  // below 0.1 mm/h
    CHECK(make_s_prog(0, "mm", 300)->forecast(drizzle, 2).abs().max().item<double>() == 0);
    CHECK(make_s_prog(0, "K")->forecast(drizzle, 2).abs().max().item<double>() > 0);
}

TEST_CASE("the filters of a cascade add up to one, and its bands to the field") {
    torch::manual_seed(5);
    for (const auto& [height, width] : std::vector<std::pair<int, int>>{
             {1, 1}, {2, 2}, {1, 7}, {7, 1}, {5, 3}, {33, 49}, {64, 64}, {13, 100}, {417, 419}}) {
        INFO(height << "x" << width);
        const torch::Tensor filters = band_filters(height, width);
        CHECK(filters.size(1) == height);
        CHECK(filters.size(2) == width / 2 + 1);
        CHECK((filters.sum(0) - 1).abs().max().item<double>() < 1e-6);
        CHECK(filters.min().item<double>() >= 0);
        CHECK(filters.select(1, 0).select(1, 0).slice(0, 1).abs().sum().item<double>() == 0);  // the mean
        const torch::Tensor fields = torch::randn({2, height, width});
        const Cascade cascade(fields);
        torch::Tensor sum = torch::zeros_like(fields);
        for (std::int64_t band = 0; band < cascade.bands(); ++band) sum += cascade.band(band);
        CHECK((sum - fields).abs().max().item<double>() < 1e-5);
    }
    CHECK(band_filters(417, 419).size(0) == 6);
    CHECK(band_filters(33, 49).size(0) == 3);
}

TEST_CASE("a wave is in the band of its length, whichever way it runs") {
    const torch::Tensor at = torch::arange(128, torch::kFloat32);
    std::int64_t before = -1;
    for (const double waves : {1.0, 6.0, 40.0}) {
        const torch::Tensor wave = (at * (2 * M_PI * waves / 128)).sin().view({1, 1, -1}).expand({1, 128, 128});
        const auto strongest = [](const torch::Tensor& field) {
            const Cascade cascade(field.contiguous());
            std::vector<double> power;
            for (std::int64_t i = 0; i < cascade.bands(); ++i) {
                power.push_back(cascade.band(i).square().sum().item<double>());
            }
            return std::max_element(power.begin(), power.end()) - power.begin();
        };
        CHECK(strongest(wave) > before);
        CHECK(strongest(wave) == strongest(wave.transpose(1, 2)));
        before = strongest(wave);
    }
}

TEST_CASE("the autoregression of a field is found again") {
    torch::manual_seed(6);
    for (const auto& [phi1, phi2] : std::vector<std::pair<double, double>>{{0.6, 0.2}, {0.9, -0.15}, {0.5, 0.0}}) {
        std::vector<torch::Tensor> fields = {torch::zeros({200, 200}), torch::zeros({200, 200})};
        for (int t = 0; t < 60; ++t) {
            const torch::Tensor next = phi1 * fields[fields.size() - 1] + phi2 * fields[fields.size() - 2];
            fields.push_back(next + torch::randn({200, 200}));
        }
        const torch::Tensor last = torch::stack({fields[fields.size() - 3], fields[fields.size() - 2], fields.back()});
        const Autoregression found = Scale(last * 7 + 3, {}).process();
        CHECK(std::abs(found.phi1 - phi1) < 0.03);
        CHECK(std::abs(found.phi2 - phi2) < 0.03);

        torch::Tensor spoilt = last.clone();
        spoilt.slice(1, 0, 100).uniform_(-1e4, 1e4);
        torch::Tensor known = torch::ones({200, 200}, torch::kBool);
        known.slice(0, 0, 100).fill_(false);
        CHECK(std::abs(Scale(spoilt, known).process().phi1 - phi1) < 0.04);
        CHECK(Scale(last.slice(0, 1), {}).process().phi2 == 0.0);
    }
}

TEST_CASE("whatever the correlations, an autoregression dies away without swinging") {
    for (const double lag1 : {-0.5, 0.0, 0.3, 0.9, 0.99, 1.0}) {
        for (const double lag2 : {-1.0, -0.3, 0.0, 0.5, 0.97, 1.0}) {
            INFO(lag1 << " " << lag2);
            const Autoregression process = autoregression(lag1, lag2);
            double now = 1.0, before = 1.0;
            for (int t = 0; t < 100; ++t) {
                const double next = process.phi1 * now + process.phi2 * before;
                REQUIRE(next <= now + 1e-12);
                REQUIRE(next >= -1e-12);
                before = std::exchange(now, next);
            }
            const double clamped = std::clamp(lag1, 0.0, 0.9999);
            CHECK(process.phi1 / (1 - process.phi2) == Catch::Approx(clamped));  // the first correlation is kept
        }
    }
}

TEST_CASE("in S-PROG large scales outlive small ones, and a constant offset changes nothing") {
    torch::manual_seed(7);
    const torch::Tensor large = hill(128, 64, 64, 20) * 10;
    const torch::Tensor past = (large + noise(3, 128)).view({1, 3, 1, 128, 128});
    const torch::Tensor forecast = make_s_prog()->forecast(past, 6);
    const torch::Tensor last = forecast[0][5][0];
    CHECK((last.max() - last.min()).item<double>() > 7);
    CHECK(error_of(last, large) < 0.5 * error_of(past[0][2][0], large));  // the noise of mean 0.8 is forgotten
    CHECK(error_of(make_s_prog()->forecast(past + 1000, 6) - 1000, forecast) < 0.01);
}

TEST_CASE("S-PROG of rain forecasts as much as fell last, at other places, whatever unit it is in") {
    const torch::Tensor frames = rain_of(moving(7, 2, 1));
    const torch::Tensor past = frames.slice(1, 0, 3);
    const torch::Tensor forecast = make_s_prog(0, "mm", 300)->forecast(past, 4);
    CHECK(forecast.min().item<double>() >= 0);
    CHECK(forecast.max().item<double>() <= past.select(1, 2).max().item<double>() * 1.001);
    CHECK(csi(inside(forecast, 20), inside(frames.slice(1, 3), 20), 0.1) > 0.9);
    const torch::Tensor rate = make_s_prog(0, "mm/h")->forecast(past * 12, 4) / 12;
    CHECK(error_of(rate, forecast) < 1e-3 * forecast.mean().item<double>());
    CHECK(make_s_prog(0, "mm", 300)->forecast(past.slice(1, 1), 2).isfinite().all().item<bool>());  // order 1
}

TEST_CASE("S-PROG forecasts from what is known") {
    const torch::Tensor frames = rain_of(moving(5, 2, 0));
    const auto s_prog = make_s_prog(0.25, "mm", 300);
    torch::Tensor past = frames.slice(1, 0, 3).clone();
    past.slice(4, 0, 24).fill_(kNan);
    const torch::Tensor forecast = s_prog->forecast(past, 2);
    CHECK(forecast.isfinite().all().item<bool>());
    const auto right = [](const torch::Tensor& x) { return x.slice(3, 20, -20).slice(4, 44, -20); };
    CHECK(csi(right(forecast), right(frames.slice(1, 3)), 0.1) > 0.9);

    CHECK(s_prog->forecast(torch::full({1, 3, 1, 12, 9}, kNan), 2).equal(torch::full({1, 2, 1, 12, 9}, 0.25F)));
    torch::Tensor blind = frames.slice(1, 0, 3).clone();  // no motion can be seen
    blind.select(1, 2).fill_(kNan);
    CHECK(csi(s_prog->forecast(blind, 1), blind.slice(1, 1, 2), 0.1) > 0.95);
    torch::Tensor late = frames.slice(1, 0, 3).clone();
    late.slice(1, 0, 2).fill_(kNan);
    CHECK(csi(s_prog->forecast(late, 1), late.slice(1, 2), 0.1) > 0.95);
    torch::Tensor one = torch::cat({past.slice(1, 0, 3), torch::full({1, 3, 1, 96, 96}, kNan)}, 2);  // a blind channel
    CHECK(s_prog->forecast(one, 2).select(2, 1).equal(torch::full({1, 2, 96, 96}, 0.25F)));
}

TEST_CASE("rain is known by its units") {
    CHECK(rain_mm_per_h("mm/h", 300) == 1);
    CHECK(rain_mm_per_h("mm h-1", 300) == 1);
    CHECK(rain_mm_per_h("mm hr^-1", 0) == 1);
    CHECK(rain_mm_per_h("mm per 5 min", 300) == 12);
    CHECK(rain_mm_per_h("mm per hour", 300) == 1);
    CHECK(rain_mm_per_h("mm", 300) == 12);
    CHECK(rain_mm_per_h("mm", 0) == 1);
    CHECK(rain_mm_per_h("mm/min", 300) == 60);
    CHECK(rain_mm_per_h("mm/day", 3600) == Catch::Approx(1 / 24.0));
    CHECK(rain_mm_per_h("kg m-2 s-1", 300) == 3600);
    CHECK(rain_mm_per_h("kg m**-2 s**-1", 300) == 3600);
    CHECK(rain_mm_per_h("kg m-2", 3600) == 1);
    for (const char* other : {"K", "1", "", "m s-1", "dBZ", "hPa", "kg m-3"}) CHECK(rain_mm_per_h(other, 300) == 0);
}

TEST_CASE("on radar S-PROG is better than the flow alone, at every threshold of rain") {
    const std::string path = shared_data("knmi_radar/knmi_radar_20100826.h5");
    if (path.empty()) {
        WARN("skipped: ../shared/data is absent");
        return;
    }
    SourceOptions from;
    from.path = path;
    from.missing = "zero";
    const auto source = open_source(from);
    const Batch batch = read_windows(*source, {6, 6, 1, 0}, {{0, 9}, {0, 39}, {0, 69}});
    const torch::Tensor flow = make_optical_flow()->forecast(batch.past, 6);
    const torch::Tensor s_prog = make_s_prog(0, source->info().units, source->info().step_s)->forecast(batch.past, 6);
    CHECK(error_of(s_prog, batch.target) < 0.95 * error_of(flow, batch.target));
    for (const double rate : {0.1, 0.5, 2.0}) {
        INFO(rate << " mm/h");
        CHECK(csi(s_prog, batch.target, rate / 12) > csi(flow, batch.target, rate / 12));
    }
    const auto third = [](const torch::Tensor& x) { return x.select(1, 2); };
    CHECK(csi(third(s_prog), third(batch.target), 0.1 / 12) > 0.7);
}
