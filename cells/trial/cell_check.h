// What `check` compares: every engine of a device with the definition in float64 on the CPU.
#pragma once

#include "cells/trial/setting.h"
#include "cells/trial/text.h"

#include <string>
#include <vector>

namespace nowcell {

/// How far a result is from float64.
struct CheckedTensor {
    std::string name;       ///< "h", "c", "d x", "d state", "d input", "d hidden", "d bias", "d options"
    double absolute = 0.0;  ///< largest difference
    double relative = 0.0;  ///< norm of the difference / norm of the expected
    bool passed = false;
};

enum class CheckState {
    passed,
    failed,
    not_run,  ///< the numbers are right, but another engine computed them
};
const char* name_of(CheckState state);  ///< "PASS", "FAIL", "NOT RUN"

struct CheckRow {
    std::string problem;   ///< "odd sizes"
    std::string shape;     ///< "2,3,5->7,13x11,3": B,T,C->F,HxW,K
    std::string type;      ///< "tf32": float32 whose convolutions may round to TF32
    Algorithm algorithm;   ///< asked for
    std::string computed;  ///< what ran, and why not what was asked for; or the error
    double allowed = 0.0;  ///< relative error
    std::vector<CheckedTensor> tensors = {};
    CheckState state = CheckState::failed;
};

/// Relative error that is allowed to an engine. `absolute` may be kPeakOfNorm times that of the largest number
/// expected.
double allowed_error(const torch::Device& device, const std::string& type, Algorithm algorithm);
constexpr double kPeakOfNorm = 4.0;

/// Tensors that are judged together; float64 on the CPU, pairs of one shape.
CheckedTensor compare(const char* name, const std::vector<torch::Tensor>& got,
                      const std::vector<torch::Tensor>& expected, double allowed);

/// Forward and backward, all engines and types of the device, shapes with odd sizes, unaligned channels, B = 1, T = 1,
/// peepholes, norms, activations, memory modes.
std::vector<CheckRow> check_cells(const torch::Device& device, const Progress& progress);

/// Why the device did not pass: rows that failed, engines that computed no row. Empty: it did.
std::vector<std::string> check_problems(const std::vector<CheckRow>& rows);

std::string check_text(const torch::Device& device, const std::vector<CheckRow>& rows);
TrialReport check_report(const torch::Device& device, const std::vector<CheckRow>& rows);

}  // namespace nowcell
