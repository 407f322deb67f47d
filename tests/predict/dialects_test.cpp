// What each dialect's tool would print: published values, and its definitions written another way.
#include "predict/scores/metrics.h"
#include "src/error.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"

#include <cmath>
#include <map>

using Catch::Approx;
using nowcell::Quantity;
using nowcell::ScoreOptions;
using nowcell::Scores;

namespace {

double number(const torch::Tensor& x) { return x.to(at::kDouble).sum().item<double>(); }

Scores scored(const torch::Tensor& forecast, const torch::Tensor& truth, const ScoreOptions& options,
              const torch::Tensor& valid = {}) {
    Scores scores(truth.size(1), options);
    scores.add(forecast, truth, valid);
    return scores;
}

// HKO-7's pixels of rain rates.
torch::Tensor pixels(const torch::Tensor& mm_per_h) {
    return ((10.0 * std::log10(58.53) + 15.6 * mm_per_h.to(at::kDouble).log10() + 10.0) / 70.0).clamp(0.0, 1.0);
}

}  // namespace

TEST_CASE("pysteps: continuous scores have their published values") {
    const std::vector<float> obs = {7, 10, 9, 15, 22, 13, 17, 17, 19, 23, 0, 10, 0, 15, 0, 13, 0, 17, 0, 0};
    const std::vector<float> fct = {1, 8, 12, 13, 18, 10, 16, 19, 23, 24, 0, 0, 12, 0, 0, 0, 16, 0, 0, 0};
    const std::map<std::string, double> expected = {{"bias", -1.75},
                                                    {"mae", 5.55},
                                                    {"mse", 64.15},
                                                    {"nmse", .113711},
                                                    {"rmse", 8.009370},
                                                    {"beta1", .498200},
                                                    {"beta2", .591673},
                                                    {"rv", -.054622},
                                                    {"drmse", 7.815849},
                                                    {"corr-p", .542929},
                                                    {"corr-s", .565251},
                                                    {"scatter", .808023},
                                                    {"corr-s-frame", .565251},
                                                    {"scatter-frame", .808023}};
    const auto shaped = [](const std::vector<float>& x, std::vector<std::int64_t> shape) {
        return at::tensor(x).view(shape);
    };
    for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{1, 1, 1, 4, 5}, {5, 1, 1, 2, 2}}) {
        const Scores scores =
            scored(shaped(fct, shape), shaped(obs, shape), {.dialect = "pysteps", .thresholds = {0.0}});
        for (const auto& [name, value] : expected) {
            INFO(name << " of " << shape[0]);
            if (name.ends_with("-frame") && shape[0] > 1) continue;
            CHECK(scores.value(name, 0) == Approx(value).margin(6e-7));
        }
        CHECK(scores.value(Quantity{"bias-single", 0.0}, 0) == Approx(-2.1875).margin(1e-9));
        CHECK(scores.value(Quantity{"bias-double", 0.0}, 0) == Approx(-.8).margin(1e-9));
    }
    const Scores standard =
        scored(shaped(fct, {1, 1, 1, 4, 5}), shaped(obs, {1, 1, 1, 4, 5}), {.metrics = {"continuous"}});
    CHECK(standard.value("corr-s", 1) == Approx(.565251).margin(6e-7));
}

TEST_CASE("pysteps: values that cannot all be ranked leave the rank scores unknown, their means over frames not") {
    const torch::Tensor truth = at::rand({1, 1, 1, 2000, 2000}) + 0.1;
    Scores scores(1, {.dialect = "pysteps", .metrics = {"corr-s", "scatter", "corr-s-frame"}});
    scores.add(truth * 2.0, truth);
    CHECK(scores.value("corr-s", 0) == Approx(scores.value("corr-s-frame", 0)));
    scores.add(truth, truth);
    CHECK(std::isnan(scores.value("corr-s", 0)));
    CHECK(std::isnan(scores.value("scatter", 1)));
    CHECK(scores.value("corr-s-frame", 0) == Approx(1.0));
}

