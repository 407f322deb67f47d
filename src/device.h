// Where tensors live and how many threads work on them.
#pragma once

#include "src/verb.h"

#include <torch/types.h>

#include <string>

namespace nowcell {

/// A device that works. "auto": CUDA when LibTorch has it and a GPU answers, else the CPU; "cpu"; "cuda"; "cuda:N".
/// LibTorch's CUDA library is loaded on demand, so that CPU programs never pay for it.
/// `name` has passed check_device_name(). Throws Error(device) when CUDA is asked for and not there, with the reason.
torch::Device choose_device(const std::string& name);

/// The cores this process may use.
int usable_cores();

/// Sets the threads of LibTorch: `--threads`, else the cores this process may use. Returns the number.
int choose_threads(const Request& request);

/// Seeds LibTorch's generators and fixes every choice that could differ from run to run.
void make_deterministic(std::uint64_t seed);

/// One line for the log: "cpu, 2 threads, LibTorch 2.15.0".
std::string describe(const torch::Device& device);

}  // namespace nowcell
