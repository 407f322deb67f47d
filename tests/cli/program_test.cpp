// The program from outside: what users type, see and are left with.
#include "data/frame_source.h"
#include "data/write/hdf5_io.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

using nowcell::Attribute;

namespace {

std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// One block on stderr, at most six lines, nothing on stdout, the right code, nothing left behind.
void check_failure(const TemporaryFolder& folder, const std::vector<std::string>& words, int code,
                   const std::vector<std::string>& parts) {
    const std::vector<std::string> before = tree(folder.path());
    const Outcome outcome = run_nowcell(words, folder.path());
    std::string line;
    for (const std::string& word : words) line += word + " ";
    INFO(line << "\n" << outcome.err);
    CHECK(outcome.code == code);
    CHECK(outcome.out.empty());
    CHECK(holds(outcome.err, ": error: "));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') <= 6);
    for (const std::string& part : parts) {
        INFO(part);
        CHECK(holds(outcome.err, part));
    }
    CHECK(tree(folder.path()) == before);
}

const std::string kConfig =
    "[data]\npath = \"d.h5\"\ninput_steps = 3\noutput_steps = 3\n[train]\nepochs = 1\nbatch = 4\n"
    "[[model.layers]]\nfilters = 3\n";

void write_frames(const std::string& path, const torch::Tensor& frames, const std::string& name = "/frames") {
    nowcell::write_hdf5(path, {{name, frames, {}, {}}}, {});
}

// A folder with a config, data, and a trained run.
struct Workshop {
    Workshop() {
        at::manual_seed(1);
        write_frames(folder.path("d.h5"), at::rand({20, 6, 12, 12}));
        std::ofstream(folder.path("c.toml")) << kConfig;
        const Outcome trained = run_nowcell({"train", "-c", "c.toml", "-o", "run", "--threads", "1"}, folder.path());
        INFO(trained.err);
        REQUIRE(trained.code == 0);
    }
    TemporaryFolder folder;
};

}  // namespace

TEST_CASE("help, version and config errors are instant and load no engine") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("bad.toml")) << kConfig << "[train2]\nepochs = 3\n";
    const std::vector<std::vector<std::string>> commands = {
        {"--help"}, {"--version"}, {"train", "--help"}, {"train", "-c", "bad.toml"}, {"config", "keys"}};
    for (const auto& words : commands) {
        double least = 1e9;
        for (int i = 0; i < 3; ++i) least = std::min(least, run_nowcell(words, folder.path()).cpu_s);
        INFO(words.front());
        CHECK(least <= 0.4);  // the bar of the first issue, in CPU seconds, best of three
    }
    ::setenv("LD_DEBUG", "files", 1);
    const Outcome watched = run_nowcell({"train", "-c", "bad.toml"}, folder.path());
    ::unsetenv("LD_DEBUG");
    CHECK(watched.code == 2);
    CHECK(holds(watched.err, "libfmt"));  // the loader did report
    CHECK_FALSE(holds(watched.err, "libtorch"));
    CHECK_FALSE(holds(watched.err, "libnowcell.so"));
}

TEST_CASE("bad command lines and configurations end with code 2") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("c.toml")) << kConfig;
    std::ofstream(folder.path("key.toml")) << kConfig << "[optim]\nlearning_rate = 1\n";
    std::ofstream(folder.path("type.toml")) << "[train]\nepochs = \"64\"\n"
                                            << "[data]\npath = \"d.h5\"\n";
    std::ofstream(folder.path("syntax.toml")) << "[data\n";
    check_failure(folder, {"trian"}, 2, {"unknown command 'trian'", "did you mean 'train'?"});
    check_failure(folder, {"train", "--epohcs", "3"}, 2, {"unknown option '--epohcs'", "did you mean '--epochs'?"});
    check_failure(folder, {"train", "-c", "key.toml"}, 2,
                  {"unknown key 'optim.learning_rate'", "key.toml:11:1", "learning_rate = 1", "^", "optim.lr"});
    check_failure(folder, {"train", "-c", "type.toml"}, 2, {"train.epochs must be an integer", "type.toml:2:1"});
    check_failure(folder, {"train", "-c", "syntax.toml"}, 2, {"syntax.toml:1:"});
    check_failure(folder, {"train", "-c", "c.tml"}, 2, {"file not found: c.tml", "c.toml"});
    check_failure(folder, {"train", "-c", "c.toml", "--set", "train.epochs=ten"}, 2, {"got the string \"ten\""});
    check_failure(folder, {"train", "-c", "c.toml", "--epochs", "0"}, 2, {"--epochs must be an integer >= 1"});
    check_failure(folder, {"evaluate", "-m", "x", "-i", "y", "--device", "tpu", "--split", "tset"}, 2, {"--split"});
    check_failure(folder, {"data", "make", "bouncing-digits", "-o", "x.h5", "--size", "4"}, 2, {"--size"});
    check_failure(folder, {"data", "make", "moving-squares", "-o", "x.h5", "--size", "64"}, 2,
                  {"moving-squares takes no --size", "--size is for bouncing-digits and moving-mnist"});
    check_failure(folder, {"data", "make", "moving-squares", "-o", "x.h5", "--shifted", "./x.h5"}, 2,
                  {"the same file"});
    check_failure(folder, {"data", "make", "moving-mnist", "-o", "x.h5"}, 2, {"needs --images FILE"});
    check_failure(folder, {"data", "make", "moving-mnist", "-o", "x.h5", "--images", "none"}, 3,
                  {"none: no such file"});
}

