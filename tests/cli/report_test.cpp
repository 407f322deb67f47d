// nowcell report, from outside, and its page in a browser that can reach nothing.
#include "predict/pictures/pictures.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::ordered_json;

void write_text(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

Json score(const std::string& forecaster, const std::string& metric, const Json& threshold, const Json& scale,
           const Json& lead, const std::string& unit, const Json& value) {
    return {{"forecaster", forecaster},
            {"metric", metric},
            {"threshold", threshold},
            {"scale", scale},
            {"lead", lead},
            {"unit", unit},
            {"value", value}};
}

Json curve(const std::string& forecaster, const std::string& kind, const Json& threshold, const std::vector<double>& x,
           const std::vector<double>& y, const std::vector<double>& weight) {
    return {{"forecaster", forecaster},
            {"kind", kind},
            {"threshold", threshold},
            {"lead", "all"},
            {"x", x},
            {"y", y},
            {"weight", weight},
            {"x_label", "probability"},
            {"y_label", ""}};
}

// Scores of three forecasters as nowcell evaluate writes them; the network is 20 % better than persistence.
Json scores_of(double mae) {
    const std::vector<std::string> names = {"model", "persistence", "optical flow"};
    Json rows = Json::array(), curves = Json::array(), described = Json::array();
    for (const auto& name : names) described.push_back({{"name", name}, {"baseline", name != "model"}});
    for (std::size_t i = 0; i < names.size(); ++i) {
        const double worse = 1.0 + 0.25 * static_cast<double>(i);
        for (int lead = 0; lead <= 6; ++lead) {
            const Json at = lead == 0 ? Json("all") : Json(lead);
            const double grown = mae * worse * (lead == 0 ? 3.5 : lead);
            rows.push_back(score(names[i], "mae", nullptr, nullptr, at, "mm/h", grown));
            rows.push_back(score(names[i], "bias", nullptr, nullptr, at, "mm/h", 0.01 * worse - 0.015));
            rows.push_back(score(names[i], "ssim", nullptr, nullptr, at, "1", 1.0 - 0.05 * worse * (lead + 1)));
            for (const double threshold : {0.5, 5.0}) {
                for (const char* metric : {"pod", "far", "csi"}) {
                    const Json value = i == 2 && threshold == 5.0 ? Json(nullptr) : Json(0.8 / worse / (lead + 1));
                    rows.push_back(score(names[i], metric, threshold, nullptr, at, "1", value));
                }
            }
        }
        for (const int scale : {1, 4, 16}) {
            rows.push_back(score(names[i], "fss", 0.5, scale, "all", "1", 0.5 + 0.02 * scale / worse));
        }
        Json spectrum = curve(names[i], "spectrum", nullptr, {0, 1 / 64., 1 / 32., 1 / 16., 1 / 8., 1 / 4., 1 / 2.},
                              {900, 100, 50, 12, 3, 1, 0.1 / worse}, {});
        spectrum["x_label"] = "wavenumber [1/px]";
        spectrum["y_label"] = "power";
        curves.push_back(spectrum);
    }
    Json truth = curves.front();
    truth["kind"] = "spectrum of truth";
    truth["y"] = {900, 100, 52, 14, 4, 2, 0.5};
    curves.push_back(truth);
    curves.push_back(
        curve("model", "reliability", 0.5, {0.05, 0.35, 0.65, 0.95}, {0.02, 0.3, 0.7, 0.9}, {900, 200, 90, 60}));
    curves.push_back(curve("model", "roc", 0.5, {0.5, 0.2, 0.05}, {0.95, 0.8, 0.4}, {}));
    curves.push_back(curve("model", "rank histogram", nullptr, {1, 2, 3, 4, 5}, {30, 22, 20, 21, 33}, {}));
    Json comparisons = Json::array();
    comparisons.push_back({{"forecaster", "model"},
                           {"baseline", "persistence"},
                           {"metric", "mae"},
                           {"skill", 0.2},
                           {"difference", -0.25 * mae},
                           {"low", -0.3 * mae},
                           {"high", -0.1 * mae},
                           {"level", 0.95},
                           {"verdict", "better"},
                           {"blocks", 40}});
    Json csi = comparisons.front();
    csi["metric"] = "csi";
    csi["threshold"] = 5.0;
    csi["skill"] = nullptr;
    comparisons.push_back(csi);
    comparisons.push_back({{"forecaster", "model"},
                           {"baseline", "optical flow"},
                           {"metric", "mae"},
                           {"skill", 0.33},
                           {"difference", -0.5 * mae},
                           {"low", nullptr},
                           {"high", nullptr},
                           {"level", 0.95},
                           {"verdict", "too few for an interval"},
                           {"blocks", 2}});
    return {{"schema", "nowcell.evaluate/2"},
            {"model", "runs/radar"},
            {"data", "radar.h5"},
            {"split", "test"},
            {"dialect", "standard"},
            {"windows", 120},
            {"step_s", 300},
            {"units", "mm/h"},
            {"forecasters", described},
            {"rows", rows},
            {"comparisons", comparisons},
            {"curves", curves}};
}

// Rain that drifts, as a picture.
void write_sample(const std::string& path, const std::string& title, int side = 48) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    const auto at_time = [&](double t) {
        const auto line = at::linspace(0, 1, side);
        const auto y = line.reshape({side, 1}), x = line.reshape({1, side});
        return (20 * at::exp(-((x - 0.2 - 0.06 * t).square() + (y - 0.5 + 0.02 * t).square()) * 40))
            .reshape({1, side, side});
    };
    nowcell::Forecast f;
    std::vector<at::Tensor> input, truth, forecast;
    for (int t = 0; t < 6; ++t) {
        input.push_back(at_time(t));
        truth.push_back(at_time(6 + t));
        forecast.push_back(at_time(6 + 0.8 * t) * (1 - 0.05 * t));
    }
    f.input = at::stack(input);
    f.truth = at::stack(truth);
    f.forecast = at::stack(forecast);
    f.title = title;
    f.step_s = 300;
    nowcell::write_strip(path, f, nowcell::colour_scale(f, "mm/h"));
}

