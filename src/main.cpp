// The program: reads the command line, answers what needs no engine, and loads libnowcell for the rest.
#include "src/command_line.h"
#include "src/error.h"
#include "src/help.h"
#include "src/log.h"
#include "src/presets.h"
#include "src/report.h"
#include "src/surface.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

namespace nowcell {
namespace {

constexpr const char* kLessMemory = "ask for less: fewer or smaller frames, a smaller train.batch or eval.batch";

using Handler = int (*)(const Request&);

constexpr const char* kEngine = "libnowcell.so." NOWCELL_SOVERSION;

// Beside the program where that is so, else wherever the program's RPATH finds it. A sanitizer that wraps dlopen hides
// the RPATH.
std::string engine_path() {
    std::error_code error;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::filesystem::path beside = program.parent_path() / ".." / "lib" / kEngine;
    return !error && std::filesystem::exists(beside, error) ? beside.string() : kEngine;
}

Handler load_handler(const std::string& name) {
    void* engine = ::dlopen(engine_path().c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (engine == nullptr) {
        throw Error(ExitCode::device, fmt::format("cannot load the engine: {}", ::dlerror()), "",
                    "scripts/setup.sh --check says what is missing or broken");
    }
    void* symbol = ::dlsym(engine, name.c_str());
    if (symbol == nullptr) {
        throw Error(ExitCode::internal, fmt::format("{} has no {}", kEngine, name), "",
                    "the program and its library are of different builds: build or install both again");
    }
    return reinterpret_cast<Handler>(symbol);
}

int run(const Request& request) {
    if (request.verb == "version") {
        deliver(request, "nowcell " NOWCELL_VERSION " (" NOWCELL_BUILD ")\n");
        return 0;
    }
    check_report_files(request);
    if (request.verb == "help") {
        std::string topic;
        for (const std::string& word : request.all("[TOPIC]")) topic += (topic.empty() ? "" : " ") + word;
        deliver(request, help_topic(topic));
        return 0;
    }
    if (request.verb == "config keys") {
        deliver(request, help_keys(request.text("[PREFIX]")));
        return 0;
    }
    if (request.verb == "config presets") {
        deliver(request, presets_text());
        return 0;
    }
    if (request.verb == "config init") {
        deliver(request, find_preset(request.text("NAME")).text);
        return 0;
    }
    if (request.verb == "config show") {
        const Config config = request.config();
        check_config(config);
        deliver(request, config.toml(true));
        return 0;
    }
    if (request.has("--device")) check_device_name(request.text("--device"));
    if (takes_configuration(*find_verb(request.verb)) && request.has("--config")) check_config(request.config());
    return load_handler(find_verb(request.verb)->handler)(request);
}

// What LibTorch adds below its message is for those who ask for it.
std::string first_lines(const std::string& text) {
    const std::size_t end = std::min(text.find("\nException raised from"), text.find("\n  frame #"));
    return verbosity() >= 2 ? text : text.substr(0, end);
}

int fail(const std::string& verb, const Error& error) {
    log_failure(verb.empty() ? "nowcell" : "nowcell " + verb, error);
    return static_cast<int>(error.code());
}

int main_checked(const std::vector<std::string>& words) {
    std::string verb;
    try {
        const Request request = parse_command_line(words);
        verb = request.verb;
        set_verbosity(request.verbosity);
        set_narration(narration_from(request.text("--progress")));
        return run(request);
    } catch (const Error& error) {
        return fail(verb, error);
    } catch (const std::filesystem::filesystem_error& error) {
        return fail(
            verb, {ExitCode::usage, fmt::format("cannot use {}: {}", error.path1().string(), error.code().message())});
    } catch (const std::bad_alloc&) {
        return fail(verb, {ExitCode::device, "out of memory", "", kLessMemory});
    } catch (const std::exception& error) {
        const std::string text = first_lines(error.what());
        const bool memory =
            text.find("allocate memory") != std::string::npos || text.find("out of memory") != std::string::npos;
        if (memory) return fail(verb, {ExitCode::device, text, "", kLessMemory});
        return fail(verb, {ExitCode::internal, text, "", "this is a bug: please report it with the output of -vv"});
    }
}

}  // namespace
}  // namespace nowcell

int main(int count, char** words) { return nowcell::main_checked({words + 1, words + count}); }
