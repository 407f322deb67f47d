// nowcell evaluate from outside: several models, arrays of other tools, suites, bars, and what is left in files.
#include "data/write/hdf5_io.h"
#include "data/write/npy_stream.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/json_schema.h"
#include "tests/support/program.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace {

using Json = nlohmann::json;

void write_npy(const std::string& path, const torch::Tensor& values) {
    nowcell::stream_npy(path, torch::kFloat32, values.sizes().vec(),
                        [&](nowcell::NpyStream& out) { out.append(values); });
}

void write_frames(const std::string& path, const torch::Tensor& frames) {
    nowcell::write_hdf5(path, {{"/frames", frames, {}, {}}}, {});
}

std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

Json json_of(const std::string& path) { return Json::parse(text_of(path)); }

double value_of(const Json& document, const std::string& forecaster, const std::string& metric,
                const Json& lead = "all") {
    for (const auto& row : document.at("rows")) {
        const bool plain = row.at("threshold").is_null() && row.at("scale").is_null();
        if (plain && row.at("forecaster") == forecaster && row.at("metric") == metric && row.at("lead") == lead) {
            return row.at("value").get<double>();
        }
    }
    FAIL("no row " + forecaster + " " + metric);
    return 0.0;
}

// A folder with arrays of 5 samples, 4 lead times after 2 earlier frames.
struct Arrays {
    Arrays() {
        at::manual_seed(5);
        truth = at::rand({5, 6, 12, 14});
        forecast = at::rand({5, 4, 12, 14});
        write_frames(folder.path("truth.h5"), truth);
        write_npy(folder.path("theirs.npy"), forecast);
    }
    Outcome run(std::vector<std::string> words) const {
        words.insert(words.begin(), "evaluate");
        Outcome outcome = run_nowcell(words, folder.path());
        UNSCOPED_INFO(outcome.err);
        return outcome;
    }
    Outcome score(std::vector<std::string> words) const {
        words.insert(words.begin(), {"--forecast", "theirs.npy", "--truth", "truth.h5"});
        return run(words);
    }
    TemporaryFolder folder;
    torch::Tensor truth, forecast;
};

// Two runs on the same data.
struct Runs {
    Runs() {
        at::manual_seed(1);
        write_frames(folder.path("d.h5"), at::rand({20, 6, 12, 12}));
        std::ofstream(folder.path("c.toml")) << "[data]\npath = \"d.h5\"\ninput_steps = 3\noutput_steps = 3\n[train]\n"
                                                "epochs = 1\nbatch = 4\n[[model.layers]]\nfilters = 3\n";
        for (const char* seed : {"1", "2"}) {
            const Outcome trained =
                run({"train", "-c", "c.toml", "-o", std::string("run") + seed, "--seed", seed, "--threads", "1"});
            REQUIRE(trained.code == 0);
        }
    }
    Outcome run(const std::vector<std::string>& words) const {
        Outcome outcome = run_nowcell(words, folder.path());
        UNSCOPED_INFO(outcome.err);
        return outcome;
    }
    TemporaryFolder folder;
};

}  // namespace

TEST_CASE("forecasts of any tool are scored beside the baselines that the truth allows") {
    const Arrays arrays;
    const Outcome outcome =
        arrays.score({"--json", "s.json", "--csv", "s.csv", "--per-sample", "w.csv", "--thresholds", "0.5"});
    REQUIRE(outcome.code == 0);
    const Json scores = json_of(arrays.folder.path("s.json"));
    const torch::Tensor happened = arrays.truth.slice(1, 2);
    CHECK(value_of(scores, "theirs", "mae") == Catch::Approx((arrays.forecast - happened).abs().mean().item<double>()));
    CHECK(value_of(scores, "persistence", "mae", 4) ==
          Catch::Approx((arrays.truth.select(1, 1) - arrays.truth.select(1, 5)).abs().mean().item<double>()));
    CHECK(scores.at("windows") == 5);
    CHECK(holds(outcome.out, "at least 0.5"));
    CHECK(holds(outcome.out, "CSI"));
    CHECK(holds(text_of(arrays.folder.path("s.csv")),
                "forecaster,metric,threshold,scale,lead,unit,value\ntheirs,mae,,,all,"));
    const std::string windows = text_of(arrays.folder.path("w.csv"));
    CHECK(holds(windows, "recording,frame,forecaster,mae"));
    CHECK(holds(windows, "\n4,1,theirs,"));

    const Outcome rain = arrays.score({"--units", "mm/h", "--dialect", "hko7", "--json", "-"});
    REQUIRE(rain.code == 0);
    CHECK(Json::parse(rain.out).at("units") == "mm/h");
    const Outcome schema = arrays.run({"--schema"});
    REQUIRE(schema.code == 0);
    for (const std::string& error : schema_errors(Json::parse(schema.out), scores)) FAIL_CHECK(error);
    Json damaged = scores;
    damaged["rows"][0].erase("unit");
    CHECK(schema_errors(Json::parse(schema.out), damaged).size() == 1);
}