TEST_CASE("bad data end with code 3") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("c.toml")) << kConfig;
    const std::vector<std::string> train = {"train", "-c", "c.toml", "-o", "run"};
    const auto with = [&](const std::string& assignment) {
        std::vector<std::string> words = train;
        words.insert(words.end(), {"--set", assignment});
        return words;
    };
    check_failure(folder, train, 3, {"d.h5"});
    std::ofstream(folder.path("text.h5")) << "these are no frames";
    check_failure(folder, with("data.path=text.h5"), 3, {"not", "HDF5"});
    std::ofstream(folder.path("classic.nc"), std::ios::binary) << "CDF\001 and so on";
    check_failure(folder, with("data.path=classic.nc"), 3, {"NetCDF", "nccopy"});
    std::ofstream(folder.path("empty.h5")).close();
    check_failure(folder, with("data.path=empty.h5"), 3, {"empty"});
    check_failure(folder, with("data.path=."), 3, {});
    write_frames(folder.path("good.h5"), at::rand({20, 6, 12, 12}));
    check_failure(folder,
                  {"train", "-c", "c.toml", "-o", "run", "--set", "data.path=good.h5", "--set", "data.dataset=/frame"},
                  3, {"no dataset '/frame'", "/frames", "20"});
    write_frames(folder.path("short.h5"), at::rand({20, 5, 12, 12}));
    check_failure(folder, with("data.path=short.h5"), 3, {"5", "input_steps 3 + output_steps 3"});
    torch::Tensor hole = at::rand({20, 6, 12, 12});
    hole[2][1][3][4] = std::numeric_limits<float>::quiet_NaN();
    write_frames(folder.path("nan.h5"), hole);
    check_failure(folder, with("data.path=nan.h5"), 3, {"/frames[2,1,3,4]", "data.missing=mask"});
    check_failure(folder, {"data", "info", "none.h5"}, 3, {"none.h5"});
}

TEST_CASE("a run that fails before its first checkpoint leaves nothing behind") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("c.toml")) << kConfig;
    torch::Tensor hole = at::rand({20, 6, 12, 12});
    hole[17][1][3][4] = std::numeric_limits<float>::quiet_NaN();  // in the validation part
    write_frames(folder.path("d.h5"), hole);
    check_failure(folder, {"train", "-c", "c.toml", "-o", "run"}, 3, {"/frames[17,1,3,4]"});
    check_failure(folder, {"train", "-c", "c.toml", "-o", "c.toml/run"}, 7, {"not a folder"});
}

TEST_CASE("one input frame, two channels and folders to be made are all right") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("c.toml")) << kConfig;
    write_frames(folder.path("d.h5"), at::rand({20, 6, 12, 12, 2}));
    const auto run = [&](const std::vector<std::string>& words) {
        const Outcome outcome = run_nowcell(words, folder.path());
        INFO(words.front() << outcome.err);
        CHECK(outcome.code == 0);
    };
    run({"train", "-c", "c.toml", "-o", "runs/new/one", "--set", "data.input_steps=1", "--lr", ".01", "--seed", "007"});
    run({"predict", "-m", "runs/new/one", "-i", "d.h5", "-o", "p"});
    run({"evaluate", "-m", "runs/new/one", "-i", "d.h5", "--json", "reports/deep/e.json"});
    CHECK(std::filesystem::exists(folder.path("reports/deep/e.json")));
}

