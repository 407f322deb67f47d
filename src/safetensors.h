// The safetensors container: named tensors and text, nothing executable.
// Source: huggingface/safetensors, format description; hashes are ours, in the metadata.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>

namespace nowcell {

/// What a file holds. Tensors are contiguous CPU tensors of float32, float64, int64, uint8 or bool.
struct SafeTensors {
    std::map<std::string, torch::Tensor> tensors;
    std::map<std::string, std::string> metadata;
};

/// The bytes of a file. Hashes of every tensor, of the metadata (XXH3-64) and of the whole file (XXH3-128, its own
/// place counted as zeros) go into the metadata.
std::string to_safetensors(const SafeTensors& content);

/// Reads a file and checks it: structure, offsets that tile the data, and the hashes.
/// Throws Error(model) naming what is damaged; never trusts a length that the file claims.
SafeTensors read_safetensors(const std::string& path);

/// The same from memory; `name` stands for the file in messages.
SafeTensors from_safetensors(const std::string& bytes, const std::string& name);

}  // namespace nowcell
