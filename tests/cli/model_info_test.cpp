// model info, config presets and config init, from outside.
#include "data/write/hdf5_io.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <fstream>

namespace {

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("config presets lists what config init writes, and what it writes is a configuration") {
    const TemporaryFolder folder;
    const Outcome list = run_nowcell({"config", "presets"}, folder.path());
    CHECK(list.code == 0);
    CHECK(holds(list.out, "moving-mnist"));
    CHECK(run_nowcell({"config", "init", "moving-mnist", "--output", "my.toml"}, folder.path()).code == 0);
    CHECK(run_nowcell({"config", "init", "moving-mnist", "--output", "my.toml"}, folder.path()).code == 7);
    const Outcome shown = run_nowcell({"config", "show", "--config", "my.toml"}, folder.path());
    CHECK(shown.code == 0);
    CHECK(holds(shown.out, "norm = \"batch_keras\"  # my.toml:"));
    const Outcome none = run_nowcell({"config", "init", "moving-minst"}, folder.path());
    CHECK(none.code == 2);
    CHECK(holds(none.err, "no preset 'moving-minst'"));
    CHECK(holds(none.err, "moving-mnist"));
}

TEST_CASE("model info says what a preset, a configuration and a trained model are made of") {
    const TemporaryFolder folder;
    const Outcome preset = run_nowcell({"model", "info", "--preset", "openstl-convlstm-s"}, folder.path());
    INFO(preset.err);
    CHECK(preset.code == 0);
    CHECK(holds(preset.out, "11,675,648"));
    CHECK(holds(preset.out, "56.790 GMAC"));
    const Outcome json = run_nowcell({"model", "info", "--preset", "colour-images", "--size", "48x32", "--channels",
                                      "5", "--batch", "3", "--set", "model.layers[1].filters=16", "--json", "-"},
                                     folder.path());
    REQUIRE(json.code == 0);
    const auto report = nlohmann::json::parse(json.out);
    CHECK(report["schema"] == "nowcell.model_info/1");
    CHECK(report["frame"] == nlohmann::json({5, 48, 32}));
    CHECK(report["batch"] == 3);
    CHECK(report["parts"][0]["reads"] == nlohmann::json({20, 24, 16}));
    CHECK(report["memory_bytes"]["weights"] == 4 * report["parameters"].get<std::int64_t>());

    // From a file: sizes from the flags, else from its data.
    write_text(folder.path("my.toml"),
               "[data]\npath = \"d.h5\"\ninput_steps = 3\noutput_steps = 2\n[train]\nepochs = 1\nbatch = 4\n"
               "[model]\npatch = 2\n[[model.layers]]\nfilters = 3\nnorm = \"batch\"\n");
    CHECK(run_nowcell({"model", "info", "--config", "my.toml", "--size", "8x8"}, folder.path()).code == 0);
    CHECK(run_nowcell({"model", "info", "--config", "my.toml"}, folder.path()).code == 3);
    nowcell::write_hdf5(folder.path("d.h5"), {{"/frames", at::rand({120, 12, 10}), {}, {}}}, {});
    const Outcome data = run_nowcell({"model", "info", "--config", "my.toml"}, folder.path());
    INFO(data.err);
    CHECK(holds(data.out, "frames of 1x12x10"));
    const Outcome odd = run_nowcell({"model", "info", "--config", "my.toml", "--size", "9x8"}, folder.path());
    CHECK(odd.code == 3);
    CHECK(holds(odd.err, "no multiple of model.patch = 2"));

    // A checkpoint tells its own sizes, and has as many parameters as are said.
    REQUIRE(run_nowcell({"train", "--config", "my.toml", "--output", "run"}, folder.path()).code == 0);
    const Outcome trained = run_nowcell({"model", "info", "--model", "run", "--json", "-"}, folder.path());
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    const auto said = nlohmann::json::parse(trained.out);
    CHECK(said["frame"] == nlohmann::json({1, 12, 10}));
    CHECK(said["statistics"] == 6);
    CHECK(run_nowcell({"evaluate", "--model", "run", "--input", "d.h5"}, folder.path()).code == 0);
}

TEST_CASE("model info refuses what does not say which network or which frames") {
    const TemporaryFolder folder;
    const auto said = [&](const std::vector<std::string>& words) {
        std::vector<std::string> all = {"model", "info"};
        all.insert(all.end(), words.begin(), words.end());
        const Outcome outcome = run_nowcell(all, folder.path());
        CHECK(outcome.code == 2);
        return outcome.err;
    };
    CHECK(holds(said({}), "expected one"));
    CHECK(holds(said({"--preset", "moving-mnist", "--model", "run"}), "got 2 of --config, --model and --preset"));
    CHECK(holds(said({"--preset", "mnist-moving"}), "no preset"));
    CHECK(holds(said({"--preset", "moving-mnist", "--size", "64"}), "expected HEIGHTxWIDTH"));
    CHECK(holds(said({"--preset", "moving-mnist", "--size", "0x64"}), "expected HEIGHTxWIDTH"));
}

TEST_CASE("a leaking head is said to leak, by train and by model info") {
    const TemporaryFolder folder;
    write_text(folder.path("my.toml"),
               "[data]\npath = \"d.h5\"\ninput_steps = 3\noutput_steps = 2\n[train]\nepochs = 1\nbatch = 4\n"
               "[model]\nstrategy = \"next-frame\"\nhead = \"conv3d\"\ntime_padding = \"same\"\n"
               "[[model.layers]]\nfilters = 3\n");
    nowcell::write_hdf5(folder.path("d.h5"), {{"/frames", at::rand({120, 8, 8}), {}, {}}}, {});
    const Outcome info = run_nowcell({"model", "info", "--config", "my.toml"}, folder.path());
    CHECK(holds(info.out, "time_padding = \"same\" leaks"));
    const Outcome leaking = run_nowcell({"train", "--config", "my.toml", "--output", "run"}, folder.path());
    CHECK(leaking.code == 0);
    CHECK(holds(leaking.err, "model.time_padding = \"same\" leaks"));
    const Outcome causal = run_nowcell(
        {"train", "--config", "my.toml", "--set", "model.time_padding=causal", "--output", "causal"}, folder.path());
    CHECK(causal.code == 0);
    CHECK_FALSE(holds(causal.err, "leaks"));
    // Values that the head cannot give are refused when the data are known.
    const Outcome range =
        run_nowcell({"train", "--config", "my.toml", "--set", "model.output_activation=sigmoid", "--set",
                     "data.normalize=none", "--set", "model.time_padding=causal", "--output", "ranged"},
                    folder.path());
    CHECK(range.code == 0);
    nowcell::write_hdf5(folder.path("e.h5"), {{"/frames", at::rand({120, 8, 8}) * 9.0, {}, {}}}, {});
    const Outcome wide = run_nowcell(
        {"train", "--config", "my.toml", "--set", "model.output_activation=sigmoid", "--set", "data.normalize=none",
         "--set", "data.path=e.h5", "--set", "model.time_padding=causal", "--output", "wide"},
        folder.path());
    CHECK(wide.code == 2);
    CHECK(holds(wide.err, "gives 0 to 1, but the normalised frames go from"));
}