TEST_CASE("outputs never replace inputs, folders or each other") {
    const Workshop shop;
    std::filesystem::create_directory(shop.folder.path("folder"));
    check_failure(shop.folder, {"data", "info", "d.h5", "--output", "d.h5", "--force"}, 7, {"would replace d.h5"});
    check_failure(shop.folder, {"evaluate", "-m", "run", "-i", "d.h5", "--json", "./d.h5", "--force"}, 7, {"d.h5"});
    check_failure(shop.folder, {"evaluate", "-m", "run", "-i", "d.h5", "--json", "s", "--csv", "s"}, 7, {"s"});
    check_failure(shop.folder, {"evaluate", "-m", "run", "-i", "d.h5", "--json", "folder", "--force"}, 7,
                  {"is a folder"});
    check_failure(shop.folder, {"evaluate", "-m", "run", "-i", "d.h5", "--csv", "-"}, 2, {"--csv"});
    check_failure(shop.folder, {"help", "-o", "c.toml"}, 7, {"c.toml exists"});
    check_failure(shop.folder, {"predict", "-m", "run", "-i", "d.h5", "-o", "p", "--start", "999999999"}, 3,
                  {"--start 0"});
    check_failure(shop.folder, {"predict", "-m", "run", "-i", "d.h5", "-o", "p", "--horizon", "99999999"}, 2,
                  {"10000"});
    check_failure(shop.folder, {"predict", "-m", "run", "-i", "d.h5", "-o", "p", "--threads", "4000"}, 2, {"1024"});
    check_failure(shop.folder, {"train", "-c", std::string(300, 'x')}, 2, {});
    check_failure(shop.folder, {"train", "-c", "c.toml", "-o", std::string(300, 'x')}, 7, {});
    check_failure(shop.folder, {"train", "-c", "c.toml", "-o", ""}, 2, {"--output must not be empty"});
    // A failing --force keeps what was there.
    REQUIRE(run_nowcell({"predict", "-m", "run", "-i", "d.h5", "-o", "p"}, shop.folder.path()).code == 0);
    const std::string before = text_of(shop.folder.path("p/forecast.h5"));
    check_failure(shop.folder, {"predict", "-m", "run", "-i", "none.h5", "-o", "p", "--force"}, 3, {"none.h5"});
    CHECK(text_of(shop.folder.path("p/forecast.h5")) == before);
}

TEST_CASE("moving squares become a file of movies and one of their successors") {
    TemporaryFolder folder;
    const Outcome made = run_nowcell({"data", "make", "moving-squares", "-o", "a/noisy.h5", "--shifted", "b/truth.h5",
                                      "--count", "3", "--seed", "0"},
                                     folder.path());
    INFO(made.err);
    REQUIRE(made.code == 0);
    // As Keras' own code counts them with this seed.
    const auto sum = [&](const std::string& path) {
        const Outcome info = run_nowcell({"data", "info", path, "--json", "-"}, folder.path());
        INFO(info.err);
        REQUIRE(info.code == 0);
        const auto report = nlohmann::json::parse(info.out);
        CHECK(report["shape"] == nlohmann::json({3, 15, 40, 40}));
        return report["mean"].get<double>() * 3 * 15 * 40 * 40;
    };
    CHECK(sum("a/noisy.h5") == Catch::Approx(3852.6));
    CHECK(sum("b/truth.h5") == Catch::Approx(3828.0));
}

TEST_CASE("pairs are trained, scored beside the baselines and forecast") {
    TemporaryFolder folder;
    const auto run = [&](const std::vector<std::string>& words) {
        const Outcome outcome = run_nowcell(words, folder.path());
        INFO(outcome.err);
        REQUIRE(outcome.code == 0);
        return outcome.out;
    };
    for (const std::string seed : {"1", "2"}) {
        run({"data", "make", "moving-squares", "-o", "noisy" + seed + ".h5", "--shifted", "clean" + seed + ".h5",
             "--count", "10", "--seed", seed});
    }
    std::ofstream(folder.path("c.toml"))
        << "[data]\npath = \"noisy1.h5\"\ntarget_path = \"clean1.h5\"\ninput_steps = 15\noutput_steps = 1\n"
           "[model]\nstrategy = \"next-frame\"\n[[model.layers]]\nfilters = 2\n"
           "[train]\nepochs = 1\n[eval]\nmin_input_steps = 2\n";
    run({"train", "-c", "c.toml", "-o", "run", "--threads", "1"});
    const auto scores = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"evaluate", "-m", "run", "--json", "-"});
        return nlohmann::json::parse(run(words));
    };
    const auto own = scores({"-i", "noisy1.h5"});
    CHECK(own["windows"] == 14);  // one test movie, after 2 to 15 frames
    CHECK(own["comparisons"][0]["baseline"].is_string());
    CHECK(scores({"-i", "noisy2.h5", "--target", "clean2.h5"})["windows"] == 140);
    check_failure(folder, {"evaluate", "-m", "run", "-i", "noisy2.h5"}, 2, {"trained on pairs", "--target FILE"});
    run({"predict", "-m", "run", "-i", "noisy2.h5", "-o", "forecast"});
}

