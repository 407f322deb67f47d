#include "train/environment.h"

#include "cells/cpu/isa.h"
#include "src/config.h"
#include "src/error.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/version.h>

#include <fstream>
#include <limits>

namespace nowcell {

nlohmann::json environment(torch::Device device) {
    return {{"nowcell", NOWCELL_VERSION},
            {"libtorch", TORCH_VERSION},
            {"device", device.str()},
            {"instructions", cpu::name_of(cpu::isa())},
            {"processor", std::string(cpu::processor_name())},
            {"threads", at::get_num_threads()}};
}

std::vector<std::string> environment_changes(const nlohmann::json& before, const nlohmann::json& now) {
    std::vector<std::string> changes;
    for (const auto& [name, value] : now.items()) {
        if (before.contains(name) && before.at(name) == value) continue;
        const std::string old = before.contains(name) ? before.at(name).dump() : "unknown";
        changes.push_back(fmt::format("{} was {}, is {}", name, old, value.dump()));
    }
    return changes;
}

double free_memory_mib() {
    std::ifstream in("/proc/meminfo");
    std::string name;
    double kib = 0.0;
    while (in >> name >> kib) {
        if (name == "MemAvailable:") return kib / 1024.0;
        in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    return 0.0;
}

void require_determinism(const Config& config) {
    const auto refuse = [&](const std::string& key, const std::string& why, const std::string& hint) {
        throw Error(ExitCode::usage, fmt::format("train.deterministic cannot vouch for {}: {}", key, why),
                    config.where(key), hint);
    };
    if (config.has("train.max_time") && config.number("train.max_time") > 0.0) {
        refuse("train.max_time", "how far a run comes in a time differs from run to run",
               "train.epochs says how long to train");
    }
    if (config.text("train.on_nan") == "rollback" && config.number("checkpoint.every_time") > 0.0) {
        refuse("train.on_nan", "\"rollback\" goes back to a checkpoint that was made by the clock",
               "checkpoint.every_time = 0");
    }
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
}

}  // namespace nowcell
