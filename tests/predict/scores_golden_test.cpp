// What scikit-image and pysteps computed (tests/golden/README.md) against the same scores of ours.
#include "predict/scores/metrics.h"
#include "predict/scores/ssim.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"
#include "tests/support/golden.h"

#include <cmath>
#include <map>

using nowcell::Quantity;
using nowcell::ScoreCurve;
using nowcell::ScoreOptions;
using nowcell::Scores;

namespace {

bool same(double a, double b, double tolerance = 1e-6) {
    return std::isnan(a) || std::isnan(b) ? std::isnan(a) && std::isnan(b) : std::abs(a - b) <= tolerance;
}

Scores scored(const Golden& golden, const ScoreOptions& options) {
    const torch::Tensor truth = golden.at("truth");
    Scores scores(truth.size(1), options);
    scores.add(golden.at("forecast"), truth);
    return scores;
}

std::vector<double> thresholds_of(const Golden& golden) {
    const torch::Tensor values = golden.at("thresholds").to(at::kDouble).contiguous();
    return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

// values: of all lead times, then of each.
void check_leads(const Scores& scores, const Quantity& quantity, const torch::Tensor& values) {
    for (std::int64_t lead = 0; lead <= scores.leads(); ++lead) {
        INFO(quantity.metric << " " << quantity.threshold.value_or(std::nan("")) << " " << quantity.scale << " at "
                             << lead << ": " << scores.value(quantity, lead) << " " << values[lead].item<double>());
        CHECK(same(scores.value(quantity, lead), values[lead].item<double>()));
    }
}

// values: (B,T) of frames, whose mean is the score.
void check_frames(const Scores& scores, const char* metric, const torch::Tensor& values) {
    check_leads(scores, {metric}, at::cat({values.mean().view({1}), values.mean(0)}));
}

}  // namespace

TEST_CASE("SSIM and PSNR are those of scikit-image") {
    for (const std::string& name : golden_names("scores_image_")) {
        INFO(name);
        const Golden golden = read_golden(name);
        const Scores standard = scored(golden, {});
        check_frames(standard, "ssim", golden.at("ssim/gaussian"));
        check_frames(standard, "psnr", golden.at("psnr"));
        const Scores openstl = scored(golden, {.dialect = "openstl"});
        check_frames(openstl, "ssim", golden.at("ssim/uniform7_range2_clipped"));
        check_frames(openstl, "psnr", golden.at("psnr/clipped"));
        const torch::Tensor differentiable =
            nowcell::ssim(golden.at("forecast").flatten(0, 1), golden.at("truth").flatten(0, 1));
        CHECK(at::allclose(differentiable, golden.at("ssim/gaussian").flatten(), 0.0, 1e-6));
    }
}

TEST_CASE("contingency scores are those of pysteps, and the standard ones of its events at the threshold") {
    const Golden golden = read_golden("scores_contingency");
    const std::map<std::string, std::string> names = {
        {"POD", "pod"},   {"FAR", "far"}, {"FA", "pofd"}, {"CSI", "csi"}, {"BIAS", "frequency-bias"},
        {"ACC", "acc"},   {"HSS", "hss"}, {"HK", "hk"},   {"GSS", "ets"}, {"ETS", "ets"},
        {"SEDI", "sedi"}, {"MCC", "mcc"}, {"F1", "f1"}};
    const std::vector<double> thresholds = thresholds_of(golden);
    const Scores above = scored(golden, {.dialect = "pysteps", .thresholds = thresholds});
    const Scores at_least = scored(golden, {.thresholds = thresholds});
    for (const auto& [theirs, ours] : names) {
        for (std::size_t k = 0; k < thresholds.size(); ++k) {
            const auto row = static_cast<std::int64_t>(k);
            check_leads(above, {ours, thresholds[k]}, golden.at("above/" + theirs)[row]);
            check_leads(at_least, {ours, thresholds[k]}, golden.at("at_least/" + theirs)[row]);
        }
    }
}

TEST_CASE("continuous scores are those of pysteps") {
    const std::map<std::string, std::string> names = {{"ME", "bias"},       {"MAE", "mae"},      {"MSE", "mse"},
                                                      {"RMSE", "rmse"},     {"NMSE", "nmse"},    {"DRMSE", "drmse"},
                                                      {"RV", "rv"},         {"beta1", "beta1"},  {"beta2", "beta2"},
                                                      {"corr_p", "corr-p"}, {"corr_s", "corr-s"}};
    for (const std::string& name : golden_names("scores_continuous")) {
        INFO(name);
        const Golden golden = read_golden(name);
        const Scores scores = scored(golden, {.dialect = "pysteps", .thresholds = {0.0}});
        for (const auto& [theirs, ours] : names) check_leads(scores, {ours}, golden.at(theirs));
        check_leads(scores, {"bias-single", 0.0}, golden.at("ME/single"));
        check_leads(scores, {"bias-double", 0.0}, golden.at("ME/double"));
    }
}

TEST_CASE("the fractions skill score is that of pysteps") {
    for (const std::string& name : golden_names("scores_fss")) {
        INFO(name);
        const Golden golden = read_golden(name);
        std::vector<std::int64_t> scales;
        for (std::int64_t i = 0; i < golden.at("scales").numel(); ++i) {
            scales.push_back(golden.at("scales")[i].to(at::kLong).item<std::int64_t>());
        }
        const std::vector<double> thresholds = thresholds_of(golden);
        const Scores scores = scored(golden, {.thresholds = thresholds, .fss_scales = scales});
        for (std::size_t k = 0; k < thresholds.size(); ++k) {
            for (std::size_t s = 0; s < scales.size(); ++s) {
                check_leads(scores, {"fss", thresholds[k], scales[s]},
                            golden.at("fss")[static_cast<std::int64_t>(k)][static_cast<std::int64_t>(s)]);
            }
        }
    }
}

TEST_CASE("the spectrum of a frame is that of pysteps") {
    for (const std::string& name : golden_names("scores_spectrum")) {
        INFO(name);
        const Golden golden = read_golden(name);
        const torch::Tensor field = golden.at("field").view({1, 1, 1, golden.at("field").size(0), -1});
        for (const char* dialect : {"standard", "pysteps"}) {
            if (field.size(3) != field.size(4) && dialect == std::string("standard")) continue;
            Scores scores(1, {.dialect = dialect, .metrics = {"spectrum"}});
            scores.add(field, field);
            const ScoreCurve curve = scores.curves().at(0);
            REQUIRE(curve.kind == "spectrum");
            REQUIRE(static_cast<std::int64_t>(curve.y.size()) == golden.at("psd").numel() - 1);
            for (std::size_t i = 0; i < curve.y.size(); ++i) {
                const auto row = static_cast<std::int64_t>(i) + 1;  // the first is the mean
                CHECK(same(curve.y[i], golden.at("psd")[row].item<double>(), 1e-9));
                CHECK(same(curve.x[i], golden.at("frequency")[row].item<double>(), 1e-12));
            }
            CHECK(scores.value("ralsd", 0) == 0.0);
        }
    }
}
