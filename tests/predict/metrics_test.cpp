#include "predict/scores/metrics.h"
#include "predict/scores/ssim.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "tests/support/catch.h"

#include <cmath>

using Catch::Approx;
using nowcell::Quantity;
using nowcell::ScoreOptions;
using nowcell::Scores;

namespace {

// SSIM by its definition, a pixel at a time, over the pixels whose window lies inside; `means`: with that factor.
double ssim_by_hand(const torch::Tensor& a, const torch::Tensor& b, bool means = true) {
    const auto x = a.accessor<double, 2>();
    const auto y = b.accessor<double, 2>();
    double norm = 0.0;
    for (int i = -5; i <= 5; ++i) norm += std::exp(-i * i / 4.5);
    double total = 0.0;
    int count = 0;
    for (std::int64_t r = 5; r + 5 < a.size(0); ++r) {
        for (std::int64_t c = 5; c + 5 < a.size(1); ++c) {
            double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
            for (int i = -5; i <= 5; ++i) {
                for (int j = -5; j <= 5; ++j) {
                    const double w = std::exp(-(i * i + j * j) / 4.5) / (norm * norm);
                    const double p = x[r + i][c + j];
                    const double q = y[r + i][c + j];
                    mx += w * p, my += w * q, xx += w * p * p, yy += w * q * q, xy += w * p * q;
                }
            }
            const double contrast = (2 * (xy - mx * my) + 9e-4) / (xx - mx * mx + yy - my * my + 9e-4);
            total += contrast * (means ? (2 * mx * my + 1e-4) / (mx * mx + my * my + 1e-4) : 1.0);
            ++count;
        }
    }
    return total / count;
}

const std::vector<const char*> kNames = {"mae", "mse", "rmse", "bias", "ssim", "psnr", "ms-ssim", "sharpness", "ralsd"};
const ScoreOptions kErrors = {.metrics = {"mae", "mse"}};

ScoreOptions range(double min, double max) { return {.min = min, .max = max}; }

bool same_bits(double a, double b) { return (std::isnan(a) && std::isnan(b)) || a == b; }

double score_of(const char* metric, const torch::Tensor& forecast, const torch::Tensor& truth,
                const torch::Tensor& valid = {}) {
    const auto batch = [](const torch::Tensor& x) {
        return x.defined() ? x.view({1, 1, 1, x.size(-2), x.size(-1)}) : x;
    };
    Scores scores(1, {.metrics = {metric}});
    scores.add(batch(forecast), batch(truth), batch(valid));
    return scores.value(metric, 0);
}

}  // namespace

TEST_CASE("SSIM equals its definition") {
    at::manual_seed(4);
    const torch::Tensor a = at::rand({17, 14}, at::kDouble);
    const torch::Tensor b = (a + 0.2 * at::rand({17, 14}, at::kDouble)).clamp(0, 1);
    const auto batch = [](const torch::Tensor& x) { return x.unsqueeze(0).unsqueeze(0); };
    CHECK(nowcell::ssim(batch(a), batch(b)).item<double>() == Approx(ssim_by_hand(a, b)).epsilon(1e-9));
    CHECK(nowcell::ssim(batch(a), batch(a)).item<double>() == Approx(1.0).epsilon(1e-12));
    CHECK(std::isnan(nowcell::ssim(at::rand({1, 1, 10, 40}), at::rand({1, 1, 10, 40})).item<double>()));
}

TEST_CASE("PSNR equals its definition and is finite for exact frames") {
    const torch::Tensor truth = at::zeros({2, 1, 1, 4, 4});
    Scores scores(1, {.metrics = {"psnr"}});
    scores.add(truth + 0.1, truth);
    CHECK(scores.value("psnr", 0) == Approx(20.0).epsilon(1e-6));
    scores.add(truth, truth);
    CHECK(scores.value("psnr", 0) == Approx(60.0).epsilon(1e-6));  // the mean with 100 dB
}