TEST_CASE("openstl: sums over channels and pixels, clipped SSIM and PSNR, unclipped errors") {
    at::manual_seed(4);
    const torch::Tensor truth = at::rand({3, 2, 2, 12, 10});
    const torch::Tensor forecast = truth + 0.3 * at::randn(truth.sizes());
    const torch::Tensor difference = forecast.to(at::kDouble) - truth.to(at::kDouble);
    const Scores scores = scored(forecast, truth, {.dialect = "openstl"});
    CHECK(scores.value("mse", 0) == Approx(number(difference.square()) / 6.0));
    CHECK(scores.value("mae", 2) == Approx(number(difference.select(1, 1).abs()) / 3.0));
    CHECK(scores.value("rmse", 0) == Approx(std::sqrt(scores.value("mse", 0))));
    double psnr = 0.0;
    for (std::int64_t i = 0; i < 6; ++i) {
        const torch::Tensor clipped = forecast.flatten(0, 1)[i].clamp(0.0, 1.0) - truth.flatten(0, 1)[i];
        psnr += -10.0 * std::log10(clipped.to(at::kDouble).square().mean().item<double>()) / 6.0;
    }
    CHECK(scores.value("psnr", 0) == Approx(psnr).epsilon(1e-6));
    // Data of any range are brought to 0..1 first.
    const Scores bytes = scored(255.0 * forecast, 255.0 * truth, {.dialect = "openstl", .min = 0.0, .max = 255.0});
    for (const char* name : {"mae", "mse", "rmse", "ssim", "psnr"}) {
        CHECK(bytes.value(name, 0) == Approx(scores.value(name, 0)).epsilon(1e-5));
    }
    // A frame that is exact has no finite PSNR there.
    CHECK(std::isinf(scored(truth, truth, {.dialect = "openstl"}).value("psnr", 0)));
    // 7x7 windows need no more than 7 pixels.
    CHECK(
        std::isfinite(scored(forecast.slice(4, 0, 7), truth.slice(4, 0, 7), {.dialect = "openstl"}).value("ssim", 0)));
    CHECK(std::isnan(scored(forecast.slice(4, 0, 6), truth.slice(4, 0, 6), {.dialect = "openstl"}).value("ssim", 0)));
}

TEST_CASE("hko7: balanced errors on pixels of rain, counts pooled by lead time and averaged") {
    at::manual_seed(5);
    const torch::Tensor truth = at::randn({4, 3, 1, 9, 8}).mul(1.5).exp() * (at::rand({4, 3, 1, 9, 8}) > 0.3);
    const torch::Tensor forecast = truth * at::randn(truth.sizes()).exp();
    const torch::Tensor valid = at::rand(truth.sizes()) > 0.2;
    const Scores scores = scored(forecast, truth, {.dialect = "hko7", .units = "mm/h"}, valid);
    const torch::Tensor p = pixels(forecast), q = pixels(truth), mask = valid.to(at::kDouble);
    torch::Tensor weights = at::ones_like(q);
    for (const auto& [rate, weight] : {std::pair{2.0, 2.0}, {5.0, 5.0}, {10.0, 10.0}, {30.0, 30.0}}) {
        weights.masked_fill_(truth >= rate, weight);
    }
    const torch::Tensor error = (p - q) * mask;
    CHECK(scores.value("mse", 0) == Approx(number(error.square()) / 12.0));
    CHECK(scores.value("mae", 2) == Approx(number(error.select(1, 1).abs()) / 4.0));
    CHECK(scores.value("b-mse", 0) == Approx(number(weights * error.square()) / 12.0));
    CHECK(scores.value("b-mae", 3) == Approx(number((weights * error.abs()).select(1, 2)) / 4.0));
    const auto steps = [&](std::int64_t axis) {
        const torch::Tensor both = mask.slice(axis, 1) * mask.slice(axis, 0, -1);
        return number(both * (p.diff(1, axis).abs() - q.diff(1, axis).abs()).abs());
    };
    CHECK(scores.value("gdl", 0) == Approx((steps(3) + steps(4)) / 12.0));
    std::map<std::string, double> means;
    for (std::int64_t lead = 1; lead <= 3; ++lead) {
        const torch::Tensor f = forecast.select(1, lead - 1) >= 2.0, o = truth.select(1, lead - 1) >= 2.0;
        const torch::Tensor known = valid.select(1, lead - 1);
        const double a = number(f & o & known), b = number(f & ~o & known), c = number(~f & o & known);
        const double n = number(known), chance = (a + b) / n * (a + c);
        const double gss = (a - chance) / (a + b + c - chance);
        CHECK(scores.value(Quantity{"csi", 2.0}, lead) == Approx(a / (a + b + c)));
        means["csi"] += a / (a + b + c) / 3.0;
        means["pod"] += a / (a + c) / 3.0;
        means["far"] += b / (a + b) / 3.0;
        means["ets"] += gss / 3.0;
        means["hss"] += 2.0 * gss / (gss + 1.0) / 3.0;
    }
    for (const auto& [name, value] : means) CHECK(scores.value(Quantity{name, 2.0}, 0) == Approx(value));

    // The same frames as HKO-7 stores them, and as reflectivity.
    const ScoreOptions as_pixels{.dialect = "hko7"}, as_bytes{.dialect = "hko7", .max = 255.0};
    const Scores stored[] = {scored(p, q, as_pixels, valid), scored(255.0 * p, 255.0 * q, as_bytes, valid),
                             scored(70.0 * p - 10.0, 70.0 * q - 10.0, {.dialect = "hko7", .units = "dBZ"}, valid)};
    for (const Scores& other : stored) {
        for (const Quantity& quantity : scores.quantities()) {
            INFO(quantity.metric << " " << quantity.threshold.value_or(-1.0));
            const double one = scores.value(quantity, 0), another = other.value(quantity, 0);
            CHECK(((std::isnan(one) && std::isnan(another)) || another == Approx(one).epsilon(1e-4)));
        }
    }
    CHECK_THROWS_AS(scored(forecast, truth, as_pixels), nowcell::Error);  // rain rates for pixels
}

