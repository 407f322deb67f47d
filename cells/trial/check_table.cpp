// What `check` prints.
#include "cells/trial/cell_check.h"

#include "cells/cuda_library.h"

#include <algorithm>

namespace nowcell {
namespace {

constexpr const char* kTensors[] = {"h", "c", "d x", "d state", "d input", "d hidden", "d bias", "d options"};

std::string cell_of(const CheckRow& row, const char* name) {
    for (const CheckedTensor& tensor : row.tensors) {
        if (tensor.name == name) {
            return print_text("  %7.1e %7.1e%s", tensor.absolute, tensor.relative, tensor.passed ? " " : "!");
        }
    }
    return print_text("  %15s ", "-");
}

std::int64_t count(const std::vector<CheckRow>& rows, CheckState state) {
    return std::count_if(rows.begin(), rows.end(), [&](const CheckRow& row) { return row.state == state; });
}

std::string place(const CheckRow& row) { return row.problem + ", " + row.type + ", " + name_of(row.algorithm); }

}  // namespace

std::vector<std::string> check_problems(const std::vector<CheckRow>& rows) {
    std::vector<std::string> problems;
    std::vector<Algorithm> asked;
    for (const CheckRow& row : rows) {
        if (row.state == CheckState::failed) {
            problems.push_back(place(row) + ": " +
                               (row.tensors.empty() ? row.computed : "errors above what is allowed"));
        }
        if (std::find(asked.begin(), asked.end(), row.algorithm) == asked.end()) asked.push_back(row.algorithm);
    }
    for (const Algorithm algorithm : asked) {
        const auto of_it = [&](const CheckRow& row) { return row.algorithm == algorithm; };
        const auto idle = [&](const CheckRow& row) { return !of_it(row) || row.state == CheckState::not_run; };
        if (!std::all_of(rows.begin(), rows.end(), idle)) continue;
        const CheckRow& first = *std::find_if(rows.begin(), rows.end(), of_it);
        problems.push_back(name_of(algorithm) + " computed no row; " + first.computed);
    }
    return problems;
}

std::string check_text(const torch::Device& device, const std::vector<CheckRow>& rows) {
    std::string text = "Every engine beside the definition in float64; " + name_of(device) + "\n";
    if (!device.is_cpu() && !missing_cuda_kernels().empty()) text += missing_cuda_kernels() + "\n";
    text +=
        print_text("\n%-8s %-17s %-20s %-9s %-15s %7s", "", "problem", "B,T,C->F,HxW,K", "type", "engine", "allowed");
    for (const char* name : kTensors) text += print_text("  %-16s", name);
    text += " computed by\n";
    for (const CheckRow& row : rows) {
        text += print_text("%-8s %-17s %-20s %-9s %-15s %7.0e", name_of(row.state), row.problem.c_str(),
                           row.shape.c_str(), row.type.c_str(), name_of(row.algorithm).c_str(), row.allowed);
        for (const char* name : kTensors) text += cell_of(row, name);
        text += " " + row.computed + "\n";
    }
    text += print_text(
        "\nOf each tensor the largest difference, and the norm of the difference / norm of the expected; d: gradient, "
        "d options: of peephole and norm\nallowed: of the second; of the first %.0f times that of the largest number; "
        "!: more\n%ld passed, %ld failed, %ld not run (another engine computed the row, see its end)\n",
        kPeakOfNorm, static_cast<long>(count(rows, CheckState::passed)),
        static_cast<long>(count(rows, CheckState::failed)), static_cast<long>(count(rows, CheckState::not_run)));
    return text;
}

TrialReport check_report(const torch::Device& device, const std::vector<CheckRow>& rows) {
    TrialReport report;
    report.head = {{"schema", "nowcell.check/1"},
                   {"device", device.str()},
                   {"device_name", name_of(device)},
                   {"ok", check_problems(rows).empty()},
                   {"passed", std::int64_t{count(rows, CheckState::passed)}},
                   {"failed", std::int64_t{count(rows, CheckState::failed)}},
                   {"not_run", std::int64_t{count(rows, CheckState::not_run)}}};
    for (const CheckRow& row : rows) {
        Fields fields = {{"problem", row.problem},
                         {"shape", row.shape},
                         {"type", row.type},
                         {"engine", name_of(row.algorithm)},
                         {"computed_by", row.computed},
                         {"state", name_of(row.state)},
                         {"allowed", row.allowed}};
        for (const CheckedTensor& tensor : row.tensors) {
            std::string name = tensor.name;
            std::replace(name.begin(), name.end(), ' ', '_');
            fields.emplace_back(name + "_abs", tensor.absolute);
            fields.emplace_back(name + "_rel", tensor.relative);
        }
        report.rows.push_back(std::move(fields));
    }
    return report;
}

}  // namespace nowcell