TEST_CASE("units of old files do not break reports") {
    const TemporaryFolder folder;
    nowcell::write_hdf5(folder.path("d.h5"),
                        {{"/frames",
                          at::rand({2, 6, 12, 12}),
                          {},
                          {{"units", std::string("\xB0"
                                                 "C")}}}},
                        {});
    const Outcome info = run_nowcell({"data", "info", "d.h5", "--json", "-"}, folder.path());
    INFO(info.err);
    REQUIRE(info.code == 0);
    CHECK(nlohmann::json::parse(info.out).at("units") ==
          "\xC2\xB0"
          "C");
}

TEST_CASE("bad models end with code 4, bad devices with 5, existing outputs with 7") {
    const Workshop shop;
    check_failure(shop.folder, {"predict", "-m", "nowhere", "-i", "d.h5", "-o", "p"}, 4, {"nowhere"});
    check_failure(shop.folder, {"predict", "-m", "d.h5", "-i", "d.h5", "-o", "p"}, 4, {"not a nowcell checkpoint"});
    write_frames(shop.folder.path("rgb.h5"), at::rand({2, 6, 12, 12, 3}));
    check_failure(shop.folder, {"predict", "-m", "run", "-i", "rgb.h5", "-o", "p"}, 3, {"1 channel", "has 3"});
    check_failure(shop.folder, {"predict", "-m", "run", "-i", "d.h5", "-o", "p", "--start", "4"}, 3,
                  {"--start 0 to 3"});
    check_failure(shop.folder, {"evaluate", "-m", "run", "-i", "d.h5", "--device", "cuda:77"}, 5, {"--device cpu"});
    check_failure(shop.folder, {"evaluate", "-m", "run", "-i", "d.h5", "--device", "tpu"}, 2, {"unknown device 'tpu'"});
    check_failure(shop.folder, {"train", "-c", "c.toml", "-o", "run"}, 7, {"run exists", "--force"});
    std::filesystem::create_directory(shop.folder.path("p"));
    std::ofstream(shop.folder.path("p/strip.png")) << "mine";
    check_failure(shop.folder, {"predict", "-m", "run", "-i", "d.h5", "-o", "p"}, 7, {"p/strip.png exists"});
    check_failure(shop.folder, {"evaluate", "-m", "run", "-i", "d.h5", "--json", "c.toml"}, 7, {"c.toml exists"});
    check_failure(shop.folder, {"data", "make", "bouncing-digits", "-o", "d.h5"}, 7, {"d.h5 exists"});
    check_failure(shop.folder, {"predict", "-m", "run", "-i", "d.h5", "-o", "d.h5/p"}, 7, {});
}

TEST_CASE("a run directory holds what is promised, and its config trains again") {
    const Workshop shop;
    for (const char* name : {"config.toml", "metrics.csv", "checkpoints/best.safetensors",
                             "checkpoints/last.safetensors", "loss.png", "validation.png"}) {
        CHECK(std::filesystem::exists(shop.folder.path(std::string("run/") + name)));
    }
    const Outcome again = run_nowcell(
        {"train", "-c", "run/config.toml", "-o", "again", "--threads", "1", "--json", "-"}, shop.folder.path());
    INFO(again.err);
    REQUIRE(again.code == 0);
    CHECK(nlohmann::json::parse(again.out).at("schema") == "nowcell.train/1");
    const auto numbers = [&](const std::string& name) {  // without the columns that hold times
        std::istringstream in(text_of(shop.folder.path(name)));
        std::string all;
        for (std::string line; std::getline(in, line);) {
            std::size_t at = 0;
            for (int i = 0; i < 6; ++i) at = line.find(',', at) + 1;
            all += line.substr(0, at) + "\n";
        }
        return all;
    };
    CHECK(numbers("run/metrics.csv") == numbers("again/metrics.csv"));
    CHECK_FALSE(holds(again.err, "\r"));
    CHECK_FALSE(holds(again.err, "\x1b"));
}

