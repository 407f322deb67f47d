// `nowcell bench cells`: the ConvLSTM beside the cell as users of LibTorch write it.
#include "cells/cpu/isa.h"
#include "cells/trial/cell_bench.h"
#include "src/device.h"
#include "src/error.h"
#include "src/log.h"
#include "src/report.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace nowcell {
namespace {

CellCase case_named(const std::string& name) {
    const std::vector<std::string> names = cell_case_names();
    if (std::find(names.begin(), names.end(), name) != names.end()) return cell_case(name);
    throw Error(ExitCode::usage, fmt::format("--config: got '{}', expected one of {}", name, fmt::join(names, ", ")),
                "", did_you_mean(name, names));
}

int thread_count(const std::string& word) {
    int count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (error == std::errc() && end == word.data() + word.size() && count >= 1 && count <= 1024) return count;
    throw Error(ExitCode::usage, fmt::format("--threads: got '{}', expected integers from 1 to 1024", word), "",
                "such as --threads 1,2");
}

BenchPlan plan_of(const Request& request) {
    BenchPlan plan;
    plan.guard = request.has("--guard");
    if (plan.guard && request.has("--device") && request.text("--device") != "cpu") {
        throw Error(ExitCode::usage, fmt::format("--guard: got --device {}, expected cpu", request.text("--device")),
                    "", "its bars are of a CPU: leave --device away");
    }
    const torch::Device device = choose_device(request.text("--device", "cpu"));
    plan.rounds = request.integer("--rounds", plan.guard ? 3 : 5);
    if (request.has("--algorithm")) plan.algorithms = {algorithm_from(request.text("--algorithm"))};
    add_defaults(plan, device);
    for (const std::string& name : split_list(request.text("--config"))) plan.cases.push_back(case_named(name));
    if (plan.cases.empty()) plan.cases = cell_cases();
    for (const std::string& word : split_list(request.text("--threads"))) plan.threads.push_back(thread_count(word));
    if (plan.guard && !plan.threads.empty() && plan.threads != std::vector<int>{1}) {
        throw Error(ExitCode::usage, fmt::format("--guard: got --threads {}, expected 1", request.text("--threads")),
                    "", "its bars are of one thread: leave --threads away");
    }
    if (plan.threads.empty()) {
        plan.threads = {1};
        if (!plan.guard && device.is_cpu() && usable_cores() > 1) plan.threads.push_back(usable_cores());
    }
    return plan;
}

// Throws Error(gate) if a row is.
void judge(const std::vector<BenchRow>& rows) {
    if (cpu::isa() != cpu::Isa::avx512) {
        log_info(fmt::format("nothing is judged: got {}, and the bars are of avx512", cpu::name_of(cpu::isa())));
        return;
    }
    std::vector<Problem> problems;
    for (const BenchRow& row : rows) {
        if (row.passed()) continue;
        problems.push_back({fmt::format("the best ratio of {} attempts is {:.2f}, expected at least {:.2f}",
                                        kBenchAttempts, row.ratio, *row.least),
                            fmt::format("{}, {}, {}", row.shape->name, name_of(row.direction), row.engine),
                            fmt::format("nowcell bench cells --guard --rounds 9 --config {}, with nothing else running",
                                        row.shape->name)});
    }
    if (!problems.empty()) throw Error(ExitCode::gate, problems);
}

int bench_cells(const Request& request) {
    const BenchPlan plan = plan_of(request);
    at::set_num_threads(usable_cores());  // of the float64 side
    ProgressLine line;
    const std::vector<BenchRow> rows = measure(plan, [&](const std::string& text) { line.update(text); });
    deliver(request, bench_text(plan, rows), bench_report(plan, rows).json());
    if (plan.guard) judge(rows);
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_bench_cells(const nowcell::Request& request) { return nowcell::bench_cells(request); }