void write_run(const std::string& run, double learning_rate, const std::string& data = "radar.h5") {
    const Json facts = {
        {"schema", "nowcell.run/1"},
        {"state", "done"},
        {"started", "2026-01-02T10:00:00Z"},
        {"ended", "2026-01-02T11:30:00Z"},
        {"step", 800},
        {"epoch", 8},
        {"best", {{"epoch", 6}, {"val_mae", 0.0421}, {"unit", "mm/h"}}},
        {"command", "nowcell train --config radar.toml --set optim.lr=" + std::to_string(learning_rate)},
        {"versions", {{"nowcell", "0.1.0"}, {"libtorch", "2.15.0"}}},
        {"device", "cpu"},
        {"threads", 2},
        {"seed", 1},
        {"data",
         {{"path", data},
          {"dataset", "/frames"},
          {"fingerprint", "abc123"},
          {"recordings", 3},
          {"frames", 864},
          {"frame", {1, 48, 48}}}},
        {"parameters", 123456}};
    write_text(run + "/run.json", facts.dump(1));
    write_text(run + "/config.toml",
               "[data]\npath = \"radar.h5\"  # my.toml:2\n\n[optim]\nlr = " + std::to_string(learning_rate) +
                   "\n\n[[model.layers]]\nfilters = 32\n\n[[model.layers]]\nfilters = 16\n");
    std::string csv = "epoch,step,lr,train_loss,val_mae,val_mse,seconds,sequences_per_s\n";
    for (int epoch = 0; epoch <= 8; ++epoch) {
        csv += std::to_string(epoch) + "," + std::to_string(100 * epoch) + ",0.001," +
               (epoch == 0 ? "" : std::to_string(0.3 / (1 + epoch))) + "," + std::to_string(0.04 + 0.05 / (1 + epoch)) +
               ",0.01," + std::to_string(epoch) + ".0,10.00\n";
    }
    write_text(run + "/metrics.csv", csv);
    write_sample(run + "/samples/epoch-0007_s0.png", "Epoch 7");
    write_sample(run + "/samples/epoch-0008_s0.png", "Epoch 8");
}

