#include "src/report.h"

#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <vector>

namespace nowcell {
namespace {

void print(const std::string& text) {
    const bool ok = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    if (!ok) throw Error(ExitCode::output, "cannot write to stdout");
}

bool same_file(const std::string& a, const std::string& b) {
    std::error_code error;
    return a == b || std::filesystem::equivalent(a, b, error);
}

bool text_goes_to_file(const Request& request) {
    const Verb* verb = find_verb(request.verb);
    if (verb == nullptr || !request.has("--output")) return false;
    for (const Flag& flag : verb->flags) {
        if (flag.name == "--output") return flag.report;
    }
    return false;
}

}  // namespace

void write_report(const std::string& path, const std::string& text) {
    make_parent(path);
    write_atomically(path, text);
}

void deliver(const Request& request, const std::string& text, const std::string& json) {
    const std::string target = json.empty() ? "" : request.text("--json");
    if (!target.empty() && target != "-") write_report(target, json + "\n");
    if (text_goes_to_file(request)) {
        write_report(request.text("--output"), text);
    } else if (target != "-") {
        print(text);
    }
    if (target == "-") print(json + "\n");
}

void check_report_files(const Request& request) {
    const Verb* verb = find_verb(request.verb);
    std::vector<std::string> taken;  // inputs, and reports already named
    for (const char* input : {"PATH", "--input", "--model", "--forecast", "--truth", "--suite"}) {
        const std::vector<std::string> named = request.all(input);
        if (verb != nullptr) taken.insert(taken.end(), named.begin(), named.end());
    }
    if (verb != nullptr && takes_configuration(*verb) && request.has("--config")) {
        taken.push_back(request.text("--config"));
    }
    for (const Flag& flag : verb == nullptr ? std::vector<Flag>{} : verb->flags) {
        if (!flag.report || !request.has(flag.name)) continue;
        const std::string path = request.text(flag.name);
        if (path == "-" && flag.name == "--json") continue;
        if (path == "-") throw Error(ExitCode::usage, flag.name + " -: only --json writes to stdout on request");
        for (const std::string& other : taken) {
            if (!same_file(path, other)) continue;
            throw Error(ExitCode::output, fmt::format("{} {} would replace {}", flag.name, path, other), "",
                        "choose another name");
        }
        check_writable(path, request.has("--force"));
        taken.push_back(path);
    }
}

}  // namespace nowcell