TEST_CASE("scores are means over windows and pixels, per lead time and over all") {
    Scores scores(2, kErrors);
    const torch::Tensor truth = at::zeros({1, 2, 1, 3, 3});
    torch::Tensor forecast = truth.clone();
    forecast.select(1, 0).fill_(2.0);
    forecast.select(1, 1).fill_(-4.0);
    scores.add(forecast, truth);
    scores.add(truth, truth);
    CHECK(scores.windows() == 2);
    CHECK(scores.value("mae", 1) == 1.0);
    CHECK(scores.value("mae", 2) == 2.0);
    CHECK(scores.value("mae", 0) == 1.5);
    CHECK(scores.value("mse", 0) == 5.0);
    CHECK(std::isnan(scores.value("ssim", 0)));
    CHECK((scores.quantities() == std::vector<Quantity>{{"mae"}, {"mse"}}));
    Scores all(2, {});
    all.add(forecast, truth);
    CHECK(all.value("rmse", 0) == std::sqrt(10.0));
    CHECK(all.value("bias", 1) == 2.0);
    CHECK(all.value("bias", 0) == -1.0);
    CHECK(std::isnan(all.value("mae", 3)));
    CHECK(std::isnan(all.value("csi", 0)));
}

TEST_CASE("neither batches nor threads nor strides change a bit of any score") {
    at::manual_seed(6);
    const torch::Tensor truth = at::rand({5, 3, 2, 26, 23}) * 40.0 + 260.0;
    const torch::Tensor forecast = truth + 8.0 * at::randn(truth.sizes());
    const torch::Tensor valid = at::rand(truth.sizes()) > 0.1;
    for (const char* dialect : {"standard", "openstl", "hko7", "sevir", "pysteps"}) {
        ScoreOptions options = range(240, 320);
        options.dialect = dialect;
        options.thresholds = {270.0, 290.0};
        const auto scored = [&](std::int64_t batch, int threads, const torch::Tensor& mask) {
            at::set_num_threads(threads);
            Scores scores(3, options);
            for (std::int64_t i = 0; i < 5; i += batch) {
                const std::int64_t count = std::min(batch, 5 - i);
                scores.add(forecast.narrow(0, i, count), truth.narrow(0, i, count),
                           mask.defined() ? mask.narrow(0, i, count) : mask);
            }
            return scores;
        };
        const int before = at::get_num_threads();
        for (const torch::Tensor& mask : {torch::Tensor(), valid}) {
            const Scores together = scored(5, 1, mask);
            const Scores others[] = {scored(1, 1, mask), scored(2, 2, mask), scored(5, 3, mask)};
            for (const Scores& other : others) {
                for (const Quantity& quantity : together.quantities()) {
                    for (std::int64_t lead = 0; lead <= 3; ++lead) {
                        INFO(dialect << " " << quantity.metric << " " << lead);
                        CHECK(same_bits(together.value(quantity, lead), other.value(quantity, lead)));
                    }
                    CHECK(together.window_parts(quantity, 4) == other.window_parts(quantity, 4));
                }
                const auto curves = together.curves(), again = other.curves();
                for (std::size_t i = 0; i < curves.size(); ++i) CHECK(curves[i].y == again[i].y);
            }
        }
        at::set_num_threads(before);
    }
    Scores plain(3, {}), turned(3, {});
    plain.add(forecast, truth);
    turned.add(forecast.transpose(3, 4).contiguous().transpose(3, 4), truth);
    CHECK(plain.value("mse", 0) == turned.value("mse", 0));
}

TEST_CASE("the sums of windows make up the scores of any choice of them") {
    at::manual_seed(16);
    const torch::Tensor truth = at::rand({6, 2, 1, 14, 12});
    const torch::Tensor forecast = truth + 0.2 * at::randn(truth.sizes());
    const torch::Tensor valid = at::rand(truth.sizes()) > 0.2;
    const ScoreOptions options{.thresholds = {0.5, 0.8}};
    Scores all(2, options), some(2, options);
    all.add(forecast, truth, valid);
    const torch::Tensor drawn = at::tensor({4, 0, 4}, at::kLong);
    some.add(forecast.index_select(0, drawn), truth.index_select(0, drawn), valid.index_select(0, drawn));
    int with_parts = 0;
    for (const Quantity& quantity : all.quantities()) {
        std::vector<double> sum = all.window_parts(quantity, 4);
        if (sum.empty()) continue;
        ++with_parts;
        for (const std::int64_t window : {0, 4}) {
            const std::vector<double> parts = all.window_parts(quantity, window);
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += parts[i];
        }
        INFO(quantity.metric << " " << quantity.scale);
        CHECK(all.from_parts(quantity, sum) == Approx(some.value(quantity, 0)).epsilon(1e-12));
    }
    CHECK(with_parts == static_cast<int>(all.quantities().size()) - 1);  // all but "ralsd"
}

