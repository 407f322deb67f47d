// What `bench cells` measures: the ConvLSTM beside the cell as users of LibTorch write it.
#pragma once

#include "cells/trial/text.h"
#include "cells/trial/trial_cell.h"

#include <optional>
#include <string>
#include <vector>

namespace nowcell {

struct BenchPlan {
    std::vector<CellCase> cases;
    std::vector<int> threads;           ///< of the CPU, in turn
    std::vector<Setting> settings;      ///< in turn; all on one device
    std::vector<Algorithm> algorithms;  ///< in turn
    std::int64_t rounds = 5;            ///< of which the median counts
    bool guard = false;                 ///< time a row that is too slow up to kBenchAttempts times
};
constexpr int kBenchAttempts = 3;

/// The algorithms and types that are timed where none are named: on a CPU the fastest in float32, on a GPU each engine
/// in each type.
void add_defaults(BenchPlan& plan, const torch::Device& device);

/// The case of that name. Throws c10::ValueError that lists them.
CellCase cell_case(const std::string& name);

struct BenchRow {
    const CellCase* shape = nullptr;  ///< of the plan
    Direction direction = Direction::inference;
    Setting setting = {};
    int threads = 1;
    std::string engine = {};  ///< what computed it, and why not what was asked for
    double ratio = 0.0;       ///< time of the plain cell / time of the engine
    double gflops = 0.0;
    std::optional<double> peak_gflops = {};  ///< one core's, the best of the rounds; not of GPUs
    CellErrors errors = {};
    std::optional<double> least = {};  ///< the ratio that a guard asks for

    bool passed() const { return !least || ratio >= *least; }
};

/// Both sides in turn, behind a round that warms up; training is a whole step with Adam.
std::vector<BenchRow> measure(const BenchPlan& plan, const Progress& progress);

std::string bench_text(const BenchPlan& plan, const std::vector<BenchRow>& rows);
TrialReport bench_report(const BenchPlan& plan, const std::vector<BenchRow>& rows);

}  // namespace nowcell
