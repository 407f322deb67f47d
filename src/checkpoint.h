// One file that is a trained model: weights, resolved configuration, and a section from every folder that needs one.
#pragma once

#include "src/sequence_model.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string>
#include <vector>

namespace nowcell {

/// Named tensors and named JSON sections, in a safetensors file with hashes.
/// Tensors: "model.*" the weights, others as their owner names them. Sections: "format", "config", and one per owner.
class Checkpoint {
 public:
    std::map<std::string, torch::Tensor> tensors;
    std::map<std::string, std::string> sections;  ///< JSON text, or TOML for "config"

    /// Copies parameters and buffers under "PREFIX.".
    void put_model(const torch::nn::Module& model, const std::string& prefix = "model");

    /// Copies "PREFIX.*" into a network built from the same options.
    /// Throws Error(model) listing every missing, unexpected and misshapen name; nothing is changed then.
    void get_model(torch::nn::Module& model, const std::string& prefix = "model") const;

    /// Copies tensors under "PREFIX.NAME".
    void put_tensors(const std::map<std::string, torch::Tensor>& named, const std::string& prefix);
    /// The tensors whose names begin with "PREFIX.", by the rest of their names.
    std::map<std::string, torch::Tensor> get_tensors(const std::string& prefix) const;

    void put_json(const std::string& section, const nlohmann::json& value);
    nlohmann::json get_json(const std::string& section) const;  ///< Throws Error(model) when it is absent.

    /// What save() writes.
    std::string bytes() const;

    /// Writes atomically. Throws Error(output); an existing file is then untouched.
    void save(const std::string& path) const;

    /// Throws Error(model): no such file, damaged, not a nowcell checkpoint, newer format.
    static Checkpoint load(const std::string& path);

    /// The first of several files that is whole; `used`: which. Warns of those before it.
    /// Throws Error(model) as load() on the last one.
    static Checkpoint load_first(const std::vector<std::string>& paths, std::string& used);
};

}  // namespace nowcell
