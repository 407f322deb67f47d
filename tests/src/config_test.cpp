#include "src/config.h"
#include "src/error.h"
#include "src/model_options.h"

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <cmath>
#include <fstream>

using nowcell::Config;
using nowcell::Error;
using nowcell::ExitCode;

namespace {

const std::string kSmall = "[data]\npath = \"a.h5\"\n[[model.layers]]\nfilters = 8\n";

std::string failure(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
        Config::parse(text, "exp.toml", overrides);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::usage);
        return error.block("nowcell");
    }
    return "";
}

}  // namespace

TEST_CASE("an unknown key names the nearest one with line, column and caret") {
    const std::string block = failure(kSmall + "[train]\nepochs = 3\nepohcs = 4\n");
    CHECK(holds(block, "error: unknown key 'train.epohcs'"));
    CHECK(holds(block, "at exp.toml:7:1"));
    CHECK(holds(block, "7 | epohcs = 4"));
    CHECK(holds(block, "did you mean 'train.epochs'?"));
}

TEST_CASE("a key of another tool is translated") {
    CHECK(holds(failure(kSmall + "[optim]\nlearning_rate = 1e-3\n"), "use 'optim.lr'"));
    CHECK(holds(failure(kSmall + "kernel_size = 5\n"), "use 'model.layers[].kernel'"));
}

TEST_CASE("all problems are reported in one pass") {
    const std::string block = failure(kSmall + "[train]\nepochs = \"ten\"\nbatch = 0\nsede = 1\n");
    CHECK(holds(block, "train.epochs must be an integer >= 1, got the string \"ten\""));
    CHECK(holds(block, "train.batch must be an integer >= 1, got 0"));
    CHECK(holds(block, "unknown key 'train.sede'"));
}

TEST_CASE("types, ranges and choices are checked") {
    CHECK(holds(failure(kSmall + "[model]\nhead = \"conv4d\"\n"), "must be one of \"conv2d\", \"conv3d\""));
    CHECK(holds(failure("[data]\npath = 3\n"), "data.path must be a path in quotes, got 3"));
    CHECK(holds(failure(kSmall + "[train]\nmax_time = \"6 parsecs\"\n"), "train.max_time must be a time"));
    CHECK(
        holds(failure(kSmall + "[data.split]\ntrain = [0, \"x\"]\n"), "data.split.train must be an array of numbers"));
    CHECK(holds(failure(kSmall + "[optim]\nlr = nan\n"), "optim.lr must be a number"));
    CHECK(holds(failure("[[model.layers]]\nfilters = 8\n"), "data.path is missing"));
}

TEST_CASE("TOML syntax errors have a position") {
    const std::string block = failure("[data]\npath = \n");
    CHECK(holds(block, "at exp.toml:2:"));
    CHECK(holds(failure("[data]\npath = \"a\"\npath = \"b\"\n"), "exp.toml:3"));
}

TEST_CASE("an override replaces what the file says and is checked like it") {
    const Config config = Config::parse(kSmall, "exp.toml",
                                        {"train.epochs=7", "model.head=conv3d", "model.layers[0].filters=12",
                                         "train.max_time=1h30m", "data.split.test=[0.5,1]"});
    CHECK(config.integer("train.epochs") == 7);
    CHECK(config.text("model.head") == "conv3d");
    CHECK(config.integer("model.layers[0].filters") == 12);
    CHECK(config.number("train.max_time") == 5400.0);
    CHECK(config.numbers("data.split.test") == std::vector<double>{0.5, 1.0});
    CHECK(config.where("train.epochs") == "--set train.epochs=7");
    CHECK(holds(failure(kSmall, {"train.epochs=ten"}), "got the string \"ten\""));
    CHECK(holds(failure(kSmall, {"train.epochs=ten"}), "--set train.epochs=ten"));
    CHECK(holds(failure(kSmall, {"train.epohcs=1"}), "did you mean 'train.epochs'?"));
    CHECK(holds(failure(kSmall, {"nonsense"}), "expected KEY=VALUE"));
    CHECK(holds(failure(kSmall, {"model.layers[3].filters=1"}), "must be 0 to 1"));
    CHECK(holds(failure(kSmall, {"model.layers[].filters=1"}), "the number in brackets"));
    CHECK(holds(failure(kSmall, {"model.layers[x].filters=1"}), "the number in brackets"));
    CHECK(holds(failure(kSmall, {"train.batch=9223372036854775807"}), "train.batch must be an integer >= 1"));
    CHECK(holds(failure(kSmall, {"train.max_time=0s"}), "train.max_time must be a time"));
}