void write_evaluation(const std::string& folder, double mae) {
    write_text(folder + "/scores.json", scores_of(mae).dump(1));
    for (const char* which : {"best", "median", "worst"}) {
        write_sample(folder + "/strip_" + which + ".png", std::string("The ") + which + " sample");
    }
}

// Nothing but what is inside the page may be named by it.
void check_self_contained(const std::string& html) {
    CHECK(html.size() <= 2'000'000);
    CHECK(holds(html, "Content-Security-Policy"));
    CHECK(holds(html, "default-src &#39;none&#39;"));
    CHECK_FALSE(holds(html, "<script"));
    CHECK_FALSE(holds(html, "http://www.w3.org/1999/xlink"));
    const std::regex reference("(src|href|action|srcset|data|poster)=\"([^\"]{0,12})");
    for (std::sregex_iterator i(html.begin(), html.end(), reference), end; i != end; ++i) {
        INFO((*i)[0]);
        const std::string target = (*i)[2];
        CHECK((target.starts_with("data:") || target.starts_with("#")));
    }
    CHECK_FALSE(std::regex_search(html, std::regex("@import|url\\(")));
}

}  // namespace

TEST_CASE("a report of a run with scores shows all that is known") {
    const TemporaryFolder folder;
    write_run(folder.path("runs/radar"), 0.001);
    write_evaluation(folder.path("runs/radar/evaluation"), 0.04);
    const Outcome made =
        run_nowcell({"report", "runs/radar", "-o", "out/radar.html", "--json", "facts.json"}, folder.path());
    INFO(made.err);
    REQUIRE(made.code == 0);
    CHECK(made.out == "out/radar.html\n");
    const auto facts = Json::parse(text_of(folder.path("facts.json")));
    CHECK(facts["schema"] == "nowcell.report/1");
    CHECK(facts["runs"] == 1);
    CHECK(facts["evaluations"] == 1);
    CHECK(facts["left_out"].empty());
    const std::string html = text_of(folder.path("out/radar.html"));
    CHECK(facts["bytes"] == html.size());
    check_self_contained(html);
    for (const char* part : {"<h1>radar</h1>",
                             "done",
                             "2026-01-02 10:00:00 UTC",
                             "epoch 6, validation MAE 0.0421 mm/h",
                             "nowcell train --config radar.toml",
                             "radar.h5, /frames; 864 frames in 3 recordings; each 1 channel of 48 \u00d7 48 px",
                             "Scores of runs/radar on radar.h5: 120 windows",
                             "better than persistence",
                             "too few windows to tell against optical flow",
                             "+20.0 %",
                             "wavelength [px]",
                             "CSI \u2265 5 mm/h",
                             "values of 5 mm/h and more",
                             "FSS by the side of its windows",
                             "16 px",
                             "+30 min",
                             "The worst sample",
                             "epoch-0008_s0.png",
                             "Reliability of values of 0.5 mm/h and more",
                             "Rank histogram"}) {
        INFO(part);
        CHECK(holds(html, part));
    }
    CHECK_FALSE(holds(html, "epoch-0007"));
    // Best of a column: lowest MAE, highest SSIM; none where only one is known.
    CHECK(holds(html, "<td class=\"number best\">0.1400<span"));
    CHECK(holds(html, "<td class=\"number best\">0.8200<span"));  // FSS
    CHECK_FALSE(holds(html, ">NaN"));
    CHECK(count_of(html, "<img ") == 4);
    CHECK(count_of(html, "alt=\"") == 4);
    CHECK(count_of(html, "<svg role=\"img\" aria-label=\"") == count_of(html, "<svg"));
    CHECK(count_of(html, "<table>") == count_of(html, "<caption>"));
    for (const char* tag : {"section", "table", "figure", "div", "details", "dl", "svg", "main", "p", "th", "td"}) {
        INFO(tag);
        const std::regex opening("<" + std::string(tag) + "[ >]");
        const auto opened = std::distance(std::sregex_iterator(html.begin(), html.end(), opening), {});
        CHECK(static_cast<std::size_t>(opened) == count_of(html, "</" + std::string(tag) + ">"));
    }
}