TEST_CASE("predict writes a forecast that reads as data, without needing later frames") {
    const Workshop shop;
    const Outcome outcome =
        run_nowcell({"predict", "-m", "run", "-i", "d.h5", "--horizon", "5", "-o", "p"}, shop.folder.path());
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(outcome.out == "p/forecast.h5\np/strip.png\np/forecast.gif\n");
    CHECK(tree(shop.folder.path("p")).size() == 3);
    CHECK(text_of(shop.folder.path("p/forecast.gif")).substr(0, 6) == "GIF89a");
    const Outcome info =
        run_nowcell({"data", "info", "p/forecast.h5", "--dataset", "/frames", "--json", "-"}, shop.folder.path());
    REQUIRE(info.code == 0);
    const auto report = nlohmann::json::parse(info.out);
    CHECK(report.at("shape") == std::vector<int>{20, 5, 12, 12});
    CHECK(report.at("missing") == 0);
    const Outcome earlier = run_nowcell(
        {"predict", "-m", "run/checkpoints/last.safetensors", "-i", "d.h5", "--start", "0", "-o", "q", "--no-pictures"},
        shop.folder.path());
    CHECK(earlier.code == 0);
    CHECK(tree(shop.folder.path("q")) == std::vector<std::string>{"forecast.h5"});
}

TEST_CASE("a forecast in tiles is that of whole frames") {
    const Workshop shop;
    const auto forecast = [&](const std::string& folder, const std::vector<std::string>& more) {
        std::vector<std::string> words = {"predict", "-m", "run", "-i", "d.h5", "-o", folder, "--no-pictures"};
        words.insert(words.end(), more.begin(), more.end());
        const Outcome outcome = run_nowcell(words, shop.folder.path());
        INFO(outcome.err);
        REQUIRE(outcome.code == 0);
        nowcell::SourceOptions options;
        options.path = shop.folder.path(folder + "/forecast.h5");
        options.dataset = "/frames";
        options.trust = "direct";
        return nowcell::open_source(options)->read(0, 0, 3);
    };
    const torch::Tensor whole = forecast("whole", {});
    CHECK((forecast("tiled", {"--tile", "5x7"}) - whole).abs().max().item<double>() <= 1e-6);
    CHECK((forecast("square", {"--tile", "4"}) - whole).abs().max().item<double>() <= 1e-6);
    for (const char* nonsense : {"-4", "5y7", "5x", "1.5", "5x6x7"}) {
        check_failure(shop.folder, {"predict", "-m", "run", "-i", "d.h5", "-o", "p", "--tile", nonsense}, 2,
                      {"eval.tile", "[height, width]"});
    }
}

TEST_CASE("evaluate scores the run's own test part, other data whole, and says which") {
    const Workshop shop;
    const Outcome own =
        run_nowcell({"evaluate", "-m", "run", "-i", "d.h5", "--json", "e.json", "--csv", "e.csv"}, shop.folder.path());
    INFO(own.err);
    REQUIRE(own.code == 0);
    CHECK(holds(own.out, "split test (the run's own data"));
    const auto report = nlohmann::json::parse(text_of(shop.folder.path("e.json")));
    CHECK(report.at("split") == "test");
    CHECK(report.at("windows") == 2);
    std::vector<std::string> names;
    for (const auto& row : report.at("rows")) {
        if (row.at("metric") == "mae" && row.at("lead") == "all") names.push_back(row.at("forecaster"));
    }
    CHECK(names == std::vector<std::string>{"model", "persistence", "climatology", "linear-trend", "optical-flow",
                                            "farneback", "s-prog"});
    CHECK(holds(text_of(shop.folder.path("e.csv")),
                "forecaster,metric,threshold,scale,lead,unit,value\nmodel,mae,,,all,"));

    write_frames(shop.folder.path("other.h5"), at::rand({3, 8, 12, 12}));
    const Outcome other = run_nowcell({"evaluate", "-m", "run", "-i", "other.h5", "--json", "-"}, shop.folder.path());
    REQUIRE(other.code == 0);
    const auto foreign = nlohmann::json::parse(other.out);
    CHECK(foreign.at("split") == "all");
    CHECK(foreign.at("windows") == 9);
}

