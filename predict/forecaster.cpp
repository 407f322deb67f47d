#include "predict/forecaster.h"

#include "data/missing.h"
#include "src/error.h"
#include "src/log.h"
#include "src/run_directory.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nowcell {
namespace {

using Json = nlohmann::json;

Json to_json(const Normalizer& value) {
    return {{"kind", value.kind},
            {"min", value.min},
            {"max", value.max},
            {"mean", value.mean},
            {"deviation", value.deviation}};
}

Normalizer normalizer_from(const Json& json) {
    return {json.at("kind"), json.at("min"), json.at("max"), json.at("mean"), json.at("deviation")};
}

Json to_json(const TrainedOn& value) {
    return {{"channels", value.channels}, {"height", value.height},          {"width", value.width},
            {"units", value.units},       {"step_s", value.step_s},          {"path", value.path},
            {"dataset", value.dataset},   {"fingerprint", value.fingerprint}};
}

TrainedOn trained_on_from(const Json& json) {
    return {json.at("channels"), json.at("height"), json.at("width"),   json.at("units"),
            json.at("step_s"),   json.at("path"),   json.at("dataset"), json.at("fingerprint")};
}

// Whatever a checkpoint lacks is an error of the model at `path`.
template <typename Action>
auto refused_as_model(const std::string& path, Action action) {
    try {
        return action();
    } catch (const Error& error) {
        if (error.code() == ExitCode::model) throw;
        throw Error(ExitCode::model, fmt::format("cannot use {}: {}", path, error.what()), "",
                    "use the nowcell that wrote it");
    } catch (const std::exception& error) {  // a section or tensor without what it must have
        throw Error(ExitCode::model, fmt::format("cannot use {}: {}", path, error.what()));
    }
}

}  // namespace

Forecaster::Forecaster(Config config, std::shared_ptr<SequenceModel> network, Normalizer normalizer,
                       BaselineOptions baselines, TrainedOn trained_on, torch::Device device)
    : config_(std::move(config)),
      data_(DataOptions::from(config_)),
      network_(std::move(network)),
      normalizer_(std::move(normalizer)),
      baselines_(std::move(baselines)),
      trained_on_(std::move(trained_on)),
      device_(device) {
    baselines_.mean = normalizer_.mean;
    baselines_.units = trained_on_.units;
    baselines_.step_s = trained_on_.step_s;
    for (const std::string& name : network_->options().guides()) guides_.push_back(make_baseline(name, baselines_));
    network_->to(device_);
}

Forecaster Forecaster::load(const std::string& model, torch::Device device, const std::vector<std::string>& overrides) {
    std::string path;
    const Checkpoint checkpoint = Checkpoint::load_first(RunDirectory::resolve_model(model), path);
    const std::string name = path + " (config)";
    refused_as_model(path, [&] { return Config::parse(checkpoint.sections.at("config"), name); });
    // What is wrong with it now are the overrides.
    return from(checkpoint, path, device, Config::parse(checkpoint.sections.at("config"), name, overrides));
}

Forecaster Forecaster::from(const Checkpoint& checkpoint, const std::string& path, torch::Device device,
                            Config config) {
    Forecaster made = refused_as_model(path, [&]() -> Forecaster {
        TrainedOn trained_on = trained_on_from(checkpoint.get_json("data"));
        auto network = make_sequence_model(trained_on.channels, ModelOptions::from(config), trained_on.frame());
        checkpoint.get_model(*network);
        BaselineOptions baselines{DataOptions::from(config).period, checkpoint.get_json("baselines").at("decay"),
                                  checkpoint.tensors.at("climatology")};
        return {std::move(config),    std::move(network),    normalizer_from(checkpoint.get_json("normalizer")),
                std::move(baselines), std::move(trained_on), device};
    });
    const std::vector<std::int64_t> tile = made.config().per_axis("eval.tile");
    made.network().set_tiling({tile.front(), tile.back()});
    return made;
}

