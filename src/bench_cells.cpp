// `nowcell bench cells`: the ConvLSTM on the CPU beside the cell as users of LibTorch write it.
#include "cells/cpu/isa.h"
#include "cells/cpu/kernels.h"
#include "src/cell_bars.h"
#include "src/cell_trial.h"
#include "src/device.h"
#include "src/error.h"
#include "src/json.h"
#include "src/log.h"
#include "src/report.h"
#include "src/timing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace nowcell {
namespace {

constexpr double kPeakSeconds = 0.02;
constexpr int kAttempts = 3;
constexpr Direction kDirections[] = {Direction::inference, Direction::training};

struct Plan {
    std::vector<CellCase> cases;
    std::vector<int> threads;
    Algorithm algorithm = Algorithm::automatic;
    std::int64_t rounds = 0;
    bool guard = false;
};

struct Row {
    const CellCase* shape = nullptr;
    Direction direction = Direction::inference;
    int threads = 1;
    std::string engine = {};
    double ratio = 0.0, gflops = 0.0;
    std::optional<double> peak_gflops = {};  // one core's, the best of the rounds
    CellErrors errors = {};
    std::optional<double> least = {};  // the ratio that --guard asks for

    bool passed() const { return !least || ratio >= *least; }
};

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> words;
    std::istringstream in(list);
    for (std::string word; std::getline(in, word, ',');) words.push_back(word);
    return words;
}

CellCase case_named(const std::string& name) {
    std::vector<std::string> names;
    for (const CellCase& shape : cell_cases()) {
        if (shape.name == name) return shape;
        names.push_back(shape.name);
    }
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

Plan plan_of(const Request& request) {
    Plan plan;
    plan.guard = request.has("--guard");
    plan.rounds = request.integer("--rounds", plan.guard ? 3 : 5);
    plan.algorithm = algorithm_from(request.text("--algorithm", "auto"));
    for (const std::string& name : split(request.text("--config"))) plan.cases.push_back(case_named(name));
    if (plan.cases.empty()) plan.cases = cell_cases();
    for (const std::string& word : split(request.text("--threads"))) plan.threads.push_back(thread_count(word));
    if (plan.guard && !plan.threads.empty() && plan.threads != std::vector<int>{1}) {
        throw Error(ExitCode::usage, fmt::format("--guard: got --threads {}, expected 1", request.text("--threads")),
                    "", "its bars are of one thread: leave --threads away");
    }
    if (plan.threads.empty()) {
        plan.threads = {1};
        if (!plan.guard && usable_cores() > 1) plan.threads.push_back(usable_cores());
    }
    return plan;
}

std::optional<double> core_peak_gflops() {
#if defined(__x86_64__)
    if (cpu::isa() == cpu::Isa::avx512) return cpu::avx512_peak(kPeakSeconds) * 1e-9;
    if (cpu::isa() == cpu::Isa::avx2) return cpu::avx2_peak(kPeakSeconds) * 1e-9;
#endif
    return {};
}

double seconds(TrialCell& cell, Direction direction, const torch::Tensor& x) {
    return seconds_of([&] { cell.run(direction, x); });
}

// Times of both sides and the peak in turn: ratio, gflops and peak_gflops of the row.
void time_row(const Plan& plan, Row& row) {
    const torch::Tensor x = row.shape->frames();
    TrialCell plain = plain_cell(*row.shape);
    TrialCell engine = engine_cell(*row.shape, plan.algorithm);
    std::vector<double> plain_s, engine_s;
    for (std::int64_t round = 0; round <= plan.rounds; ++round) {
        const double of_plain = seconds(plain, row.direction, x);
        const double of_engine = seconds(engine, row.direction, x);
        row.peak_gflops = std::max(row.peak_gflops, core_peak_gflops());
        if (round == 0) continue;  // warms up
        plain_s.push_back(of_plain);
        engine_s.push_back(of_engine);
    }
    row.ratio = median(plain_s) / median(engine_s);
    row.gflops = row.shape->flop(row.direction) / median(engine_s) * 1e-9;
}

// Times again while the row is too slow: another program on the machine is no fault of the kernels.
void guard_row(const Plan& plan, Row& row) {
    Row best = row;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        time_row(plan, row);
        if (row.peak_gflops && cpu::isa() == cpu::Isa::avx512) {
            row.least = kLeastOfBar * speed_bar(row.shape->name, row.direction, *row.peak_gflops);
        }
        if (row.ratio > best.ratio) best = row;
        if (row.passed()) break;
    }
    row = best;
}

