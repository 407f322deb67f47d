// What train says while it runs, and what it leaves behind.
#include "data/write/hdf5_io.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace {

std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

// A folder with a config and data for a run of two epochs.
struct Desk {
    Desk() {
        at::manual_seed(1);
        nowcell::write_hdf5(folder.path("d.h5"), {{"/frames", at::rand({20, 6, 12, 12}), {}, {}}}, {});
        std::ofstream(folder.path("c.toml")) << "[data]\npath = \"d.h5\"\ninput_steps = 3\noutput_steps = 3\n"
                                                "[train]\nepochs = 2\nbatch = 4\n[log]\nevery_steps = 2\n"
                                                "[[model.layers]]\nfilters = 3\n";
    }

    Outcome train(const std::vector<std::string>& more) const {
        std::vector<std::string> words = {"train", "-c", "c.toml", "-o", "run", "--threads", "1"};
        words.insert(words.end(), more.begin(), more.end());
        return run_nowcell(words, folder.path());
    }

    TemporaryFolder folder;
};

}  // namespace

TEST_CASE("a run directory explains the run to people and to programs") {
    const Desk desk;
    const Outcome outcome = desk.train({});
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    for (const char* name :
         {"config.toml", "run.json", "log.txt", "metrics.csv", "events.jsonl", "loss.png", "loss.svg", "lr.svg",
          "validation.png", "samples/epoch-0002_s0.png", "samples/epoch-0002_s0.gif"}) {
        INFO(name);
        CHECK(std::filesystem::exists(desk.folder.path(std::string("run/") + name)));
    }
    const auto run = nlohmann::json::parse(text_of(desk.folder.path("run/run.json")));
    CHECK(run.at("state") == "done");
    CHECK(holds(run.at("command"), "nowcell train -c c.toml"));
    CHECK(run.at("threads") == 1);
    CHECK(run.at("seed") == 42);
    CHECK(run.at("data").at("frames") == 120);
    CHECK(run.at("data").at("fingerprint").get<std::string>().size() > 8);
    CHECK(run.at("parameters") > 0);
    for (const char* library : {"nowcell", "libtorch", "opencv", "hdf5"}) {
        CHECK_FALSE(run.at("versions").at(library).get<std::string>().empty());
    }
    // 16 training windows in batches of 4, two epochs.
    std::vector<std::string> events;
    for (const std::string& line : lines_of(text_of(desk.folder.path("run/events.jsonl")))) {
        const auto event = nlohmann::json::parse(line);
        if (event.at("event") == "step") events.push_back(event.at("step").dump());
    }
    CHECK(events == std::vector<std::string>{"2", "4", "6", "8"});

    const std::string log = text_of(desk.folder.path("run/log.txt"));
    CHECK_FALSE(holds(log, "\x1b"));
    CHECK_FALSE(holds(log, "\r"));
    CHECK(holds(log, "epoch 2/2"));
    const std::regex stamped("20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z .+");
    for (const std::string& line : lines_of(log)) {
        INFO(line);
        CHECK(std::regex_match(line, stamped));
    }
    // Everything that was said is in it.
    for (const std::string& line : lines_of(outcome.err)) {
        INFO(line);
        CHECK(holds(log, "Z " + line));
    }
}

