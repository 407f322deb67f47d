#include "src/command_line.h"
#include "src/error.h"
#include "src/help.h"

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <dlfcn.h>

#include <set>

using nowcell::Error;
using nowcell::ExitCode;
using nowcell::Request;

namespace {

std::string failure(const std::vector<std::string>& words) {
    try {
        nowcell::parse_command_line(words);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::usage);
        return error.block("nowcell");
    }
    return "";
}

}  // namespace

TEST_CASE("flags are read by their names and aliases, before and after the verb") {
    const Request request =
        nowcell::parse_command_line({"-v", "predict", "-m", "run", "--input=x.h5", "--horizon", "12", "--out", "y"});
    CHECK(request.verb == "predict");
    CHECK(request.verbosity == 1);
    CHECK(request.text("--model") == "run");
    CHECK(request.text("--input") == "x.h5");
    CHECK(request.integer("--horizon") == 12);
    CHECK(request.text("--output") == "y");
    CHECK_FALSE(request.has("--force"));
    CHECK(nowcell::parse_command_line({"predict", "-m", "r", "-i", "x", "-o", "y", "--force", "-q"}).has("--force"));
}

TEST_CASE("a repeatable flag keeps all its values") {
    const Request request =
        nowcell::parse_command_line({"config", "show", "--set", "a.b=1", "--set", "data.split.test=[0.5, 1]"});
    CHECK(request.all("--set") == std::vector<std::string>{"a.b=1", "data.split.test=[0.5, 1]"});
}

TEST_CASE("unknown verbs and flags name the nearest one") {
    CHECK(holds(failure({"trian"}), "unknown command 'trian'"));
    CHECK(holds(failure({"trian"}), "did you mean 'train'?"));
    CHECK(holds(failure({"data", "inof", "x"}), "did you mean 'data info'?"));
    CHECK(holds(failure({"train", "--epohcs", "3"}), "unknown option '--epohcs'"));
    CHECK(holds(failure({"train", "--epohcs", "3"}), "did you mean '--epochs'?"));
    CHECK(holds(failure({"--modle"}), "unknown option '--modle'"));
    CHECK(holds(failure({}), "no command given"));
    CHECK(holds(failure({"data"}), "'data' needs a command after it"));
}

TEST_CASE("missing, superfluous and ill-typed values are refused") {
    CHECK(holds(failure({"train"}), "train needs --config FILE"));
    CHECK(holds(failure({"predict", "--model", "r", "--input", "x"}), "predict needs --output PATH"));
    CHECK(holds(failure({"predict", "--model"}), "--model"));
    const std::vector<std::string> predict = {"predict", "-m", "r", "-i", "x", "-o", "y"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), predict.begin(), predict.end());
        return failure(more);
    };
    CHECK(holds(with({"--horizon", "ten"}), "--horizon must be an integer from 1 to"));
    CHECK(holds(with({"--horizon", "0"}), "--horizon must be an integer from 1 to"));
    CHECK(holds(with({"--threads", "1.5"}), "--threads must be an integer"));
    CHECK(holds(with({"surplus"}), "unexpected word 'surplus'"));
    CHECK(holds(failure({"evaluate", "-m", "r", "-i", "x", "--split", "tset"}), "did you mean 'test'?"));
    CHECK(holds(failure({"data", "make", "bouncing-digit", "-o", "x"}), "did you mean 'bouncing-digits'?"));
    CHECK(holds(failure({"data", "make", "-o", "x"}), "data make needs KIND"));
}

TEST_CASE("help and version come before everything else") {
    CHECK(nowcell::parse_command_line({"--version"}).verb == "version");
    CHECK(nowcell::parse_command_line({"--help"}).verb == "help");
    CHECK(nowcell::parse_command_line({"train", "--help"}).text("[TOPIC]") == "train");
    CHECK(nowcell::parse_command_line({"data", "make", "-h"}).text("[TOPIC]") == "data make");
    CHECK(nowcell::parse_command_line({"data", "--help"}).text("[TOPIC]") == "data");
}

TEST_CASE("every verb has the flags that all have, is documented, and has a handler in the library") {
    const std::string overview = nowcell::help_overview();
    for (const nowcell::Verb& verb : nowcell::all_verbs()) {
        INFO(verb.name);
        std::set<std::string> names;
        for (const nowcell::Flag& flag : verb.flags) {
            INFO(flag.name);
            CHECK(names.insert(flag.name).second);
            CHECK(flag.help.size() > 3);
            CHECK(holds(nowcell::help_verb(verb), flag.name));
        }
        CHECK(names.count("--output") == 1);
        CHECK(names.count("--threads") == 1);
        CHECK(holds(overview, verb.name));
        CHECK_FALSE(verb.examples.empty());
        if (!verb.handler.empty()) CHECK(::dlsym(RTLD_DEFAULT, verb.handler.c_str()) != nullptr);
    }
}

TEST_CASE("examples in the help texts are valid command lines") {
    for (const nowcell::Verb& verb : nowcell::all_verbs()) {
        for (const std::string& example : verb.examples) {
            INFO(example);
            std::vector<std::string> words;
            std::string word;
            for (const char c : example + " ") {
                if (c != ' ') word += c;
                if (c == ' ' && !word.empty()) words.push_back(std::move(word)), word.clear();
            }
            REQUIRE(words.front() == "nowcell");
            words.erase(words.begin());
            CHECK(nowcell::parse_command_line(words).verb == verb.name);
        }
    }
}

TEST_CASE("topics of help") {
    CHECK(holds(nowcell::help_topic("exit-codes"), "143"));
    CHECK(holds(nowcell::help_topic("config"), "train.epochs"));
    CHECK(holds(nowcell::help_topic("data"), "data make"));
    CHECK(holds(nowcell::help_topic("train"), "--config"));
    CHECK_THROWS_AS(nowcell::help_topic("trian"), Error);
    CHECK(holds(nowcell::help_keys("optim"), "optim.lr"));
    CHECK_THROWS_AS(nowcell::help_keys("optmi"), Error);
}