TEST_CASE("dimensions of arrays can be named, and channels are members on request") {
    const Arrays arrays;
    write_npy(arrays.folder.path("time_first.npy"), arrays.forecast.transpose(0, 1).contiguous());
    const Outcome named = arrays.run(
        {"--forecast", "x=time_first.npy", "--forecast-layout", "tnhw", "--truth", "truth.h5", "--json", "-"});
    REQUIRE(named.code == 0);
    CHECK(value_of(Json::parse(named.out), "x", "mae") ==
          Catch::Approx((arrays.forecast - arrays.truth.slice(1, 2)).abs().mean().item<double>()));
    write_npy(arrays.folder.path("persistence.npy"), arrays.forecast);
    const Outcome same = arrays.run({"--forecast", "persistence.npy", "--truth", "truth.h5", "--json", "-"});
    CHECK(value_of(Json::parse(same.out), "persistence.npy", "mae") == value_of(Json::parse(named.out), "x", "mae"));
    write_npy(arrays.folder.path("members.npy"), at::rand({5, 3, 4, 12, 14}));
    const Outcome ensemble = arrays.run({"--forecast", "members.npy", "--forecast-layout", "ncthw", "--truth",
                                         "truth.h5", "--ensemble", "--json", "-"});
    REQUIRE(ensemble.code == 0);
    const Json scores = Json::parse(ensemble.out);
    CHECK(value_of(scores, "members", "crps") < value_of(scores, "members", "mae"));
}

TEST_CASE("a missed bar ends with code 10 after everything is written") {
    const Arrays arrays;
    const Outcome good = arrays.score({"--fail-if", "mae>0.9", "--fail-if", "bias>0.5"});
    CHECK(good.code == 0);
    const Outcome bad = arrays.score({"--fail-if", "mae>0.01", "--fail-if", "mae:2>0.9", "--json", "s.json"});
    CHECK(bad.code == 10);
    CHECK(holds(bad.err, "mae>0.01: theirs has 0."));
    CHECK_FALSE(holds(bad.err, "mae:2>0.9: theirs"));
    CHECK(std::filesystem::exists(arrays.folder.path("s.json")));
    CHECK(arrays.score({"--fail-if", "mae=1"}).code == 2);
    const Outcome unknown = arrays.score({"--fail-if", "csi@1>0.3", "--json", "t.json"});
    CHECK(unknown.code == 2);
    CHECK(holds(unknown.err, "no score csi@1"));
    CHECK_FALSE(std::filesystem::exists(arrays.folder.path("t.json")));
}

TEST_CASE("what does not go together is refused before any work") {
    const Arrays arrays;
    CHECK(arrays.run({"--forecast", "theirs.npy"}).code == 2);
    CHECK(arrays.run({"--truth", "truth.h5"}).code == 2);
    CHECK(arrays.run({}).code == 2);
    CHECK(arrays.score({"--model", "run"}).code == 2);
    CHECK(arrays.run({"--model", "run", "--input", "truth.h5", "--units", "K"}).code == 2);
    CHECK(arrays.score({"--dialect", "keras"}).code == 2);
    CHECK(arrays.score({"--metrics", "mea"}).code == 2);
    CHECK(arrays.score({"--json", "theirs.npy", "--force"}).code == 7);
    write_npy(arrays.folder.path("wide.npy"), at::rand({5, 4, 12, 15}));
    const Outcome wide = arrays.run({"--forecast", "wide.npy", "--truth", "truth.h5"});
    CHECK(wide.code == 3);
    CHECK(holds(wide.err, "got frames of 12x15, the truth has 12x14"));
    CHECK(arrays.run({"--forecast", "none.npy", "--truth", "truth.h5"}).code == 3);
}

