// What `nowcell doctor` finds. Each folder examines what it brings along, in functions that doctor finds by name.
#pragma once

#include "src/verb.h"

#include <string>
#include <vector>

namespace nowcell {

enum class Health { pass, warn, fail };

/// One line of the report.
struct Finding {
    std::string name;
    Health health = Health::pass;
    std::string text;
    std::string remedy = {};  ///< the next thing to do; empty where nothing is wrong
};

using Findings = std::vector<Finding>;

/// Driver, CUDA Toolkit, LibTorch's CUDA libraries, cuDNN, the GPUs. use: load LibTorch's CUDA libraries.
void examine_cuda(bool use, Findings& findings);

/// Of a folder above this one, `extern "C"`; kDoctorParts are their names.
using DoctorPart = void (*)(const Request& request, Findings& findings);
constexpr const char* kDoctorParts[] = {"nowcell_doctor_data", "nowcell_doctor_predict", "nowcell_doctor_train"};

}  // namespace nowcell