std::vector<Row> measure(const Plan& plan) {
    const ThreadsKept kept;
    ProgressLine progress;
    std::vector<Row> rows;
    for (const CellCase& shape : plan.cases) {
        progress.update(fmt::format("{}: float64", shape.name));
        at::set_num_threads(usable_cores());
        const CellTruth truth(shape);
        for (const int threads : plan.threads) {
            at::set_num_threads(threads);
            for (const Direction direction : kDirections) {
                progress.update(fmt::format("{}: {}, threads: {}", shape.name, name_of(direction), threads));
                Row& row = rows.emplace_back(Row{.shape = &shape, .direction = direction, .threads = threads});
                row.errors = truth.errors(plan.algorithm, direction, row.engine);
                if (plan.guard) {
                    guard_row(plan, row);
                } else {
                    time_row(plan, row);
                }
            }
        }
    }
    return rows;
}

std::optional<double> best_peak(const std::vector<Row>& rows) {
    std::optional<double> best;
    for (const Row& row : rows) best = std::max(best, row.peak_gflops);
    return best;
}

std::string line(const Row& row) {
    const std::string gradient = row.errors.gradient ? fmt::format("{:.1e}", *row.errors.gradient) : "-";
    std::string text = fmt::format("{:<7} {:<10} {:>7}  {:>5.2f}x  {:>5.0f}  {:>9.1e}  {:>14}  {}", row.shape->name,
                                   name_of(row.direction), row.threads, row.ratio, row.gflops, row.errors.output,
                                   gradient, row.engine);
    if (row.least) text += fmt::format("; {} {:.2f}x", row.passed() ? "at least" : "UNDER", *row.least);
    return text + "\n";
}

std::string table(const Plan& plan, const std::vector<Row>& rows) {
    const std::optional<double> peak = best_peak(rows);
    std::string text =
        fmt::format("ConvLSTM beside the plain LibTorch cell; {}, {}{}\n\n", cpu::processor_name(),
                    cpu::name_of(cpu::isa()), peak ? fmt::format(", {:.0f} GF/s a core at its peak", *peak) : "");
    text += "config  direction  threads   ratio   GF/s   max |dh|  gradient error  engine\n";
    for (const Row& row : rows) text += line(row);
    text += fmt::format(
        "\nratio: time of the plain cell / time of the engine, medians of {} round{} in turn; training is a whole step "
        "with Adam\nGF/s: of a direct convolution in the engine's time; errors: against float64, one item of the "
        "batch\nB,T,C->F,HxW,K:",
        plan.rounds, plan.rounds == 1 ? "" : "s");
    for (const CellCase& shape : plan.cases) text += fmt::format("  {} {}", shape.name, shape.text());
    return text + "\n";
}

nlohmann::ordered_json or_null(const std::optional<double>& number) {
    return number ? nlohmann::ordered_json(*number) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json json_of(const Row& row) {
    nlohmann::ordered_json json = {{"config", row.shape->name},
                                   {"direction", name_of(row.direction)},
                                   {"threads", row.threads},
                                   {"engine", row.engine},
                                   {"ratio", row.ratio},
                                   {"gflops", row.gflops},
                                   {"max_abs_error", row.errors.output},
                                   {"grad_rel_error", or_null(row.errors.gradient)}};
    if (row.least) json["least_ratio"] = *row.least;
    return json;
}

nlohmann::ordered_json json_of(const std::vector<Row>& rows) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Row& row : rows) list.push_back(json_of(row));
    return {{"schema", "nowcell.bench_cells/1"},
            {"cpu", std::string(cpu::processor_name())},
            {"isa", cpu::name_of(cpu::isa())},
            {"peak_gflops", or_null(best_peak(rows))},
            {"rows", list}};
}

// Throws Error(gate) if a row is.
void judge(const std::vector<Row>& rows) {
    if (cpu::isa() != cpu::Isa::avx512) {
        log_info(fmt::format("nothing is judged: got {}, and the bars are of avx512", cpu::name_of(cpu::isa())));
        return;
    }
    std::vector<Problem> problems;
    for (const Row& row : rows) {
        if (row.passed()) continue;
        problems.push_back({fmt::format("the best ratio of {} attempts is {:.2f}, expected at least {:.2f}", kAttempts,
                                        row.ratio, *row.least),
                            fmt::format("{}, {}, {}", row.shape->name, name_of(row.direction), row.engine),
                            fmt::format("nowcell bench cells --guard --rounds 9 --config {}, with nothing else running",
                                        row.shape->name)});
    }
    if (!problems.empty()) throw Error(ExitCode::gate, problems);
}

int bench_cells(const Request& request) {
    const Plan plan = plan_of(request);
    const std::vector<Row> rows = measure(plan);
    deliver(request, table(plan, rows), json_text(json_of(rows)));
    if (plan.guard) judge(rows);
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_bench_cells(const nowcell::Request& request) { return nowcell::bench_cells(request); }