TEST_CASE("several runs begin with a comparison") {
    const TemporaryFolder folder;
    write_run(folder.path("a"), 0.001);
    write_run(folder.path("b"), 0.01);
    write_evaluation(folder.path("a/evaluation"), 0.04);
    write_text(folder.path("b.json"), scores_of(0.05).dump());
    REQUIRE(run_nowcell({"report", "a", "b", "b.json", "--title", "Two runs"}, folder.path()).code == 0);
    const std::string html = text_of(folder.path("report.html"));
    check_self_contained(html);
    CHECK(holds(html, "<h1>Two runs</h1>"));
    CHECK(html.find("Comparison") < html.find("To reproduce"));
    CHECK(holds(html, "<th scope=\"row\">optim.lr</th><td>0.001000</td><td>0.010000</td>"));
    CHECK_FALSE(holds(html, "<th scope=\"row\">data.path</th>"));
    CHECK(holds(html, "No scores: nowcell evaluate --folder b/evaluation writes them."));
    CHECK(holds(html, "<a href=\"#part-4\">b.json</a>"));
}

TEST_CASE("a report refuses to overwrite, and says what it cannot read") {
    const TemporaryFolder folder;
    write_run(folder.path("run"), 0.001);
    REQUIRE(run_nowcell({"report", "run"}, folder.path()).code == 0);
    const std::string first = text_of(folder.path("report.html"));
    const Outcome again = run_nowcell({"report", "run"}, folder.path());
    CHECK(again.code == 7);
    CHECK(holds(again.err, "--force"));
    CHECK(run_nowcell({"report", "run", "--force"}, folder.path()).code == 0);

    const Outcome none = run_nowcell({"report", "rum", "-o", "x.html"}, folder.path());
    CHECK(none.code == 2);
    CHECK(holds(none.err, "did you mean"));
    std::filesystem::create_directories(folder.path("empty"));
    const Outcome empty = run_nowcell({"report", "empty", "-o", "x.html"}, folder.path());
    CHECK(empty.code == 3);
    CHECK(holds(empty.err, "neither a run"));
    struct Damage {
        std::string path, text, said;
    };
    for (const Damage& d : {Damage{"scores.json", "{\"schema\": \"nowcell.evaluate/2\", \"rows\": [", "is no JSON"},
                            Damage{"scores.json", "[1, 2]", "expected an object"},
                            Damage{"scores.json", "{\"schema\": \"other/1\"}", "nowcell.evaluate/2"},
                            Damage{"scores.json", R"({"schema":"nowcell.evaluate/2","rows":[1]})", "list of objects"},
                            Damage{"scores.json", R"({"schema":"nowcell.evaluate/2","rows":[{"lead":-3}]})", "lead"},
                            Damage{"run/run.json", "{\"state\": \"done\"", "run.json"},
                            Damage{"run/metrics.csv", "epoch,val_mae\n0,1\n1,oops\n", "metrics.csv:3"}}) {
        INFO(d.path << ": " << d.text);
        write_run(folder.path("run"), 0.001);
        write_text(folder.path(d.path), d.text);
        const Outcome damaged =
            run_nowcell({"report", d.path == "scores.json" ? "scores.json" : "run", "-o", "x.html"}, folder.path());
        CHECK(damaged.code == 3);
        CHECK(holds(damaged.err, d.said));
    }
    CHECK_FALSE(std::filesystem::exists(folder.path("x.html")));
    CHECK(run_nowcell({"report"}, folder.path()).code == 2);
    write_text(folder.path("scores.json"), scores_of(0.04).dump());
    const Outcome onto_itself = run_nowcell({"report", "scores.json", "-o", "./scores.json", "--force"}, folder.path());
    CHECK(onto_itself.code == 7);
    CHECK(Json::parse(text_of(folder.path("scores.json"))).contains("rows"));
}