TEST_CASE("sevir: the challenge averages over lead times, Earthformer pools them") {
    at::manual_seed(6);
    const torch::Tensor truth = 255.0 * at::rand({3, 4, 1, 20, 17}).square(), noise = 40.0 * at::randn(truth.sizes());
    torch::Tensor forecast = truth + noise;
    truth.select(1, 3).clamp_max_(180.0);  // nothing at or above 181 in the last lead time
    forecast.select(1, 3).clamp_max_(180.0);
    const Scores scores = scored(forecast, truth, {.dialect = "sevir"});
    double mean = 0.0, bias = 0.0, all_mean = 0.0;
    const std::vector<double> thresholds = {16, 74, 133, 160, 181, 219};
    for (const double threshold : thresholds) {
        double csi = 0.0, pod = 0.0, ratio = 0.0, logs = 0.0, hits = 0.0, events = 0.0;
        for (std::int64_t t = 0; t < 4; ++t) {
            const torch::Tensor f = forecast.select(1, t) >= threshold, o = truth.select(1, t) >= threshold;
            const double a = number(f & o), b = number(f & ~o), c = number(~f & o);
            csi += (a + 1e-6) / (a + b + c + 1e-6) / 4.0;
            pod += (a + 1e-6) / (a + c + 1e-6) / 4.0;
            ratio += (a + 1e-6) / (a + b + 1e-6) / 4.0;
            logs += std::log2((a + b + 1e-6) / (a + c + 1e-6)) / 4.0;
            hits += a;
            events += a + b + c;
        }
        CHECK(scores.value(Quantity{"csi", threshold}, 0) == Approx(csi).epsilon(1e-12));
        CHECK(scores.value(Quantity{"pod", threshold}, 0) == Approx(pod).epsilon(1e-12));
        CHECK(scores.value(Quantity{"success-ratio", threshold}, 0) == Approx(ratio).epsilon(1e-12));
        CHECK(scores.value(Quantity{"frequency-bias", threshold}, 0) == Approx(std::exp2(logs)).epsilon(1e-12));
        CHECK(scores.value(Quantity{"earthformer-csi", threshold}, 0) == Approx(hits / (events + 1e-4)).epsilon(1e-12));
        mean += csi / 6.0;
        all_mean += hits / (events + 1e-4) / 6.0;
        bias += logs;
    }
    CHECK(scores.value(Quantity{"csi", 219.0}, 4) == 1.0);  // no event anywhere: eps over eps
    CHECK(scores.value(Quantity{"earthformer-csi", 219.0}, 4) == 0.0);
    CHECK(scores.value("csi-m", 0) == Approx(mean).epsilon(1e-12));
    CHECK(scores.value("earthformer-csi-m", 0) == Approx(all_mean).epsilon(1e-12));
    double pooled = 0.0;
    for (const double threshold : thresholds) pooled += scores.value(Quantity{"pooled-csi", threshold, 16}, 2) / 6.0;
    CHECK(scores.value(Quantity{"pooled-csi-m", {}, 16}, 2) == Approx(pooled).epsilon(1e-12));
    CHECK(scores.window_parts({"csi", 16.0}, 0).empty());  // a mean of quotients is no function of sums
    CHECK(scores.window_parts({"earthformer-csi", 16.0}, 0).size() == 4);
}

TEST_CASE("a dialect has its own thresholds and scores, which may be chosen by name, alias or group") {
    const Scores hko7(1, {.dialect = "hko7", .units = "mm/h"});
    CHECK(hko7.quantities().size() == 5 + 5 * 5);
    CHECK((hko7.quantities()[5] == Quantity{"pod", 0.5}));
    const Scores two(1, {.dialect = "pysteps", .metrics = {"gss", "me"}, .thresholds = {1.0}});
    CHECK((two.quantities() == std::vector<Quantity>{{"bias"}, {"ets", 1.0}}));
    const Scores group(1, {.metrics = {"contingency"}, .thresholds = {1.0, 2.0}});
    CHECK(group.quantities().size() == 2 * 13);
    for (const std::string& dialect : nowcell::score_dialects()) {
        for (const std::string& name : nowcell::score_names(dialect)) {
            INFO(dialect << " " << name);
            CHECK_FALSE(Scores(1, {.dialect = dialect, .metrics = {name}, .thresholds = {0.5}}).quantities().empty());
        }
    }
}
