#include "src/report.h"

#include "src/error.h"
#include "src/files.h"

#include <cstdio>

namespace nowcell {
namespace {

void print(const std::string& text) {
    const bool ok = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    if (!ok) throw Error(ExitCode::output, "cannot write to stdout");
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

void deliver(const Request& request, const std::string& text, const std::string& json) {
    const std::string target = json.empty() ? "" : request.text("--json");
    if (!target.empty() && target != "-") write_atomically(target, json + "\n");
    if (text_goes_to_file(request)) {
        write_atomically(request.text("--output"), text);
    } else if (target != "-") {
        print(text);
    }
    if (target == "-") print(json + "\n");
}

void check_report_files(const Request& request) {
    for (const Flag& flag : find_verb(request.verb)->flags) {
        if (!flag.report || !request.has(flag.name) || request.text(flag.name) == "-") continue;
        check_writable(request.text(flag.name), request.has("--force"));
    }
}

}  // namespace nowcell
