#include "src/log.h"
#include "src/error.h"

#include <torch/types.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <fstream>
#include <regex>

using namespace nowcell;

namespace {

std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

// What tests say while they run stays as it was.
struct NarrationGuard {
    ~NarrationGuard() {
        set_narration(Narration::automatic);
        set_verbosity(0);
    }
};

}  // namespace

TEST_CASE("a log file gets what is said while it lives, stamped, whatever stderr shows") {
    const NarrationGuard guard;
    const TemporaryFolder folder;
    const std::string path = folder.path("log.txt");
    log_info("before");
    for (const Narration narration : {Narration::plain, Narration::json}) {
        const LogFile file(path);
        set_narration(narration);
        set_verbosity(-1);
        log_info("quiet on stderr");
        log_warning("the disk is nearly full");
        log_verbose("for -v alone");
    }
    log_info("after");
    const std::string stamp = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z ";
    const std::string twice = stamp + "quiet on stderr\n" + stamp + "warning: the disk is nearly full\n";
    CHECK(std::regex_match(text_of(path), std::regex(twice + twice)));
    try {
        const LogFile file(path + "/inside");
        CHECK(false);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::output);
        CHECK(holds(error.what(), path));
    }
}

TEST_CASE("progress is never due when nobody wants it, and not at once") {
    const NarrationGuard guard;
    set_narration(Narration::plain);
    ProgressLine line;
    CHECK_FALSE(line.due(1.0));
    set_narration(Narration::none);
    CHECK_FALSE(line.due(1.0));
    set_narration(Narration::automatic);
    set_verbosity(-1);
    CHECK_FALSE(line.due(1.0));
    CHECK(narration_from("json") == Narration::json);
    CHECK(narration_from("plain") == Narration::plain);
    CHECK(narration_from("none") == Narration::none);
    CHECK(narration_from("auto") == Narration::automatic);
}
