#include "train/environment.h"

#include "cells/cpu/isa.h"
#include "data/data_options.h"
#include "src/error.h"
#include "src/model_summary.h"
#include "train/train_options.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/version.h>

#include <algorithm>
#include <fstream>
#include <limits>

namespace nowcell {
namespace {

constexpr double kSurely = 0.75;  // of the estimate: it may be that much too large

// 0 where it cannot be told.
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

}  // namespace

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

std::string check_memory(const Config& config, const SourceInfo& info, torch::Device device) {
    const TrainOptions options = TrainOptions::from(config);
    const DataOptions data = DataOptions::from(config);
    const FrameSize frame{data.augment.height(info.height), data.augment.width(info.width)};
    const ModelSummary summary =
        summarize(ModelOptions::from(config),
                  {{info.channels, frame}, options.batch, data.window.input_steps, data.window.output_steps});
    const double needed = static_cast<double>(summary.memory.total()) / (1024.0 * 1024.0);
    const double free = device.is_cpu() ? free_memory_mib() : 0.0;
    if (free == 0.0 || kSurely * needed <= free) {
        return fmt::format("a training step takes about {:.0f} MiB{}", needed,
                           free > 0.0 ? fmt::format(", {:.0f} MiB are free", free) : "");
    }
    throw Error(ExitCode::device,
                fmt::format("a training step of {} windows takes about {:.0f} MiB, but {:.0f} MiB are free",
                            options.batch, needed, free),
                config.where("train.batch"),
                fmt::format("--batch {} --set train.accumulate=2, or memory = \"recompute\" for the layers",
                            std::max<std::int64_t>(1, options.batch / 2)));
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