TEST_CASE("a full disk ends with code 7 and leaves the earlier files intact") {
    const Workshop shop;
    const std::string disk = shop.folder.path("disk");
    std::filesystem::create_directory(disk);
    if (::geteuid() != 0 || ::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=96k") != 0) {
        WARN("skipped: cannot mount a small file system here");
        return;
    }
    struct Unmount {
        std::string path;
        ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
    };
    const Unmount unmount{disk};
    std::ofstream(disk + "/mine.txt") << "keep me";
    check_failure(shop.folder, {"data", "make", "bouncing-digits", "-o", "disk/big.h5"}, 7, {"disk/big.h5"});
    check_failure(shop.folder, {"predict", "-m", "run", "-i", "d.h5", "--horizon", "200", "-o", "disk/p"}, 7,
                  {"disk/p"});
    check_failure(shop.folder,
                  {"train", "-c", "c.toml", "-o", "disk/new", "--set", "model.layers[0].filters=64", "--threads", "1"},
                  7, {"disk/new"});
    // A run that starts to fit and then does not: its last complete checkpoint stays readable.
    std::filesystem::create_directories(disk + "/run/checkpoints");
    std::filesystem::copy(shop.folder.path("run/checkpoints/best.safetensors"),
                          disk + "/run/checkpoints/best.safetensors");
    std::ofstream(disk + "/filler") << std::string(60000, 'x');
    const std::string before = text_of(disk + "/run/checkpoints/best.safetensors");
    const Outcome outcome = run_nowcell(
        {"train", "-c", "c.toml", "-o", "disk/run", "--force", "--set", "model.layers[0].filters=24", "--threads", "1"},
        shop.folder.path());
    INFO(outcome.err);
    CHECK(outcome.code == 7);
    CHECK(text_of(disk + "/run/checkpoints/best.safetensors") == before);
    for (const std::string& name : tree(disk)) CHECK_FALSE(holds(name, ".tmp."));
    CHECK(text_of(disk + "/mine.txt") == "keep me");
}

TEST_CASE("doctor finds that the program computes what Keras computes") {
    const Outcome outcome = run_nowcell({"doctor", "--json", "-", "--device", "cpu"});
    INFO(outcome.out);
    REQUIRE(outcome.code == 0);
    const auto report = nlohmann::json::parse(outcome.out);
    CHECK(report.at("schema") == "nowcell.doctor/2");
    CHECK(report.at("ok") == true);
    std::string names;
    for (const auto& finding : report.at("findings")) {
        INFO(finding);
        names += finding.at("name").get<std::string>() + ",";
        CHECK(finding.at("state") != "FAIL");
        CHECK((finding.at("state") == "PASS" || !finding.at("remedy").get<std::string>().empty()));
    }
    for (const char* name :
         {"CPU", "LibTorch", "NVIDIA driver", "self-test on cpu", "HDF5", "file locking", "OpenCV"}) {
        INFO(name << " in " << names);
        CHECK(holds(names, std::string(name) + ","));
    }
}

TEST_CASE("doctor compares a configuration with its data") {
    const Workshop shop;
    std::ofstream(shop.folder.path("long.toml")) << "[data]\npath = \"d.h5\"\ninput_steps = 900\n[[model.layers]]\n";
    const auto findings = [&](const std::string& config, int code) {
        const Outcome outcome =
            run_nowcell({"doctor", "--device", "cpu", "-c", config, "--json", "-"}, shop.folder.path());
        INFO(outcome.out << outcome.err);
        CHECK(outcome.code == code);
        return outcome.out;
    };
    const std::string good = findings("c.toml", 0);
    CHECK(holds(good, "recordings of up to"));
    CHECK(holds(good, "parameters"));
    CHECK(holds(findings("long.toml", 5), "a window needs"));
    std::ofstream(shop.folder.path("lost.toml")) << "[data]\npath = \"lost.h5\"\n[[model.layers]]\n";
    CHECK(holds(findings("lost.toml", 5), "lost.h5"));
}