TEST_CASE("SSIM and PSNR do not depend on the units") {
    at::manual_seed(8);
    const torch::Tensor truth = at::rand({1, 1, 1, 16, 16}, at::kDouble);
    const torch::Tensor forecast = truth * 0.9;
    Scores unit(1, {});
    unit.add(forecast, truth);
    Scores kelvin(1, range(270, 300));
    kelvin.add(forecast * 30.0 + 270.0, truth * 30.0 + 270.0);
    CHECK(unit.value("ssim", 0) == Approx(kelvin.value("ssim", 0)).epsilon(1e-6));
    CHECK(unit.value("psnr", 0) == Approx(kelvin.value("psnr", 0)).epsilon(1e-6));
}

TEST_CASE("missing pixels take no part in any score, whatever stands there") {
    at::manual_seed(12);
    const torch::Tensor truth = at::rand({3, 2, 2, 20, 18}) * 40.0 + 260.0;
    const torch::Tensor forecast = truth + at::randn(truth.sizes());
    torch::Tensor valid = at::rand(truth.sizes()) > 0.3;
    valid[0].select(0, 1).fill_(false);  // a frame of which nothing is known
    const auto scores = [&](const torch::Tensor& f, double filler) {
        Scores out(2, range(260, 300));
        out.add(f, truth.masked_fill(valid.logical_not(), filler), valid);
        return out;
    };
    const Scores plain = scores(forecast, std::nan(""));
    const Scores other = scores(at::where(valid, forecast, 1e6), -5.0);
    for (const char* metric : kNames) {
        for (std::int64_t lead = 0; lead <= 2; ++lead) {
            INFO(metric << " at " << lead);
            CHECK(std::isfinite(plain.value(metric, lead)));
            CHECK(plain.value(metric, lead) == other.value(metric, lead));
        }
    }
    // Pooled over the known pixels of all windows, lead by lead.
    const torch::Tensor errors = (forecast.to(at::kDouble) - truth.to(at::kDouble)).abs();
    const auto pooled = [&](const torch::Tensor& part, const torch::Tensor& mask) {
        return part.masked_select(mask).mean().item<double>();
    };
    CHECK(plain.value("mae", 2) == Approx(pooled(errors.select(1, 1), valid.select(1, 1))).epsilon(1e-12));
    CHECK(plain.value("mae", 0) == Approx(pooled(errors, valid)).epsilon(1e-12));
    CHECK(plain.value("mse", 0) == Approx(pooled(errors.square(), valid)).epsilon(1e-12));
}

TEST_CASE("a mask that hides nothing changes no digit") {
    at::manual_seed(13);
    const torch::Tensor truth = at::rand({3, 2, 1, 20, 18}) * 40.0 + 260.0;
    const torch::Tensor forecast = truth + at::randn(truth.sizes());
    Scores without(2, range(260, 300));
    Scores with(2, range(260, 300));
    without.add(forecast, truth);
    with.add(forecast, truth, at::ones(truth.sizes(), at::kBool));
    for (const char* metric : kNames) {
        const bool exact = metric != std::string("ssim") && metric != std::string("psnr");
        for (std::int64_t lead = 0; lead <= 2; ++lead) {
            const double a = without.value(metric, lead);
            CHECK(with.value(metric, lead) == Approx(a).epsilon(exact ? 0.0 : 1e-12));
        }
    }
}

TEST_CASE("the SSIM that scores are taken with is the one that a loss differentiates") {
    at::manual_seed(15);
    const torch::Tensor a = at::rand({3, 2, 15, 19});
    const torch::Tensor b = (a + 0.3 * at::rand(a.sizes())).clamp(0, 1);
    const torch::Tensor valid = at::rand(a.sizes()) > 0.1;
    for (const torch::Tensor& mask : {torch::Tensor(), valid}) {
        Scores scores(1, {.metrics = {"ssim"}});
        scores.add(b.unsqueeze(1), a.unsqueeze(1), mask.defined() ? mask.unsqueeze(1) : mask);
        CHECK(scores.value("ssim", 0) == Approx(nowcell::ssim(b, a, mask).mean().item<double>()).epsilon(1e-10));
    }
}