TEST_CASE("narration of a run is plain lines, few for each epoch, or objects") {
    const Desk desk;
    const Outcome plain = desk.train({"--progress", "plain"});
    INFO(plain.err);
    REQUIRE(plain.code == 0);
    CHECK_FALSE(holds(plain.err, "\x1b"));
    CHECK_FALSE(holds(plain.err, "\r"));
    CHECK(lines_of(plain.err).size() <= 20 * 2);

    const Outcome objects = desk.train({"--progress", "json", "--force"});
    INFO(objects.err);
    REQUIRE(objects.code == 0);
    std::vector<std::int64_t> epochs;
    for (const std::string& line : lines_of(objects.err)) {
        INFO(line);
        const auto object = nlohmann::json::parse(line);
        CHECK(object.at("event").is_string());
        CHECK(object.at("time").is_string());
        if (object.at("event") == "epoch") epochs.push_back(object.at("epoch"));
    }
    CHECK(epochs == std::vector<std::int64_t>{0, 1, 2});
    CHECK_FALSE(holds(text_of(desk.folder.path("run/log.txt")), "{"));

    const Outcome failed = desk.train({"--progress", "json"});  // the folder is there
    CHECK(failed.code == 7);
    REQUIRE(lines_of(failed.err).size() == 1);
    const auto error = nlohmann::json::parse(failed.err);
    CHECK(error.at("event") == "error");
    CHECK(error.at("code") == 7);
    CHECK(holds(error.at("problems")[0].at("what"), "run exists"));
    CHECK(holds(error.at("problems")[0].at("hint"), "--force"));

    const Outcome unknown = desk.train({"--progress", "loud"});
    CHECK(unknown.code == 2);
    CHECK(holds(unknown.err, "auto, plain, none, json"));
}

TEST_CASE("pictures and TensorBoard files come as often as asked") {
    const Desk desk;
    REQUIRE(desk.train({"--set", "log.pictures_every=0", "--set", "log.tensorboard=false"}).code == 0);
    CHECK_FALSE(std::filesystem::exists(desk.folder.path("run/samples")));
    CHECK_FALSE(std::filesystem::exists(desk.folder.path("run/tb")));
    REQUIRE(desk.train({"--set", "log.pictures_every=2", "--set", "log.pictures=2", "--force"}).code == 0);
    CHECK(tree(desk.folder.path("run/samples")) ==
          std::vector<std::string>{"epoch-0000_s0.gif", "epoch-0000_s0.png", "epoch-0000_s1.gif", "epoch-0000_s1.png",
                                   "epoch-0002_s0.gif", "epoch-0002_s0.png", "epoch-0002_s1.gif", "epoch-0002_s1.png"});
    CHECK(tree(desk.folder.path("run/tb")).size() == 1);
}

TEST_CASE("a run that diverges says so in its directory") {
    const Desk desk;
    const Outcome outcome = desk.train({"--set", "optim.lr=1e30", "--set", "optim.grad_clip=0"});
    INFO(outcome.err);
    REQUIRE(outcome.code == 6);
    const auto run = nlohmann::json::parse(text_of(desk.folder.path("run/run.json")));
    CHECK(run.at("state") == "diverged");
    CHECK(holds(outcome.err, run.at("error").get<std::string>()));
    CHECK(run.at("ended").is_string());
    const auto events = lines_of(text_of(desk.folder.path("run/events.jsonl")));
    CHECK(nlohmann::json::parse(events.back()).at("event") == "diverged");
}

TEST_CASE("bench training splits the steps of a preset and refuses what is none") {
    const TemporaryFolder folder;
    const Outcome outcome = run_nowcell(
        {"bench", "training", "era5-t2m", "--steps", "2", "--threads", "1", "--set", "train.batch=2", "--json", "-"},
        folder.path());
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    const auto report = nlohmann::json::parse(outcome.out);
    CHECK(report.at("schema") == "nowcell.bench_training/1");
    REQUIRE(report.at("rows").size() == 1);
    const auto row = report.at("rows")[0];
    CHECK(row.at("preset") == "era5-t2m");
    CHECK(row.at("steps") == 2);
    CHECK(row.at("batch") == 2);
    double total = 0.0;
    for (const char* part : {"model_s", "optimizer_s", "waiting_s", "other_s"}) {
        CHECK(row.at(part).get<double>() > 0.0);
        total += row.at(part).get<double>();
    }
    const double outside = row.at("waiting_s").get<double>() + row.at("other_s").get<double>();
    CHECK(row.at("outside").get<double>() == Catch::Approx(outside / total));
    CHECK(tree(folder.path()).empty());

    const Outcome unknown = run_nowcell({"bench", "training", "era5"}, folder.path());
    CHECK(unknown.code == 2);
    CHECK(holds(unknown.err, "did you mean 'era5-t2m'?"));
}
