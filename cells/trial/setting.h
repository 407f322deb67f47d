// Where and in which type a trial computes, and the ways to compute there are.
#pragma once

#include "cells/algorithm.h"

#include <torch/types.h>

#include <functional>
#include <string>
#include <vector>

namespace nowcell {

/// Told what is being done, for people who wait.
using Progress = std::function<void(const std::string&)>;

struct Setting {
    torch::Device device = torch::kCPU;
    torch::ScalarType type = torch::kFloat;
};

/// The types that engines on that device compute in.
std::vector<torch::ScalarType> types_of(const torch::Device& device);

/// The algorithms that users of a device can name, but for "auto". On a processor without kernels of ours the reference
/// alone.
std::vector<Algorithm> engines_of(const torch::Device& device);

std::string name_of(torch::ScalarType type);       ///< "float32", "float16", "bfloat16"
std::string name_of(const torch::Device& device);  ///< the model of the processor or GPU, as far as LibTorch tells

/// "cpu" or a GPU's "cuda:N"; throws c10::ValueError on other words, NoDevice where it is not there. "auto": a GPU if
/// there is one; "cuda": the first.
torch::Device device_from(const std::string& name);
struct NoDevice : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Waits until the device has computed everything.
void wait_for(const torch::Device& device);

}  // namespace nowcell