TEST_CASE("check finds every engine of the CPU within what is allowed") {
    const Outcome outcome = run_nowcell({"check", "--device", "cpu", "--json", "-"});
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    const auto report = nlohmann::json::parse(outcome.out);
    CHECK(report.at("schema") == "nowcell.check/1");
    CHECK(report.at("ok") == true);
    CHECK(report.at("failed") == 0);
    CHECK(report.at("passed") >= 60);
    bool asked_for_more = false;
    for (const auto& row : report.at("rows")) {
        INFO(row);
        CHECK(row.at("h_rel") > 0.0);  // no engine is float64
        CHECK(row.at("h_rel") <= row.at("allowed"));
        CHECK(row.at("d_input_rel") <= row.at("allowed"));
        CHECK_FALSE(row.at("computed_by").get<std::string>().empty());
        if (row.at("state") == "NOT RUN") {
            asked_for_more = true;
            CHECK(holds(row.at("computed_by"), ": "));  // and why
        }
        CHECK((row.at("state") == "NOT RUN" || holds(row.at("computed_by"), row.at("engine").get<std::string>())));
    }
    CHECK((asked_for_more || report.at("rows")[0].at("engine") == "reference"));
    const TemporaryFolder folder;
    check_failure(folder, {"check", "--device", "cuda:99"}, 5, {"--device cpu", "nowcell doctor"});
    check_failure(folder, {"check", "--device", "tpu"}, 2, {"tpu"});
}

TEST_CASE("a training step keeps no more than it says") {
    const Outcome outcome = run_nowcell({"bench", "memory", "--json", "-"});
    REQUIRE(outcome.code == 0);
    const auto report = nlohmann::json::parse(outcome.out);
    CHECK(report.at("schema") == "nowcell.bench_memory/1");
    REQUIRE(report.at("rows").size() == 7);
    for (const auto& row : report.at("rows")) {
        INFO(row);
        const std::string memory = row.at("memory");
        const double most = memory == "plain" ? 14.0 : memory == "store" ? 8.5 : memory == "recompute" ? 4.5 : 3.5;
        CHECK(row.at("floats_per_unit_step") <= most);
        CHECK(row.at("floats_per_unit_step") >= 2.9);  // h and its gradient, and that of x, cannot be spared
        CHECK(row.at("grad_rel_error") <= 1e-4);
    }
}

TEST_CASE("the cells are timed beside the plain cell, with errors within their bounds") {
    const Outcome outcome =
        run_nowcell({"bench", "cells", "--config", "tiny", "--rounds", "1", "--threads", "1", "--json", "-"});
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    const auto report = nlohmann::json::parse(outcome.out);
    CHECK(report.at("schema") == "nowcell.bench_cells/1");
    CHECK(report.at("cpu").is_string());
    CHECK((report.at("peak_gflops").is_null() == (report.at("isa") == "plain")));
    REQUIRE(report.at("rows").size() == 2);
    for (const auto& row : report.at("rows")) {
        INFO(row);
        CHECK(row.at("config") == "tiny");
        CHECK(row.at("threads") == 1);
        CHECK_FALSE(row.at("engine").get<std::string>().empty());
        CHECK(row.at("ratio").is_number());  // NaN and Inf would be null
        CHECK(row.at("gflops").is_number());
        CHECK(row.at("max_abs_error") > 0.0);  // float32 is not float64
        CHECK(row.at("max_abs_error") <= 1e-4);
    }
    const auto& inference = report.at("rows")[0];
    const auto& training = report.at("rows")[1];
    CHECK(inference.at("direction") == "inference");
    CHECK(inference.at("grad_rel_error").is_null());
    CHECK(training.at("direction") == "training");
    CHECK(training.at("grad_rel_error") > 0.0);
    CHECK(training.at("grad_rel_error") <= 5e-5);
}

TEST_CASE("the guard of speed ends with code 10 exactly when a row is under its bar") {
    // The reference has no kernels of ours to be fast with.
    const Outcome outcome = run_nowcell(
        {"bench", "cells", "--guard", "--config", "tiny", "--rounds", "1", "--algorithm", "reference", "--json", "-"});
    INFO(outcome.err);
    const auto report = nlohmann::json::parse(outcome.out);
    bool slow = false;
    for (const auto& row : report.at("rows")) {
        CHECK(row.at("engine") == "reference");
        CHECK(row.contains("least_ratio") == (report.at("isa") == "avx512"));
        if (row.contains("least_ratio")) slow = slow || row.at("ratio") < row.at("least_ratio");
    }
    CHECK(outcome.code == (slow ? 10 : 0));
    CHECK(holds(outcome.err, "expected at least") == slow);
    CHECK(holds(outcome.err, "nothing is judged") == (report.at("isa") != "avx512"));
}