TEST_CASE("an evaluation as a folder") {
    const Arrays arrays;
    REQUIRE(arrays.score({"--folder", "out"}).code == 0);
    const std::vector<std::string> names = tree(arrays.folder.path("out"));
    for (const char* name : {"scores.json", "scores.txt", "per_lead.csv", "per_sample.csv", "strip_best.png",
                             "strip_median.png", "strip_worst.png", "best.gif", "worst.gif", "mae.svg"}) {
        INFO(name);
        CHECK(std::find(names.begin(), names.end(), name) != names.end());
    }
    const Outcome again = arrays.score({"--folder", "out"});
    CHECK(again.code == 7);
    CHECK(holds(again.err, "--force"));
    CHECK(arrays.score({"--folder", "out", "--force"}).code == 0);
}

TEST_CASE("several models share a table, and their ensemble is a row of it") {
    const Runs runs;
    const Outcome outcome =
        runs.run({"evaluate", "-m", "run1", "-m", "b=run2", "--ensemble", "-i", "d.h5", "--json", "s.json"});
    REQUIRE(outcome.code == 0);
    const Json scores = json_of(runs.folder.path("s.json"));
    const double ensemble = value_of(scores, "ensemble", "mse");
    CHECK(ensemble <= 0.5 * (value_of(scores, "run1", "mse") + value_of(scores, "b", "mse")));
    CHECK(value_of(scores, "ensemble", "crps") <= value_of(scores, "ensemble", "mae") + 1e-9);
    const Outcome one = runs.run({"evaluate", "-m", "run2", "-i", "d.h5", "--json", "one.json"});
    REQUIRE(one.code == 0);
    CHECK(value_of(json_of(runs.folder.path("one.json")), "model", "mae") == value_of(scores, "b", "mae"));
    const Outcome lone = runs.run({"evaluate", "-m", "run1", "-i", "d.h5", "--ensemble"});
    CHECK(lone.code == 2);
    CHECK(holds(lone.err, "--ensemble needs several models"));
}

TEST_CASE("a suite scores every model on every data set, and what fails stops nothing") {
    const Runs runs;
    write_frames(runs.folder.path("other.h5"), at::rand({4, 8, 12, 12}));
    write_frames(runs.folder.path("colour.h5"), at::rand({4, 8, 12, 12, 3}));
    std::ofstream(runs.folder.path("s.toml"))
        << "title = \"All\"\n[[model]]\npath = \"run1\"\n[[model]]\npath = \"run2\"\n[[data]]\npath = \"d.h5\"\n"
           "[[data]]\nname = \"elsewhere\"\npath = \"other.h5\"\n[eval]\nmetrics = [\"mae\"]\n";
    const Outcome outcome =
        runs.run({"evaluate", "--suite", "s.toml", "--folder", "out", "--json", "s.json", "--csv", "s.csv"});
    REQUIRE(outcome.code == 0);
    CHECK(holds(outcome.out, "All\n"));
    CHECK(holds(outcome.out, "elsewhere"));
    const Json suite = json_of(runs.folder.path("s.json"));
    CHECK(suite.at("schema") == "nowcell.evaluate_suite/1");
    REQUIRE(suite.at("evaluations").size() == 2);
    CHECK(suite.at("evaluations")[0].at("split") == "test");
    CHECK(suite.at("evaluations")[1].at("split") == "all");
    const Json schema = Json::parse(runs.run({"evaluate", "--schema"}).out);
    for (const auto& one : suite.at("evaluations")) {
        for (const std::string& error : schema_errors(schema, one)) FAIL_CHECK(error);
        CHECK(std::none_of(one.at("rows").begin(), one.at("rows").end(),
                           [](const auto& row) { return row.at("metric") == "ssim"; }));
    }
    CHECK(json_of(runs.folder.path("out/elsewhere/scores.json")).at("windows") == 12);
    CHECK(holds(text_of(runs.folder.path("s.csv")), "data,forecaster,metric"));

    std::ofstream(runs.folder.path("t.toml"))
        << "[[model]]\npath = \"run1\"\n[[model]]\npath = \"gone\"\n[[data]]\npath = "
           "\"d.h5\"\n[[data]]\npath = \"colour.h5\"\n";
    const Outcome partly = runs.run({"evaluate", "--suite", "t.toml", "--json", "t.json"});
    CHECK(partly.code == 4);
    const Json left = json_of(runs.folder.path("t.json"));
    CHECK(left.at("evaluations").size() == 1);
    CHECK(left.at("failures").size() == 2);
}
