// predict as users type it: many inputs, formats, contexts.
#include "data/write/hdf5_io.h"
#include "predict/forecaster.h"
#include "src/checkpoint.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <filesystem>
#include <fstream>

using namespace nowcell;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kHeight = 12, kWidth = 10;

struct Workshop {
    Workshop() {
        const Config config = Config::parse("[[model.layers]]\nfilters = 3\n", "small",
                                            {"data.path=memory", "data.input_steps=4", "data.output_steps=3"});
        at::manual_seed(1);
        const TrainedOn on{1, kHeight, kWidth, "1", 0.0, "memory", "/frames", ""};
        Checkpoint checkpoint;
        Forecaster{config,       make_sequence_model(1, ModelOptions::from(config), on.frame()),
                   Normalizer{}, BaselineOptions{0, 0.9, at::zeros({1, kHeight, kWidth}), 0.0},
                   on,           torch::kCPU}
            .put(checkpoint);
        checkpoint.save(folder.path("model.safetensors"));
        fs::create_directory(folder.path("days"));
        for (const char* name : {"days/day2.h5", "days/day10.h5", "one.h5"}) {
            write_hdf5(folder.path(name), {{"/frames", at::rand({7, kHeight, kWidth}), {}, {}}}, {});
        }
        std::ofstream(folder.path("days/day3.h5")) << "no frames";
    }

    Outcome predict(const std::vector<std::string>& words) const {
        std::vector<std::string> all = {"predict", "-m", "model.safetensors", "--threads", "1"};
        all.insert(all.end(), words.begin(), words.end());
        return run_nowcell(all, folder.path());
    }

    torch::Tensor forecast(const std::string& path) const { return read_hdf5(folder.path(path), "/frames"); }

    TemporaryFolder folder;
};

}  // namespace

TEST_CASE("many inputs: each gets a folder, a broken one is reported and the others go on") {
    const Workshop shop;
    const Outcome all =
        shop.predict({"-i", "days/*.h5", "-i", "one.h5", "-o", "out", "--as", "h5", "--json", "r.json"});
    INFO(all.err);
    CHECK(all.code == 3);
    CHECK(holds(all.err, "days/day3.h5"));
    CHECK(holds(all.err, "3 of 4 inputs forecast, 1 failed"));
    CHECK(all.out == "out/day2/forecast.h5\nout/day10/forecast.h5\nout/one/forecast.h5\n");  // in natural order
    CHECK(tree(shop.folder.path("out")) ==
          std::vector<std::string>{"day10", "day10/forecast.h5", "day2", "day2/forecast.h5", "one", "one/forecast.h5"});
    std::ifstream in(shop.folder.path("r.json"));
    const auto report = nlohmann::json::parse(in);
    CHECK(report.at("written") == 3);
    CHECK(report.at("failed") == 1);
    CHECK(report.at("inputs")[1].at("status") == "failed");
    CHECK(report.at("inputs")[1].at("exit_code") == 3);
    // Each is what it would be alone.
    REQUIRE(shop.predict({"-i", "days/day2.h5", "-o", "alone", "--no-pictures"}).code == 0);
    CHECK(at::equal(shop.forecast("alone/forecast.h5"), shop.forecast("out/day2/forecast.h5")));

    const Outcome again = shop.predict({"-i", "days/*.h5", "-o", "out", "--as", "h5"});
    CHECK(again.code == 7);
    CHECK(holds(again.err, "out/day2/forecast.h5 exists"));
    fs::remove(shop.folder.path("out/day10/forecast.h5"));
    const Outcome rest = shop.predict({"-i", "days/*.h5", "-o", "out", "--as", "h5", "--skip-existing"});
    CHECK(rest.code == 3);
    CHECK(rest.out == "out/day10/forecast.h5\n");
    CHECK(holds(rest.err, "1 of 3 inputs forecast, 1 passed over, 1 failed"));
}

TEST_CASE("where every input fails nothing is left behind") {
    const Workshop shop;
    const std::vector<std::string> before = tree(shop.folder.path());
    const Outcome none = shop.predict({"-i", "days/day3.h5", "-i", "absent.h5", "-o", "out"});
    CHECK(none.code == 3);
    CHECK(none.out.empty());
    CHECK(tree(shop.folder.path()) == before);
    CHECK(shop.predict({"-i", "nothing/*.h5", "-o", "out"}).code == 2);
    CHECK(shop.predict({"-i", "one.h5", "-i", "./one.h5", "-o", "out"}).code == 2);
    CHECK(shop.predict({"-i", "one.h5", "-o", "out", "--as", "h5,tiff"}).code == 2);
    CHECK(shop.predict({"-i", "one.h5", "-o", "out", "--as", "h5", "--no-pictures"}).code == 2);
    CHECK(tree(shop.folder.path()) == before);
}

TEST_CASE("a forecast comes in every format that is asked for") {
    const Workshop shop;
    const Outcome all =
        shop.predict({"-i", "one.h5", "-o", "out", "--horizon", "5", "--as", "mp4,gif,strip,png,npy,h5"});
    INFO(all.err);
    REQUIRE(all.code == 0);
    CHECK(all.out == "out/forecast.h5\nout/forecast.npy\nout/png\nout/strip.png\nout/forecast.gif\nout/forecast.mp4\n");
    CHECK(tree(shop.folder.path("out")).size() == 6 + 6);
    // A shorter forecast in its place leaves no lead time of the longer one.
    REQUIRE(shop.predict({"-i", "one.h5", "-o", "out", "--horizon", "2", "--as", "png", "--force"}).code == 0);
    CHECK(tree(shop.folder.path("out/png")) ==
          std::vector<std::string>{"lead_0001.png", "lead_0002.png", "scale.json"});
    // What begins the same is the same.
    REQUIRE(shop.predict({"-i", "one.h5", "-o", "long", "--horizon", "500", "--as", "h5"}).code == 0);
    CHECK(at::equal(shop.forecast("long/forecast.h5").narrow(1, 0, 5), shop.forecast("out/forecast.h5")));
}

TEST_CASE("predict --context all reads every frame of a recording, --context window the last") {
    const Workshop shop;
    const torch::Tensor frames = read_hdf5(shop.folder.path("one.h5"), "/frames");
    write_hdf5(shop.folder.path("last.h5"), {{"/frames", frames.narrow(0, 3, 4).clone(), {}, {}}}, {});
    const auto made = [&](const std::string& input, const std::string& context, const std::string& output) {
        const Outcome outcome = shop.predict({"-i", input, "-o", output, "--as", "h5", "--context", context});
        INFO(outcome.err);
        REQUIRE(outcome.code == 0);
        return shop.forecast(output + "/forecast.h5");
    };
    const torch::Tensor window = made("one.h5", "window", "a");
    CHECK(at::equal(made("last.h5", "window", "b"), window));
    const torch::Tensor whole = made("one.h5", "all", "c");
    CHECK_FALSE(at::equal(whole, window));
    CHECK(at::allclose(made("last.h5", "all", "d"), window, 1e-5, 1e-6));  // the last frames are all there are
    // A recording that is shorter than the input is read too.
    write_hdf5(shop.folder.path("short.h5"), {{"/frames", frames.narrow(0, 0, 2).clone(), {}, {}}}, {});
    CHECK(made("short.h5", "all", "e").size(1) == 3);
    CHECK(shop.predict({"-i", "short.h5", "-o", "f"}).code == 3);
}
