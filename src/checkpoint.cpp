#include "src/checkpoint.h"

#include "src/error.h"
#include "src/files.h"
#include "src/log.h"
#include "src/safetensors.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace nowcell {
namespace {

constexpr int kFormat = 1;

std::map<std::string, torch::Tensor> state_of(const torch::nn::Module& model) {
    std::map<std::string, torch::Tensor> state;
    for (const auto& entry : model.named_parameters()) state[entry.key()] = entry.value();
    for (const auto& entry : model.named_buffers()) state[entry.key()] = entry.value();
    return state;
}

std::string shape_text(const torch::Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes(), ",")); }

}  // namespace

void Checkpoint::put_model(const torch::nn::Module& model, const std::string& prefix) {
    put_tensors(state_of(model), prefix);
}

void Checkpoint::get_model(torch::nn::Module& model, const std::string& prefix) const {
    const std::map<std::string, torch::Tensor> state = state_of(model);
    const std::map<std::string, torch::Tensor> saved = get_tensors(prefix);
    std::string wrong;
    for (const auto& [name, value] : state) {
        const auto found = saved.find(name);
        if (found == saved.end()) {
            wrong += fmt::format("\nmissing {}.{} {}", prefix, name, shape_text(value));
        } else if (found->second.sizes() != value.sizes()) {
            wrong += fmt::format("\n{}.{}: checkpoint {}, model {}", prefix, name, shape_text(found->second),
                                 shape_text(value));
        }
    }
    for (const auto& [name, value] : saved) {
        if (state.count(name) == 0) wrong += fmt::format("\nunexpected {}.{}", prefix, name);
    }
    if (!wrong.empty()) throw Error(ExitCode::model, "the checkpoint does not fit the network" + wrong);
    const c10::NoGradGuard no_grad;
    for (const auto& [name, value] : state) torch::Tensor(value).copy_(saved.at(name));
}

void Checkpoint::put_tensors(const std::map<std::string, torch::Tensor>& named, const std::string& prefix) {
    for (const auto& [name, value] : named) {
        tensors[fmt::format("{}.{}", prefix, name)] =
            value.detach().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true).contiguous();
    }
}

std::map<std::string, torch::Tensor> Checkpoint::get_tensors(const std::string& prefix) const {
    std::map<std::string, torch::Tensor> named;
    const std::string beginning = prefix + ".";
    for (const auto& [name, value] : tensors) {
        if (name.starts_with(beginning)) named[name.substr(beginning.size())] = value;
    }
    return named;
}

void Checkpoint::put_json(const std::string& section, const nlohmann::json& value) {
    sections[section] = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

nlohmann::json Checkpoint::get_json(const std::string& section) const {
    const auto found = sections.find(section);
    const nlohmann::json value =
        found == sections.end() ? nlohmann::json() : nlohmann::json::parse(found->second, nullptr, false);
    if (value.is_null() || value.is_discarded()) {
        throw Error(ExitCode::model, fmt::format("the checkpoint has no section \"{}\"", section));
    }
    return value;
}

std::string Checkpoint::bytes() const {
    SafeTensors content{tensors, sections};
    content.metadata["format"] = fmt::format(R"({{"name":"nowcell","version":{}}})", kFormat);
    return to_safetensors(content);
}

void Checkpoint::save(const std::string& path) const { write_atomically(path, bytes()); }

Checkpoint Checkpoint::load(const std::string& path) {
    if (!std::filesystem::is_regular_file(path)) {
        throw Error(ExitCode::model, fmt::format("no checkpoint at {}", path), "", similar_file(path));
    }
    SafeTensors content = read_safetensors(path);
    Checkpoint checkpoint{std::move(content.tensors), std::move(content.metadata)};
    if (checkpoint.sections.count("format") == 0 || checkpoint.sections.count("hash") == 0) {
        throw Error(ExitCode::model, fmt::format("{} is a safetensors file, but not a nowcell checkpoint", path), "",
                    "name a run directory or a file of its checkpoints/");
    }
    const nlohmann::json format = checkpoint.get_json("format");
    const int version = format.is_object() ? format.value("version", 0) : 0;
    if (version > kFormat) {
        throw Error(ExitCode::model,
                    fmt::format("{} has format {}, this program reads up to {}", path, version, kFormat), "",
                    "use the nowcell that wrote it, or a newer one");
    }
    return checkpoint;
}

Checkpoint Checkpoint::load_first(const std::vector<std::string>& paths, std::string& used) {
    for (const std::string& path : paths) {
        used = path;
        try {
            Checkpoint checkpoint = load(path);
            if (path != paths.front()) log_warning(path + " is used instead");
            return checkpoint;
        } catch (const Error& error) {
            if (path == paths.back()) throw;
            log_warning(error.what());
        }
    }
    throw Error(ExitCode::internal, "no checkpoint was named");
}

}  // namespace nowcell