TEST_CASE("every key survives printing and parsing") {
    const Config config =
        Config::parse(kSmall + "kernel = 5\n[[model.layers]]\nfilters = 4\n", "exp.toml",
                      {"optim.lr=0.00123", "data.dataset=we \"quote\" \\ this", "train.max_time=90s"});
    const std::string text = config.toml();
    const Config again = Config::parse(text, "again.toml");
    CHECK(again.toml() == text);
    CHECK(again.per_axis("model.layers[0].kernel") == std::vector<std::int64_t>{5});
    CHECK(again.integer("model.layers[1].filters") == 4);
    CHECK(again.text("data.dataset") == "we \"quote\" \\ this");
    CHECK(holds(config.toml(true), "filters = 4  # exp.toml:"));
    CHECK(holds(config.toml(true), "batch = 16  # default"));
}

TEST_CASE("every default has its key's type and every key is documented") {
    const Config config = Config::parse(kSmall, "exp.toml");
    for (const nowcell::Key& key : nowcell::all_keys()) {
        INFO(key.name);
        CHECK(key.help.size() > 8);
        if (!key.fallback.empty() && key.name.find("[]") == std::string::npos) CHECK(config.has(key.name));
    }
}

TEST_CASE("a relative path counts from the file that names it") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("c.toml")) << kSmall;
    CHECK(Config::load(folder.path("c.toml"), {}).text("data.path") == folder.path("a.h5"));
    std::ofstream(folder.path("absolute.toml")) << "[data]\npath = \"/a.h5\"\n";
    CHECK(Config::load(folder.path("absolute.toml"), {}).text("data.path") == "/a.h5");
}

TEST_CASE("a missing file is not replaced by defaults, and a similar name is offered") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("exp.toml")) << kSmall;
    try {
        Config::load(folder.path("exp.tml"), {});
        FAIL("loaded a file that is not there");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::usage);
        CHECK(holds(error.block("nowcell"), "file not found"));
        CHECK(holds(error.block("nowcell"), "exp.toml?"));
    }
}

TEST_CASE("mutated keys are never accepted") {
    unsigned long long random = test_seed();
    const auto next = [&random] { return random = random * 6364136223846793005ULL + 1442695040888963407ULL; };
    std::vector<std::string> names;
    for (const nowcell::Key& key : nowcell::all_keys()) {
        if (key.name.find("[]") == std::string::npos) names.push_back(key.name);
    }
    for (int i = 0; i < 2000; ++i) {
        std::string name = names[(next() >> 33) % names.size()];
        name[(next() >> 33) % name.size()] = static_cast<char>('a' + static_cast<int>((next() >> 33) % 26));
        const bool known = std::find(names.begin(), names.end(), name) != names.end();
        if (!known) CHECK_THROWS_AS(Config::parse(kSmall, "exp.toml", {name + "=1"}), Error);
    }
}

TEST_CASE("the parts of a network must fit together") {
    const auto reason = [](const std::string& text) {
        try {
            nowcell::ModelOptions::from(Config::parse(text, "exp.toml"));
        } catch (const Error& error) {
            return error.block("nowcell");
        }
        return std::string();
    };
    CHECK(holds(reason("[data]\npath=\"a\"\n"), "model.layers is empty"));
    CHECK(holds(reason("model.layers = []\n[data]\npath=\"a\"\n"), "model.layers is empty"));
    const std::string broken = reason(kSmall + "return_sequences = false\n[[model.layers]]\nfilters = 4\n");
    CHECK(holds(broken, "model.layers[0] returns only its last state, but model.layers[1] needs a sequence"));
    CHECK(holds(broken, "exp.toml:5:1"));
    const std::string anomaly = "[model]\nresidual_on = \"anomaly\"\n";
    CHECK(holds(reason("data.period = 0\ndata.path = \"a\"\n[[model.layers]]\nfilters = 8\n" + anomaly), "needs data.period"));
    CHECK(reason(kSmall + anomaly).empty());  // the data may say it
    CHECK(holds(reason("[model]\nstrategy = \"next-frame\"\nresidual_on = \"persistence\"\n" + kSmall),
                "needs a decoder"));
    CHECK(holds(reason("[model]\noutput_activation = \"sigmoid\"\nresidual_on = \"persistence\"\n" + kSmall),
                "both signs"));
    CHECK(reason(kSmall).empty());
}

TEST_CASE("durations are read in hours, minutes and seconds") {
    CHECK(nowcell::parse_duration("90s") == 90.0);
    CHECK(nowcell::parse_duration("2h30m") == 9000.0);
    CHECK(nowcell::parse_duration("1.5") == 1.5);
    for (const char* bad : {"", "x", "5d", "-3s", "3s-4"}) CHECK(nowcell::parse_duration(bad) < 0.0);
}

TEST_CASE("sizes are read in decimal and binary units") {
    CHECK(nowcell::parse_bytes("1GiB") == 1073741824.0);
    CHECK(nowcell::parse_bytes("500 MB") == 5e8);
    CHECK(nowcell::parse_bytes("64kib") == 65536.0);
    CHECK(nowcell::parse_bytes("4096") == 4096.0);
    CHECK(nowcell::parse_bytes("1.5GB") == 1.5e9);
    for (const char* bad : {"", "x", "5 parsecs", "-1GiB", "GiB"}) CHECK(nowcell::parse_bytes(bad) < 0.0);
}
