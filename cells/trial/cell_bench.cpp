#include "cells/trial/cell_bench.h"

#include "cells/choice.h"
#include "cells/cpu/isa.h"
#include "cells/cpu/kernels.h"
#include "cells/trial/cell_bars.h"
#include "cells/trial/timing.h"

#include <algorithm>

namespace nowcell {
namespace {

constexpr double kPeakSeconds = 0.02;
constexpr Direction kDirections[] = {Direction::inference, Direction::training};

std::optional<double> core_peak_gflops() {
#if defined(__x86_64__)
    if (cpu::isa() == cpu::Isa::avx512) return cpu::avx512_peak(kPeakSeconds) * 1e-9;
    if (cpu::isa() == cpu::Isa::avx2) return cpu::avx2_peak(kPeakSeconds) * 1e-9;
#endif
    return {};
}

double seconds(TrialCell& cell, Direction direction, const torch::Tensor& x) {
    wait_for(x.device());
    return seconds_of([&] {
        cell.run(direction, x);
        wait_for(x.device());
    });
}

// Times of both sides and the peak in turn: ratio, gflops and peak_gflops of the row.
void time_row(const BenchPlan& plan, Algorithm algorithm, BenchRow& row) {
    const torch::Tensor x = row.shape->frames(row.setting);
    TrialCell plain = plain_cell(*row.shape, row.setting);
    TrialCell engine = engine_cell(*row.shape, algorithm, row.setting);
    std::vector<double> plain_s, engine_s;
    for (std::int64_t round = 0; round <= plan.rounds; ++round) {
        const double of_plain = seconds(plain, row.direction, x);
        const double of_engine = seconds(engine, row.direction, x);
        if (row.setting.device.is_cpu()) row.peak_gflops = std::max(row.peak_gflops, core_peak_gflops());
        if (round == 0) continue;  // warms up
        plain_s.push_back(of_plain);
        engine_s.push_back(of_engine);
    }
    row.ratio = median(plain_s) / median(engine_s);
    row.gflops = row.shape->flop(row.direction) / median(engine_s) * 1e-9;
}

// Times again while the row is too slow: another program on the machine is no fault of the kernels.
void guard_row(const BenchPlan& plan, Algorithm algorithm, BenchRow& row) {
    BenchRow best = row;
    for (int attempt = 0; attempt < kBenchAttempts; ++attempt) {
        time_row(plan, algorithm, row);
        if (row.peak_gflops && cpu::isa() == cpu::Isa::avx512) {
            row.least = kLeastOfBar * speed_bar(row.shape->name, row.direction, *row.peak_gflops);
        }
        if (row.ratio > best.ratio) best = row;
        if (row.passed()) break;
    }
    row = best;
}

std::optional<double> best_peak(const std::vector<BenchRow>& rows) {
    std::optional<double> best;
    for (const BenchRow& row : rows) best = std::max(best, row.peak_gflops);
    return best;
}

std::string line(const BenchRow& row) {
    const std::string gradient = row.errors.gradient ? print_text("%.1e", *row.errors.gradient) : "-";
    std::string text = print_text("%-7s %-10s %-9s %7d  %5.2fx  %5.0f  %9.1e  %14s  %s", row.shape->name.c_str(),
                                  name_of(row.direction), name_of(row.setting.type).c_str(), row.threads, row.ratio,
                                  row.gflops, row.errors.output, gradient.c_str(), row.engine.c_str());
    if (row.least) text += print_text("; %s %.2fx", row.passed() ? "at least" : "UNDER", *row.least);
    return text + "\n";
}

Value or_null(const std::optional<double>& number) { return number ? Value(*number) : Value(nullptr); }

const torch::Device& device_of(const BenchPlan& plan) { return plan.settings.front().device; }

}  // namespace

void add_defaults(BenchPlan& plan, const torch::Device& device) {
    if (plan.algorithms.empty()) {
        plan.algorithms = device.is_cpu() ? std::vector<Algorithm>{Algorithm::automatic} : engines_of(device);
    }
    if (plan.settings.empty()) {
        for (const torch::ScalarType type : types_of(device)) plan.settings.push_back({device, type});
    }
}

CellCase cell_case(const std::string& name) {
    return cell_cases()[choice<std::size_t>("config", name, cell_case_names())];
}

std::vector<BenchRow> measure(const BenchPlan& plan, const Progress& progress) {
    const ThreadsKept kept;
    std::vector<BenchRow> rows;
    for (const CellCase& shape : plan.cases) {
        for (const Setting& setting : plan.settings) {
            progress(shape.name + ", " + name_of(setting.type) + ": float64");
            at::set_num_threads(kept.before());
            const CellTruth truth(shape, setting);
            for (const int threads : plan.threads) {
                at::set_num_threads(threads);
                for (const Algorithm algorithm : plan.algorithms) {
                    for (const Direction direction : kDirections) {
                        progress(shape.name + ", " + name_of(setting.type) + ": " + name_of(algorithm) + ", " +
                                 name_of(direction) + ", threads: " + std::to_string(threads));
                        BenchRow& row = rows.emplace_back(
                            BenchRow{.shape = &shape, .direction = direction, .setting = setting, .threads = threads});
                        row.errors = truth.errors(algorithm, direction, row.engine);
                        (plan.guard ? guard_row : time_row)(plan, algorithm, row);
                    }
                }
            }
        }
    }
    return rows;
}

std::string bench_text(const BenchPlan& plan, const std::vector<BenchRow>& rows) {
    const std::optional<double> peak = best_peak(rows);
    std::string text = "ConvLSTM beside the plain LibTorch cell; " + name_of(device_of(plan));
    if (peak) text += print_text(", %.0f GF/s a core at its peak", *peak);
    text += "\n\nconfig  direction  type      threads   ratio   GF/s   max |dh|  gradient error  engine\n";
    for (const BenchRow& row : rows) text += line(row);
    text += "\nratio: time of the plain cell / time of the engine, medians of " + std::to_string(plan.rounds) +
            " round" + (plan.rounds == 1 ? "" : "s") +
            " in turn; training is a whole step with Adam\nGF/s: of a direct convolution in the engine's time; errors: "
            "against float64, one item of the batch\nB,T,C->F,HxW,K:";
    for (const CellCase& shape : plan.cases) text += "  " + shape.name + " " + shape.text();
    return text + "\n";
}

TrialReport bench_report(const BenchPlan& plan, const std::vector<BenchRow>& rows) {
    TrialReport report;
    report.head = {{"schema", "nowcell.bench_cells/1"},       {"device", device_of(plan).str()},
                   {"device_name", name_of(device_of(plan))}, {"cpu", std::string(cpu::processor_name())},
                   {"isa", cpu::name_of(cpu::isa())},         {"peak_gflops", or_null(best_peak(rows))}};
    for (const BenchRow& row : rows) {
        Fields& fields = report.rows.emplace_back(Fields{{"config", row.shape->name},
                                                         {"direction", name_of(row.direction)},
                                                         {"type", name_of(row.setting.type)},
                                                         {"threads", std::int64_t{row.threads}},
                                                         {"engine", row.engine},
                                                         {"ratio", row.ratio},
                                                         {"gflops", row.gflops},
                                                         {"max_abs_error", row.errors.output},
                                                         {"grad_rel_error", or_null(row.errors.gradient)}});
        if (row.least) fields.emplace_back("least_ratio", *row.least);
    }
    return report;
}

}  // namespace nowcell
