// The handler of check: the engines of this machine beside the definition.
#include "cells/trial/cell_check.h"
#include "src/device.h"
#include "src/error.h"
#include "src/log.h"
#include "src/report.h"

namespace nowcell {
namespace {

int check(const Request& request) {
    choose_threads(request);
    const torch::Device device = choose_device(request.text("--device", "auto"));
    std::vector<CheckRow> rows;
    {
        ProgressLine line;
        rows = check_cells(device, [&](const std::string& text) { line.update(text); });
    }
    deliver(request, check_text(device, rows), check_report(device, rows).json());
    std::vector<Problem> problems;
    for (const std::string& what : check_problems(rows)) problems.push_back({what, "", ""});
    if (problems.empty()) return 0;
    problems.back().hint = "please report it with the output of nowcell check and nowcell doctor";
    throw Error(ExitCode::gate, problems);
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_check(const nowcell::Request& request) { return nowcell::check(request); }