TEST_CASE("what is missing in a run is said to be missing") {
    const TemporaryFolder folder;
    write_text(folder.path("run/run.json"), "{}");
    write_text(folder.path("scores.json"), R"({"schema":"nowcell.evaluate/2","rows":[]})");
    REQUIRE(run_nowcell({"report", "run", "scores.json"}, folder.path()).code == 0);
    const std::string html = text_of(folder.path("report.html"));
    check_self_contained(html);
    for (const char* part : {"unknown: run.json is missing or does not say", "How the run was started is not recorded",
                             "No curves", "No scores over all lead times", "No pictures of samples",
                             "Whether differences are significant is not known"}) {
        INFO(part);
        CHECK(holds(html, part));
    }
}

TEST_CASE("what files say is text in a report, never markup") {
    const TemporaryFolder folder;
    const std::string bad = "<script>alert(1)</script>\"'&\x01\xB0";
    const std::string run = "run<script>alert(2)<&\"'";
    write_run(folder.path(run), 0.001, "<script>alert(1)</script>\"'&");
    Json scores = scores_of(0.04);
    const std::string evil = "<script>alert(1)</script>\"'&\u0001";
    for (auto& row : scores["rows"]) {
        row["forecaster"] = evil + row["forecaster"].get<std::string>();
        row["unit"] = evil;
        if (row["metric"] == "far") row["metric"] = evil;
    }
    for (const char* key : {"model", "data", "split", "dialect", "units"}) scores[key] = evil;
    for (auto& row : scores["comparisons"]) row["verdict"] = row["baseline"] = evil;
    for (auto& row : scores["curves"]) {
        row["forecaster"] = row["y_label"] = evil;
        if (row["kind"] == "roc") row["kind"] = evil;
    }
    write_text(folder.path("scores.json"), scores.dump());
    write_text(folder.path(run + "/config.toml"), "[optim]\nlr = \"" + bad + "\"\n");
    REQUIRE(run_nowcell({"report", run, "scores.json", "--title", bad}, folder.path()).code == 0);
    const std::string html = text_of(folder.path("report.html"));
    check_self_contained(html);
    CHECK(holds(html, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;?\u00b0"));
    CHECK(holds(html, "run&lt;script&gt;alert(2)"));
    CHECK(html.find('\x01') == std::string::npos);
}

TEST_CASE("a report stays within two megabytes whatever it is given") {
    const TemporaryFolder folder;
    write_run(folder.path("run"), 0.001);
    write_text(folder.path("evaluation/scores.json"), scores_of(0.04).dump());
    // Noise does not compress: 12 MB each.
    cv::Mat noise(2000, 2000, CV_8UC3);
    cv::randu(noise, 0, 256);
    for (const char* which : {"best", "median"}) {
        cv::imwrite(folder.path("evaluation/strip_") + which + ".png", noise);
    }
    write_text(folder.path("evaluation/strip_worst.png"), "not a picture");
    write_text(folder.path("run/samples/epoch-0009_s0.png"),
               text_of(folder.path("evaluation/strip_best.png")).substr(0, 999));
    const Outcome made = run_nowcell({"report", "run", "evaluation", "--json", "facts.json"}, folder.path());
    REQUIRE(made.code == 0);
    const std::string html = text_of(folder.path("report.html"));
    check_self_contained(html);
    CHECK(html.size() > 600'000);  // the room was used
    CHECK(count_of(html, "<img ") >= 2);
    CHECK(holds(html, "neither PNG nor GIF"));
    CHECK(Json::parse(text_of(folder.path("facts.json")))["left_out"].size() >= 1);

    // A file of scores that is long in every direction.
    Json scores = scores_of(0.04);
    Json rows = Json::array();
    for (int i = 0; i < 60; ++i) {
        for (int lead = 0; lead <= 40; ++lead) {
            const std::string name = "forecaster " + std::to_string(i) + std::string(300, 'x');
            for (const char* metric : {"mae", "ssim", "crps"}) {
                rows.push_back(
                    score(name, metric, nullptr, nullptr, lead == 0 ? Json("all") : Json(lead), "K", 0.1 * lead));
            }
        }
    }
    scores["rows"] = rows;
    std::vector<double> x, y;
    for (int i = 1; i <= 100'000; ++i) {
        x.push_back(i);
        y.push_back(1e300 / i);
    }
    for (auto& one : scores["curves"]) one["x"] = x, one["y"] = y;
    std::vector<std::string> words = {"report", "--force"};
    for (int i = 0; i < 6; ++i) {
        const std::string name = "long" + std::to_string(i) + ".json";
        if (i == 0) write_text(folder.path(name), scores.dump());
        if (i > 0) std::filesystem::create_hard_link(folder.path("long0.json"), folder.path(name));
        words.push_back(name);
    }
    const Outcome grown = run_nowcell(words, folder.path());
    INFO(grown.err);
    REQUIRE(grown.code == 0);
    check_self_contained(text_of(folder.path("report.html")));
}

TEST_CASE("every evaluation of a suite has its part of the page") {
    const TemporaryFolder folder;
    Json one = scores_of(0.04), other = scores_of(0.05);
    other["data"] = "other.h5";
    const Json suite = {{"schema", "nowcell.evaluate_suite/1"},
                        {"title", "All"},
                        {"evaluations", Json::array({one, other})},
                        {"failures", Json::array()}};
    write_text(folder.path("suite.json"), suite.dump());
    REQUIRE(run_nowcell({"report", "suite.json"}, folder.path()).code == 0);
    const std::string html = text_of(folder.path("report.html"));
    check_self_contained(html);
    CHECK(holds(html, "<h2>suite.json (2)</h2>"));
    CHECK(holds(html, "errors in this table cannot be compared between rows"));
}

TEST_CASE("scores of the first schema are read too") {
    const TemporaryFolder folder;
    const Json rows = {
        {{"forecaster", "model"}, {"metric", "mae"}, {"lead", "all"}, {"unit", "K"}, {"value", 0.5}},
        {{"forecaster", "persistence"}, {"metric", "mae"}, {"lead", "all"}, {"unit", "K"}, {"value", 1.0}}};
    const Json old = {{"schema", "nowcell.evaluate/1"},
                      {"model", "m"},
                      {"data", "d"},
                      {"split", "all"},
                      {"windows", 1},
                      {"step_s", 0.0},
                      {"rows", rows},
                      {"comparison",
                       {{"baseline", "persistence"},
                        {"metric", "mae"},
                        {"unit", "K"},
                        {"difference", -0.5},
                        {"low", -0.6},
                        {"high", -0.4},
                        {"level", 0.95},
                        {"verdict", "better"},
                        {"blocks", 9}}}};
    write_text(folder.path("old.json"), old.dump());
    REQUIRE(run_nowcell({"report", "old.json"}, folder.path()).code == 0);
    const std::string html = text_of(folder.path("report.html"));
    CHECK(holds(html, "better than persistence"));
    CHECK(holds(html, "-0.5000"));
}

namespace {

std::string browser() {
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
        if (std::system(("command -v " + std::string(name) + " >/dev/null 2>&1").c_str()) == 0) return name;
    }
    return "";
}

// Opens a page in a browser that finds no host, and does with it what `action` says.
void open_page(const TemporaryFolder& folder, const std::string& page, bool dark, const std::string& action) {
    const std::string command = "timeout 200 " + browser() +
                                " --headless=new --no-sandbox --disable-gpu --no-first-run --disable-sync"
                                " --disable-background-networking --disable-component-update --disable-extensions"
                                " --hide-scrollbars --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir='" +
                                folder.path("profile") + "' --log-net-log='" + folder.path("net.json") +
                                "' --blink-settings=preferredColorScheme=" + (dark ? "0 " : "1 ") + action +
                                " 'file://" + folder.path(page) + "' 2>/dev/null";
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);
}

// What the page asked for; what the browser asks for by itself comes from no origin.
std::vector<std::string> requests(const TemporaryFolder& folder) {
    const Json log = Json::parse(text_of(folder.path("net.json")));
    std::vector<std::string> found;
    for (const auto& event : log["events"]) {
        if (!event.contains("params") || !event["params"].is_object()) continue;
        const auto& params = event["params"];
        if (params.contains("url") && params.value("initiator", "not an origin") != "not an origin") {
            found.push_back(params["url"].get<std::string>());
        }
    }
    return found;
}

constexpr int kWindowWidth = 1280, kWindowHeight = 5200;

cv::Mat screenshot(const TemporaryFolder& folder, const std::string& page, bool dark) {
    const std::string path = folder.path(dark ? "dark.png" : "light.png");
    open_page(folder, page, dark,
              "--window-size=" + std::to_string(kWindowWidth) + "," + std::to_string(kWindowHeight) +
                  " --screenshot='" + path + "'");
    if (const char* keep = std::getenv("NOWCELL_KEEP_SCREENSHOTS")) {
        std::filesystem::copy(path, keep, std::filesystem::copy_options::overwrite_existing);
    }
    return cv::imread(path);
}

}  // namespace

TEST_CASE("Chromium renders a report in light and dark and requests nothing", "[.][chromium]") {
    if (browser().empty()) {
        WARN("skipped: no Chromium");
        return;
    }
    const TemporaryFolder folder;
    write_run(folder.path("radar"), 0.001);
    write_run(folder.path("wide"), 0.01);
    write_evaluation(folder.path("radar/evaluation"), 0.04);
    write_evaluation(folder.path("wide/evaluation"), 0.05);
    REQUIRE(run_nowcell({"report", "radar", "wide", "--title", "Rain in 5-minute steps"}, folder.path()).code == 0);
    const std::string html = text_of(folder.path("report.html"));
    check_self_contained(html);

    for (const bool dark : {false, true}) {
        INFO((dark ? "dark" : "light"));
        const cv::Mat picture = screenshot(folder, "report.html", dark);
        CHECK(requests(folder).empty());
        REQUIRE(picture.size() == cv::Size(kWindowWidth, kWindowHeight));
        const cv::Vec3b paper = picture.at<cv::Vec3b>(4, 4);
        CHECK((dark ? paper[0] < 60 && paper[1] < 60 && paper[2] < 60 : paper == cv::Vec3b(255, 255, 255)));
        cv::Mat difference;
        cv::absdiff(picture, cv::Scalar(paper[0], paper[1], paper[2]), difference);
        cv::cvtColor(difference, difference, cv::COLOR_BGR2GRAY);
        for (int band = 0; band < 4; ++band) {  // text and pictures all the way down
            const cv::Rect quarter(0, band * kWindowHeight / 4, kWindowWidth, kWindowHeight / 4);
            const double inked = cv::countNonZero(difference(quarter) > 40) / static_cast<double>(quarter.area());
            INFO("band " << band << ": " << inked);
            CHECK(inked > 0.01);
            CHECK(inked < 0.8);
        }
        CHECK(cv::countNonZero(difference.colRange(0, 20) > 10) == 0);  // margins
    }

    open_page(folder, "report.html", false, "--dump-dom > '" + folder.path("dom.html") + "'");
    const std::string dom = text_of(folder.path("dom.html"));
    for (const char* tag : {"<table>", "<caption>", "<svg", "<img ", "<section", "<figcaption>", "<td", "<details>"}) {
        INFO(tag);
        CHECK(count_of(html, tag) > 0);
        CHECK(count_of(dom, tag) == count_of(html, tag));
    }

    // The test sees requests, and the page forbids them even to what might be slipped into it.
    std::string slipped = html;
    slipped.insert(slipped.find("<main>"), "<img src=\"http://example.invalid/x.png\">");
    write_text(folder.path("forbidden.html"), slipped);
    open_page(folder, "forbidden.html", false, "--dump-dom > /dev/null");
    CHECK(requests(folder).empty());
    slipped.replace(slipped.find("default-src"), 11, "script-src-");
    slipped.replace(slipped.find("img-src data:"), 13, "frame-src 'x'");
    write_text(folder.path("allowed.html"), slipped);
    open_page(folder, "allowed.html", false, "--dump-dom > /dev/null");
    CHECK(requests(folder) != std::vector<std::string>{});
}