TEST_CASE("SSIM and PSNR of the known pixels alone") {
    at::manual_seed(14);
    const torch::Tensor a = at::rand({24, 40});
    const torch::Tensor b = (a + 0.2 * at::rand(a.sizes())).clamp(0, 1);
    // With a wide strip missing, windows centred farther from it than their reach are as they were.
    torch::Tensor valid = at::ones(a.sizes(), at::kBool);
    valid.slice(1, 12).fill_(false);
    const torch::Tensor perfect = at::where(valid, a, at::rand(a.sizes()));
    const torch::Tensor strip = b.slice(1, 0, 12).contiguous(), strip_truth = a.slice(1, 0, 12).contiguous();
    for (const char* metric : {"ssim", "ms-ssim"}) {
        CHECK(score_of(metric, perfect, a, valid) == Approx(1.0).epsilon(1e-12));
        CHECK(score_of(metric, b, a, valid) < 0.99);
    }
    CHECK(score_of("psnr", perfect, a, valid) == 100.0);
    CHECK(score_of("psnr", b, a, valid) == Approx(score_of("psnr", strip, strip_truth)).epsilon(1e-12));
    CHECK(score_of("sharpness", b, a, valid) == Approx(score_of("sharpness", strip, strip_truth)).epsilon(1e-12));
    CHECK(score_of("ralsd", perfect, a, valid) == 0.0);
    const torch::Tensor nothing = at::zeros(a.sizes(), at::kBool);
    for (const char* metric : kNames) CHECK(std::isnan(score_of(metric, b, a, nothing)));
}

TEST_CASE("truth that is not a number is missing, with a mask or without") {
    at::manual_seed(17);
    const torch::Tensor truth = at::rand({2, 2, 1, 14, 13});
    const torch::Tensor forecast = truth + 0.1 * at::randn(truth.sizes());
    const torch::Tensor valid = at::rand(truth.sizes()) > 0.2;
    const ScoreOptions options{.thresholds = {0.5}};
    Scores masked(2, options), holes(2, options);
    masked.add(forecast, truth, valid);
    holes.add(forecast.masked_fill(valid.logical_not(), std::nan("")),
              truth.masked_fill(valid.logical_not(), std::nan("")));
    for (const Quantity& quantity : masked.quantities()) {
        INFO(quantity.metric);
        CHECK(same_bits(masked.value(quantity, 0), holes.value(quantity, 0)));
        CHECK(std::isfinite(masked.value(quantity, 0)));
    }
    CHECK(holes.missing().values == 0);
}

TEST_CASE("a forecast without a value where the truth is known spoils its lead time and is counted") {
    const torch::Tensor truth = at::rand({3, 2, 1, 12, 12});
    torch::Tensor forecast = truth.clone();
    forecast[1][1][0][3][4] = std::nan("");
    forecast[2][1][0][0].fill_(HUGE_VAL);
    Scores scores(2, {.thresholds = {0.5}});
    scores.add(forecast.narrow(0, 0, 1), truth.narrow(0, 0, 1));
    CHECK(scores.missing().window == -1);
    scores.add(forecast.narrow(0, 1, 2), truth.narrow(0, 1, 2));
    for (const Quantity& quantity : scores.quantities()) {
        INFO(quantity.metric);
        CHECK(std::isfinite(scores.value(quantity, 1)) == (quantity.metric != "sedi"));  // without a miss
        CHECK(std::isnan(scores.value(quantity, 2)));
        CHECK(std::isnan(scores.value(quantity, 0)));
    }
    CHECK(scores.missing().values == 13);
    CHECK(scores.missing().frames == 2);
    CHECK(scores.missing().window == 1);
    CHECK(scores.missing().lead == 2);

    Scores pysteps(2, {.dialect = "pysteps"});
    pysteps.add(forecast, truth);
    CHECK(pysteps.value("mae", 0) == 0.0);
    CHECK(pysteps.missing().values == 13);
}

