#include "predict/scores/score_table.h"
#include "predict/scores/score_files.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

#include <algorithm>

using namespace nowcell;
using Catch::Approx;

namespace {

// A model that is off by 0.25 K beside a baseline that is off by 0.5 K.
ScoreReport report_of(const ScoreOptions& options, const torch::Tensor& truth) {
    ScoreReport report{{"run", "data.h5", "test", "why"}, {{}, "K", 3600.0}, {}};
    report.table.window_frames = 4;
    for (const auto& [name, error] : {std::pair("model", 0.25), std::pair("persistence", 0.5)}) {
        Scores scores(truth.size(1), options);
        scores.add(truth + error, truth);
        report.table.rows.push_back({name, std::string(name) == "persistence", std::move(scores), {}});
    }
    for (std::int64_t i = 0; i < truth.size(0); ++i) report.table.times.push_back({0, 10 * i});
    report.comparisons = compare(report.table);
    return report;
}

}  // namespace

TEST_CASE("a report has a row for every forecaster, score and lead time") {
    at::manual_seed(9);
    ScoreOptions options{"standard", {"mae", "mse", "ssim", "psnr"}};
    options.min = 280.0;
    options.max = 281.0;
    const ScoreReport report = report_of(options, at::rand({5, 3, 1, 12, 12}) + 280.0);
    const auto document = score_document(report);
    CHECK(document.at("schema") == "nowcell.evaluate/2");
    CHECK(document.at("windows") == 5);
    CHECK(document.at("rows").size() == 2 * 4 * 4);
    for (const auto& row : document.at("rows")) {
        if (row.at("metric") == "mae") {
            CHECK(row.at("unit") == "K");
            CHECK(row.at("value").get<double>() == Approx(row.at("forecaster") == "model" ? 0.25 : 0.5).epsilon(1e-4));
        }
        if (row.at("metric") == "mse") CHECK(row.at("unit") == "K^2");
        if (row.at("metric") == "ssim") CHECK(row.at("unit") == "1");
        if (row.at("metric") == "psnr") CHECK(row.at("unit") == "dB");
    }
    const std::string text = score_text(report);
    INFO(text);
    CHECK(text.find("+50.0 % (+50.0 to +50.0)") != std::string::npos);
    CHECK(text.find("+3 h") != std::string::npos);
    CHECK(text.find("0.2500*") != std::string::npos);
    const std::string csv = score_csv(report.table);
    CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 2 * 4 * 4);
    const std::string samples = sample_csv(report.table);
    CHECK(std::count(samples.begin(), samples.end(), '\n') == 1 + 2 * 5);
    CHECK(samples.find("\n0,40,model,0.25") != std::string::npos);
}

TEST_CASE("a score that has no value is null in JSON and empty in CSV") {
    const ScoreReport report =
        report_of({"standard", {"mae", "ssim"}}, at::zeros({1, 1, 1, 5, 5}));  // too small for SSIM
    bool seen = false;
    const auto document = score_document(report);
    for (const auto& row : document.at("rows"))
        seen = seen || (row.at("metric") == "ssim" && row.at("value").is_null());
    CHECK(seen);
    CHECK(score_csv(report.table).find("model,ssim,,,all,1,\n") != std::string::npos);
}

TEST_CASE("of many scores the text has the usual ones, in tables that fit a screen") {
    at::manual_seed(2);
    ScoreOptions options;
    options.thresholds = {0.5};
    const ScoreReport report = report_of(options, at::rand({4, 2, 1, 20, 20}));
    const std::string text = score_text(report);
    INFO(text);
    CHECK(text.find("at least 0.5 K") != std::string::npos);
    CHECK(text.find("CSI") != std::string::npos);
    CHECK(text.find("FSS 4 px") != std::string::npos);
    CHECK(text.find("SEDI") == std::string::npos);
    CHECK(score_csv(report.table).find("model,sedi,0.5,") != std::string::npos);
    std::size_t longest = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find('\n', begin);
        longest = std::max(longest, end - begin);
        begin = end + 1;
    }
    CHECK(longest <= 160);
}