TEST_CASE("what bench cells cannot time is a usage error that lists what it can") {
    const TemporaryFolder folder;
    const auto check = [&](const std::vector<std::string>& words, const std::vector<std::string>& parts) {
        std::vector<std::string> all = {"bench", "cells"};
        all.insert(all.end(), words.begin(), words.end());
        check_failure(folder, all, 2, parts);
    };
    check({"--config", "b3,tinny"}, {"got 'tinny'", "a, b3, b5, c, k1, tiny", "did you mean 'tiny'?"});
    check({"--config", "a,,c"}, {"got ''"});
    check({"--threads", "1,x"}, {"got 'x'", "from 1 to 1024"});
    check({"--threads", "0"}, {"got '0'"});
    check({"--rounds", "0"}, {"--rounds"});
    check({"--algorithm", "fft"}, {"got 'fft'", "winograd-fast"});
    check({"--guard", "--threads", "2"}, {"--guard", "leave --threads away"});
}

TEST_CASE("layers with options go from the configuration to a forecast") {
    const Workshop shop;
    const auto run = [&](std::vector<std::string> words) {
        const std::string command = words[0];
        const Outcome outcome = run_nowcell(std::move(words), shop.folder.path());
        INFO(command << "\n" << outcome.err);
        REQUIRE(outcome.code == 0);
        return outcome;
    };
    std::ofstream(shop.folder.path("layers.toml"))
        << kConfig << "kernel = [3, 4]\nstride = 2\ngate_norm = \"frame\"\ndropout = 0.2\n"
        << "[[model.layers]]\ncell = \"conv_gru\"\nfilters = 2\n";
    run({"train", "-c", "layers.toml", "-o", "tied", "--threads", "1", "--set", "model.layers[1].reset=before"});
    CHECK(holds(text_of(shop.folder.path("tied/config.toml")), "kernel = [3, 4]"));
    run({"predict", "-m", "tied", "-i", "d.h5", "-o", "p", "--no-pictures"});
    check_failure(shop.folder, {"predict", "-m", "tied", "-i", "d.h5", "-o", "q", "--tile", "8"}, 2,
                  {"in tiles", "model.layers[0].gate_norm = \"frame\"", "hint: "});
    const Outcome once = run({"evaluate", "-m", "tied", "-i", "d.h5"});
    CHECK(run({"evaluate", "-m", "tied", "-i", "d.h5"}).out == once.out);
    // A checkpoint's own configuration trains again.
    run({"train", "-c", "tied/config.toml", "-o", "again", "--threads", "1"});

    write_frames(shop.folder.path("wide.h5"), at::rand({20, 6, 12, 16}));
    check_failure(shop.folder, {"predict", "-m", "tied", "-i", "wide.h5", "-o", "q"}, 3,
                  {"frames of 12x16", "model.layers[0].gate_norm = \"frame\"", "expected 12x12", "wide.h5", "hint: "});
    check_failure(shop.folder, {"evaluate", "-m", "tied", "-i", "wide.h5"}, 3, {"frames of 12x16", "expected 12x12"});
    run({"evaluate", "-m", "run", "-i", "wide.h5"});

    const auto train = [](const std::string& assignment) {
        return std::vector<std::string>{"train", "-c", "c.toml", "-o", "new", "--set", "model.layers[0]." + assignment};
    };
    std::vector<std::string> words = train("kernel=13");
    words.insert(words.end(), {"--set", "model.layers[0].padding=valid"});
    check_failure(shop.folder, words, 3,
                  {"frames of 12x12 are too small", "model.layers[0].padding", "expected at least 13x13", "d.h5"});
    check_failure(shop.folder, train("reset=before"), 2, {"an option of cell \"conv_gru\"", "reset=before"});
    check_failure(shop.folder, train("activation=than"), 2, {"did you mean 'tanh'?"});
    check_failure(shop.folder, train("peepholes=pixel"), 2, {"did you mean 'model.layers[].peephole'?"});
}

TEST_CASE("config show prints what train would use") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("c.toml")) << kConfig;
    const Outcome outcome = run_nowcell({"config", "show", "-c", "c.toml", "--set", "train.epochs=9"}, folder.path());
    CHECK(outcome.code == 0);
    CHECK(holds(outcome.out, "epochs = 9  # --set train.epochs=9"));
    CHECK(holds(outcome.out, "filters = 3  # c.toml:"));
}