TEST_CASE("MS-SSIM weighs the contrast of fine scales and the SSIM of the coarsest") {
    at::manual_seed(18);
    const torch::Tensor a = at::rand({23, 31}), b = (a + 0.3 * at::rand(a.sizes())).clamp(0, 1);
    // Two scales hold an 11x11 window here.
    const auto halved = [](const torch::Tensor& x) {
        const torch::Tensor even = at::cat({x, x.narrow(0, x.size(0) - 1, 1)}, 0);
        const torch::Tensor full = at::cat({even, even.narrow(1, x.size(1) - 1, 1)}, 1).to(at::kDouble);
        return at::avg_pool2d(full.view({1, 1, full.size(0), full.size(1)}), {2, 2}).squeeze();
    };
    const double w1 = 0.0448 / (0.0448 + 0.2856), w2 = 0.2856 / (0.0448 + 0.2856);
    const double expected = std::pow(ssim_by_hand(b.to(at::kDouble), a.to(at::kDouble), false), w1) *
                            std::pow(ssim_by_hand(halved(b), halved(a)), w2);
    CHECK(score_of("ms-ssim", b, a) == Approx(expected).epsilon(1e-6));
    // With one scale it is SSIM; with none there is no number.
    const torch::Tensor small = a.slice(0, 0, 20).contiguous(), other = b.slice(0, 0, 20).contiguous();
    CHECK(score_of("ms-ssim", other, small) == score_of("ssim", other, small));
    CHECK(std::isnan(score_of("ms-ssim", a.slice(0, 0, 10).contiguous(), a.slice(0, 0, 10).contiguous())));
    const torch::Tensor large = at::rand({176, 180});
    CHECK(score_of("ms-ssim", large, large) == Approx(1.0).epsilon(1e-12));
    CHECK(score_of("ms-ssim", 1.0 - large, large) == 0.0);  // contrast against the truth's counts as none
}

TEST_CASE("sharpness is the ratio of mean gradients") {
    const torch::Tensor ramp = at::arange(7, at::kFloat).expand({5, 7}) + at::arange(5, at::kFloat).view({5, 1});
    CHECK(score_of("sharpness", 0.5 * ramp, ramp) == Approx(0.5));
    CHECK(score_of("sharpness", ramp * 0.0, ramp) == 0.0);
    CHECK(std::isnan(score_of("sharpness", ramp, ramp * 0.0)));
    CHECK(score_of("sharpness", 3.0 * ramp.narrow(0, 0, 1), ramp.narrow(0, 0, 1)) == Approx(3.0));
    CHECK(std::isnan(score_of("sharpness", at::ones({1, 1}), at::zeros({1, 1}))));
    // A checked field by hand: one step of 2 to the right and one of 1 down.
    const torch::Tensor corner = at::tensor({0.0F, 2.0F, 1.0F, 9.0F}).view({2, 2});
    CHECK(score_of("sharpness", corner, corner * 0.1) == Approx(10.0));
    const torch::Tensor plain = at::tensor({0.0F, 1.0F, 0.0F, 9.0F}).view({2, 2});
    CHECK(score_of("sharpness", corner, plain) == Approx(std::sqrt(5.0)));
}

TEST_CASE("spectra of waves lie at their wavenumbers, in frames of any shape") {
    for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{16, 16}, {12, 24}, {24, 10}, {1, 24}}) {
        // Waves 6 px long across: the same power in the same bin whatever the height.
        const torch::Tensor wave = at::cos(at::arange(width, at::kDouble) * (2.0 * M_PI / 6.0)).expand({height, width});
        Scores scores(1, {.metrics = {"spectrum"}});
        const torch::Tensor frame = wave.reshape({1, 1, 1, height, width});
        scores.add(frame * 0.1, frame);
        const auto curves = scores.curves();
        REQUIRE(curves.size() == 4);  // of all lead times and of one, forecast and truth
        CHECK(curves[0].kind == "spectrum");
        CHECK(curves[1].kind == "spectrum of truth");
        if (width % 6 == 0) {
            const auto top = std::max_element(curves[1].y.begin(), curves[1].y.end()) - curves[1].y.begin();
            CHECK(curves[1].x[static_cast<std::size_t>(top)] == Approx(1.0 / 6.0).margin(1.0 / 24.0));
            CHECK(curves[0].y[static_cast<std::size_t>(top)] ==
                  Approx(0.01 * curves[1].y[static_cast<std::size_t>(top)]).epsilon(1e-5));
        }
    }
    at::manual_seed(19);
    const torch::Tensor noise = at::randn({20, 28});
    CHECK(score_of("ralsd", noise, noise) == 0.0);
    CHECK(score_of("ralsd", 0.1 * noise, noise) == Approx(20.0).epsilon(1e-5));  // a tenth everywhere
    CHECK(score_of("ralsd", at::zeros({20, 28}), noise) > 50.0);
    CHECK(std::isfinite(score_of("ralsd", at::zeros({20, 28}), noise)));
    CHECK(std::isnan(score_of("ralsd", noise, at::full({20, 28}, 280.3))));
    CHECK(std::isnan(score_of("ralsd", at::ones({1, 1}), at::ones({1, 1}))));
}

