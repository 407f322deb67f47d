// One file that is a trained model: weights, resolved configuration, and a section from every folder that needs one.
#pragma once

#include "src/sequence_model.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string>

namespace nowcell {

/// Named tensors and named JSON sections, in a safetensors file with hashes.
/// Tensors: "model.*" the weights, others as their owner names them. Sections: "format", "config", and one per owner.
class Checkpoint {
 public:
    std::map<std::string, torch::Tensor> tensors;
    std::map<std::string, std::string> sections;  ///< JSON text, or TOML for "config"

    /// Copies parameters and buffers under "model.".
    void put_model(const torch::nn::Module& model);

    /// Copies "model.*" into a network built from the same options.
    /// Throws Error(model) listing every missing, unexpected and misshapen name; nothing is changed then.
    void get_model(torch::nn::Module& model) const;

    void put_json(const std::string& section, const nlohmann::json& value);
    nlohmann::json get_json(const std::string& section) const;  ///< Throws Error(model) when it is absent.

    /// Writes atomically. Throws Error(output); an existing file is then untouched.
    void save(const std::string& path) const;

    /// Throws Error(model): no such file, damaged, not a nowcell checkpoint, newer format.
    static Checkpoint load(const std::string& path);
};

}  // namespace nowcell
