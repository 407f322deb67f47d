// Golden files: what Keras and plain PyTorch computed, see tests/golden/README.md. This reader of the safetensors
// container is not the one under test.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

struct Golden {
    std::map<std::string, torch::Tensor> tensors;  ///< float64, float32, int64 or uint8, on the CPU
    std::map<std::string, std::string> metadata;

    bool has(const std::string& name) const { return tensors.count(name) != 0; }
    /// Throws std::runtime_error that names a missing tensor.
    const torch::Tensor& at(const std::string& name) const;
};

/// Reads tests/golden/NAME.safetensors. Throws std::runtime_error on files that are absent or damaged.
Golden read_golden(const std::string& name);

/// The names of all golden files that begin with `prefix`, sorted.
std::vector<std::string> golden_names(const std::string& prefix);