TEST_CASE("frames of one pixel and frames that are constant have what scores they can have") {
    Scores scores(1, {.thresholds = {0.5}});
    scores.add(at::full({1, 1, 1, 1, 1}, 0.75), at::full({1, 1, 1, 1, 1}, 0.25));
    CHECK(scores.value("mae", 0) == 0.5);
    CHECK(scores.value("psnr", 0) == Approx(-10.0 * std::log10(0.25)));
    CHECK(scores.value(Quantity{"far", 0.5}, 0) == 1.0);
    CHECK(scores.value(Quantity{"csi", 0.5}, 0) == 0.0);
    CHECK(scores.value(Quantity{"pooled-csi", 0.5, 16}, 0) == 0.0);
    CHECK(scores.value(Quantity{"fss", 0.5, 32}, 0) == 0.0);
    CHECK(std::isnan(scores.value(Quantity{"pod", 0.5}, 0)));
    for (const char* metric : {"ssim", "ms-ssim", "sharpness", "ralsd"}) CHECK(std::isnan(scores.value(metric, 0)));
    const torch::Tensor flat = at::full({1, 1, 1, 12, 12}, 0.5);
    Scores constant(1, {});
    constant.add(flat, flat);
    CHECK(constant.value("ssim", 0) == 1.0);
    CHECK(constant.value("psnr", 0) == 100.0);
}

TEST_CASE("what cannot be scored is refused with a reason") {
    const auto message = [](const ScoreOptions& options) {
        try {
            Scores(1, options);
        } catch (const nowcell::Error& error) {
            CHECK(error.code() == nowcell::ExitCode::usage);
            return error.problems().front().what + " " + error.problems().front().hint;
        }
        return std::string();
    };
    CHECK(message({.dialect = "hko"}).find("did you mean 'hko7'?") != std::string::npos);
    CHECK(message({.metrics = {"sims"}}).find("no score 'sims'") != std::string::npos);
    CHECK(message({.metrics = {"csi"}}).find("needs thresholds") != std::string::npos);
    CHECK(message({.thresholds = {std::nan("")}}).find("not a finite number") != std::string::npos);
    CHECK(message({.thresholds = {1.0}, .fss_scales = {0}}).find("0 px") != std::string::npos);
    CHECK(message({.dialect = "hko7", .units = "K"}).find("got data in K") != std::string::npos);
    CHECK(message({.metrics = {"mae", "crps"}}).empty());  // which ensembles have

    Scores scores(2, {});
    const torch::Tensor frames = at::zeros({1, 2, 1, 4, 4});
    CHECK_THROWS_AS(scores.add(frames, frames.narrow(1, 0, 1)), nowcell::Error);
    scores.add(frames, frames);
    const torch::Tensor larger = at::zeros({1, 2, 1, 5, 4});
    CHECK_THROWS_AS(scores.add(larger, larger), nowcell::Error);
}

TEST_CASE("every score has a unit and a direction") {
    CHECK(nowcell::unit_of("mse", "mm/h") == "(mm/h)^2");
    CHECK(nowcell::unit_of("mse", "K") == "K^2");
    CHECK(nowcell::unit_of("rmse", "K") == "K");
    CHECK(nowcell::unit_of("drmse-single", "K") == "K");
    CHECK(nowcell::unit_of("mae", "K", "openstl") == "1");
    CHECK(nowcell::unit_of("ralsd", "K") == "dB");
    CHECK(nowcell::unit_of("pooled-csi", "K") == "1");
    for (const char* up : {"ssim", "ms-ssim", "psnr", "csi", "csi-m", "pooled-csi-m", "earthformer-csi", "pod", "fss",
                           "ets", "corr-s-frame", "rv"}) {
        CHECK(nowcell::larger_is_better(up));
    }
    for (const char* down : {"mae", "mse", "rmse", "far", "pofd", "ralsd", "b-mse", "nmse", "scatter", "bias"}) {
        CHECK_FALSE(nowcell::larger_is_better(down));
    }
    CHECK(nowcell::best_value("bias-double") == 0.0);
    for (const char* one : {"frequency-bias", "sharpness", "beta1"}) CHECK(nowcell::best_value(one) == 1.0);
    CHECK(std::isnan(nowcell::best_value("mae")));
}

TEST_CASE("scores without any known pixel are not a number") {
    Scores scores(1, {});
    const torch::Tensor frames = at::zeros({1, 1, 1, 12, 12});
    scores.add(frames, frames * std::nan(""), at::zeros(frames.sizes(), at::kBool));
    for (const char* metric : kNames) CHECK(std::isnan(scores.value(metric, 0)));
}
