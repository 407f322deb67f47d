#include "predict/scores/metrics.h"
#include "predict/evaluation.h"
#include "predict/scores/score_table.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

#include <cmath>

using Catch::Approx;
using nowcell::Scores;

namespace {

// SSIM by its definition, a pixel at a time, over the pixels whose window lies inside.
double ssim_by_hand(const torch::Tensor& a, const torch::Tensor& b) {
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
            total += (2 * mx * my + 1e-4) * (2 * (xy - mx * my) + 9e-4) /
                     ((mx * mx + my * my + 1e-4) * (xx - mx * mx + yy - my * my + 9e-4));
            ++count;
        }
    }
    return total / count;
}

const std::vector<const char*> kNames = {"mae", "mse", "rmse", "bias", "ssim", "psnr"};
const nowcell::ScoreOptions kErrors = {.metrics = {"mae", "mse"}};

nowcell::ScoreOptions range(double min, double max) { return {.min = min, .max = max}; }

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
    const torch::Tensor a = at::zeros({2, 1, 4, 4});
    torch::Tensor b = a.clone();
    b[0].fill_(0.1);
    const torch::Tensor decibel = nowcell::psnr(a, b);
    CHECK(decibel[0].item<double>() == Approx(20.0).epsilon(1e-6));
    CHECK(decibel[1].item<double>() == 100.0);
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
}

TEST_CASE("a batch scored at once equals the same windows one by one") {
    at::manual_seed(6);
    const torch::Tensor truth = at::rand({5, 3, 2, 16, 13}) * 40.0 + 260.0;
    const torch::Tensor forecast = truth + at::randn({5, 3, 2, 16, 13});
    Scores together(3, range(260, 300));
    together.add(forecast, truth);
    Scores alone(3, range(260, 300));
    for (std::int64_t i = 0; i < 5; ++i) alone.add(forecast.narrow(0, i, 1), truth.narrow(0, i, 1));
    for (const char* metric : kNames) {
        for (std::int64_t lead = 0; lead <= 3; ++lead) {
            CHECK(together.value(metric, lead) == Approx(alone.value(metric, lead)).epsilon(1e-12));
        }
    }
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

TEST_CASE("the report has a row for every forecaster, metric and lead time") {
    nowcell::ScoreTable table{
        {"model", "persistence"}, {Scores(3, range(280, 281)), Scores(3, range(280, 281))}, "K", 3600.0};
    at::manual_seed(9);
    const torch::Tensor truth = at::rand({2, 3, 1, 12, 12}) + 280.0;
    table.scores[0].add(truth + 0.25, truth);
    table.scores[1].add(truth + 0.5, truth);
    const nowcell::ScoreContext context{"run", "data.h5", "test", "why"};
    const auto report = nlohmann::json::parse(nowcell::score_json(table, context));
    CHECK(report.at("schema") == "nowcell.evaluate/1");
    CHECK(report.at("split") == "test");
    CHECK(report.at("windows") == 2);
    CHECK(report.at("rows").size() == 2 * kNames.size() * 4);
    for (const auto& row : report.at("rows")) {
        if (row.at("forecaster") == "model" && row.at("metric") == "mae") {
            CHECK(row.at("unit") == "K");
            CHECK(row.at("value").get<double>() == Approx(0.25).epsilon(1e-4));
        }
        if (row.at("metric") == "mse") CHECK(row.at("unit") == "K^2");
        if (row.at("metric") == "ssim") CHECK(row.at("unit") == "1");
        if (row.at("metric") == "psnr") CHECK(row.at("unit") == "dB");
    }
    const std::string text = nowcell::score_text(table, context);
    CHECK(text.find("+50.0 %") != std::string::npos);
    CHECK(text.find("+3 h") != std::string::npos);
    CHECK(text.find("0.2500*") != std::string::npos);
    const std::string csv = nowcell::score_csv(table);
    CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 2 * 6 * 4);
}

TEST_CASE("a metric that was not computed is null in JSON and empty in CSV") {
    nowcell::ScoreTable table{{"model"}, {Scores(1, {})}, "1", 0.0};
    table.scores[0].add(at::zeros({1, 1, 1, 5, 5}), at::zeros({1, 1, 1, 5, 5}));  // too small for SSIM
    const auto report = nlohmann::json::parse(nowcell::score_json(table, {"m", "d", "all", "w"}));
    bool seen = false;
    for (const auto& row : report.at("rows")) seen = seen || (row.at("metric") == "ssim" && row.at("value").is_null());
    CHECK(seen);
    CHECK(nowcell::score_csv(table).find("model,ssim,all,\"1\",\n") != std::string::npos);
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

TEST_CASE("SSIM and PSNR of the known pixels alone") {
    at::manual_seed(14);
    const torch::Tensor a = at::rand({1, 1, 24, 40}, at::kDouble);
    const torch::Tensor b = (a + 0.2 * at::rand(a.sizes(), at::kDouble)).clamp(0, 1);
    // With a wide strip missing, windows centred farther from it than their reach are as they were.
    torch::Tensor valid = at::ones(a.sizes(), at::kBool);
    valid.slice(3, 12).fill_(false);
    torch::Tensor perfect = at::where(valid, a, at::rand(a.sizes(), at::kDouble));
    CHECK(nowcell::ssim(perfect, a, valid).item<double>() == Approx(1.0).epsilon(1e-12));
    CHECK(nowcell::psnr(perfect, a, valid).item<double>() == 100.0);
    CHECK(nowcell::psnr(b, a, valid).item<double>() ==
          Approx(nowcell::psnr(b.slice(3, 0, 12), a.slice(3, 0, 12)).item<double>()).epsilon(1e-12));
    CHECK(nowcell::ssim(b, a, valid).item<double>() < 0.99);
    const torch::Tensor nothing = at::zeros(a.sizes(), at::kBool);
    CHECK(std::isnan(nowcell::ssim(b, a, nothing).item<double>()));
    CHECK(std::isnan(nowcell::psnr(b, a, nothing).item<double>()));
}

TEST_CASE("scores without any known pixel are not a number") {
    Scores scores(1, {});
    const torch::Tensor frames = at::zeros({1, 1, 1, 12, 12});
    scores.add(frames, frames * std::nan(""), at::zeros(frames.sizes(), at::kBool));
    for (const char* metric : kNames) CHECK(std::isnan(scores.value(metric, 0)));
}
