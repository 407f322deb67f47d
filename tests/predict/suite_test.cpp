#include "predict/suite.h"
#include "src/error.h"

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <fstream>

using namespace nowcell;

namespace {

Suite read(const std::string& text) {
    const TemporaryFolder folder;
    std::ofstream(folder.path("s.toml")) << text;
    return read_suite(folder.path("s.toml"));
}

std::string refusal(const std::string& text) {
    try {
        read(text);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::usage);
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("a suite names models, data and what to score") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("s.toml")) << "title = \"Rain\"\n[[model]]\npath = \"runs/a\"\n[[model]]\nname = \"b\"\n"
                                            "path = \"/abs/run.safetensors\"\n[[data]]\npath = \"radar.h5\"\n"
                                            "split = \"test\"\ndataset = \"/rain\"\n[eval]\nstride = 4\n"
                                            "thresholds = [0.5, 2]\ndialect = \"pysteps\"\n";
    const Suite suite = read_suite(folder.path("s.toml"));
    CHECK(suite.title == "Rain");
    REQUIRE(suite.models.size() == 2);
    CHECK(suite.models[0].name == "a");
    CHECK(suite.models[0].path == folder.path("runs/a"));
    CHECK(suite.models[1].name == "b");
    CHECK(suite.models[1].path == "/abs/run.safetensors");
    REQUIRE(suite.data.size() == 1);
    CHECK(suite.data[0].name == "radar");
    CHECK(suite.data[0].split == "test");
    CHECK(suite.data[0].dataset == "/rain");
    CHECK(suite.overrides ==
          std::vector<std::string>{"eval.stride=4", "eval.dialect=\"pysteps\"", "eval.thresholds=[0.5, 2.0]"});
}

TEST_CASE("what is wrong in a suite is said with its place") {
    const std::string model = "[[model]]\npath = \"a\"\n", data = "[[data]]\npath = \"d\"\n";
    CHECK(holds(refusal(model), "no [[data]] is named"));
    CHECK(holds(refusal(data), "no [[model]] is named"));
    CHECK(holds(refusal(model + model + data), "two of [[model]] are called 'a'"));
    CHECK(holds(refusal(model + data + "name = \"../x\"\n"), "no name for a folder"));
    CHECK(holds(refusal(model + data + "splt = \"test\"\n"), "unknown key 'data[0].splt'"));
    CHECK(holds(refusal("[[model]]\nname = \"x\"\n" + data), "model[0].path is missing"));
    CHECK(holds(refusal(model + data + "split = \"tset\"\n"), "data[0].split must be one of"));
    CHECK(holds(refusal(model + data + "[eval]\nstride = 0\n"), "eval.stride must be an integer"));
    CHECK_THROWS_AS(read_suite("no such file"), Error);
}

TEST_CASE("a path has a name") {
    CHECK(name_of_path("runs/radar") == "radar");
    CHECK(name_of_path("runs/radar/") == "radar");
    CHECK(name_of_path("a/theirs.npy") == "theirs");
    CHECK(name_of_path("radar") == "radar");
}