void Forecaster::put(Checkpoint& checkpoint) const {
    checkpoint.put_model(*network_);
    checkpoint.sections["config"] = config_.toml();
    checkpoint.put_json("normalizer", to_json(normalizer_));
    checkpoint.put_json("data", to_json(trained_on_));
    checkpoint.put_json("baselines", {{"decay", baselines_.decay}});
    checkpoint.tensors["climatology"] = baselines_.climatology;
}

std::int64_t Forecaster::history() const { return std::max(data_.window.input_steps, least_history()); }

std::int64_t Forecaster::least_history() const {
    std::int64_t longest = 1;
    for (const auto& guide : guides_) longest = std::max(longest, guide->history());
    return longest;
}

torch::Tensor Forecaster::guide_frames(const torch::Tensor& past, std::int64_t horizon) const {
    std::vector<torch::Tensor> frames;
    for (const auto& guide : guides_) frames.push_back(guide->forecast(past, horizon));
    return frames.empty() ? torch::Tensor() : at::cat(frames, 2);
}

torch::Tensor Forecaster::input_of(const torch::Tensor& past) const {
    const std::int64_t steps = std::min(past.size(1), data_.window.input_steps);
    const torch::Tensor whole = fill_missing(past, data_.source.missing, normalizer_.mean);
    // Moved before it is normalised: from pinned memory the copy does not wait.
    return normalizer_.apply(whole.narrow(1, past.size(1) - steps, steps).to(device_, /*non_blocking=*/true));
}

Prepared Forecaster::prepare(const torch::Tensor& past, std::int64_t horizon, torch::Tensor guides) const {
    Prepared prepared{input_of(past), {}};
    if (!guides.defined()) guides = guide_frames(past, horizon);
    if (guides.defined()) prepared.guides = normalizer_.apply(guides.to(device_, /*non_blocking=*/true));
    return prepared;
}

Rollout Forecaster::start(const torch::Tensor& past) const {
    const c10::NoGradGuard no_grad;
    network_->eval();
    return {*this, network_->begin(input_of(past)), past};
}

void Forecaster::read(const torch::Tensor& frames, SequenceMemory& memory) const {
    if (network_->options().relative) {
        throw Error(ExitCode::model,
                    "this network reads frames relative to the last one of its input (model.relative): it cannot go on "
                    "reading one frame after the other",
                    "", "--context window reads the last input frames of training for each forecast");
    }
    const c10::NoGradGuard no_grad;
    network_->eval();
    const torch::Tensor known = fill_missing(frames, "mask", normalizer_.mean);
    network_->observe(normalizer_.apply(known.to(device_)), memory);
}

Rollout Forecaster::go_on(const SequenceMemory& memory, const torch::Tensor& past) const {
    return {*this, memory, past};
}

torch::Tensor Forecaster::forecast(const torch::Tensor& past, std::int64_t horizon) const {
    const c10::NoGradGuard no_grad;
    network_->eval();
    const Prepared prepared = prepare(past, horizon);
    return normalizer_.invert(network_->forecast(prepared.input, prepared.guides, horizon).to(torch::kCPU));
}

void Forecaster::check_source(const SourceInfo& info) const {
    if (info.channels != trained_on_.channels) {
        throw Error(ExitCode::data,
                    fmt::format("the model expects {} channel{}, {} has {}", trained_on_.channels,
                                trained_on_.channels == 1 ? "" : "s", info.path, info.channels),
                    info.dataset, "choose another dataset with --dataset");
    }
    if (info.units != trained_on_.units && info.units != "1" && trained_on_.units != "1") {
        log_warning(fmt::format("the model was trained on values in {}, {} holds {}", trained_on_.units, info.path,
                                info.units));
    }
    if (const std::optional<Problem> problem = network_->misfit({info.height, info.width})) {
        throw Error(ExitCode::data, problem->what, info.path, problem->hint);
    }
}

}  // namespace nowcell
