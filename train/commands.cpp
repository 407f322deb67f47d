// The handler of train.
#include "src/device.h"
#include "src/error.h"
#include "src/files.h"
#include "src/json.h"
#include "src/log.h"
#include "src/report.h"
#include "train/beginning.h"
#include "train/environment.h"
#include "train/prepare.h"
#include "train/run_facts.h"
#include "train/samples.h"
#include "train/trainer.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace nowcell {
namespace {

double waiting_percent(const TrainResult& result) {
    return 100.0 * result.clock.data_s / std::max(1e-9, result.clock.total_s());
}

std::string result_text(const TrainResult& result, const RunDirectory& run, const std::string& units) {
    const TrainingState& state = result.state;
    const std::string next = result.signal != 0 ? "nowcell train --resume " + run.path()
                                                : "nowcell evaluate --model " + run.path() + " --input DATA";
    return fmt::format(
        "{}\nended by {} after {} epoch{} and {:.0f} s ({:.1f} % of the steps' time waiting for data); best epoch {}: "
        "validation MAE {:.5g}{}\nnext: {}\n",
        run.path(), result.why, state.epoch, state.epoch == 1 ? "" : "s", state.seconds, waiting_percent(result),
        state.best_epoch, state.best_mae, units == "1" ? "" : " " + units, next);
}

std::string result_json(const TrainResult& result, const RunDirectory& run, const std::string& units) {
    const nlohmann::ordered_json report = {{"schema", "nowcell.train/1"},
                                           {"run", run.path()},
                                           {"ended_by", result.why},
                                           {"epochs", result.state.epoch},
                                           {"steps", result.state.step},
                                           {"seconds", result.state.seconds},
                                           {"waiting_percent", waiting_percent(result)},
                                           {"best_epoch", result.state.best_epoch},
                                           {"best_validation_mae", result.state.best_mae},
                                           {"unit", units}};
    return json_text(report);
}

// A run that fails before its first checkpoint leaves nothing behind.
TrainResult run_training(const TrainingData& data, Forecaster& forecaster, const RunDirectory& run,
                         const Beginning& beginning, const Request& request) {
    try {
        Trainer trainer(data, forecaster, run, beginning.checkpoint);
        nlohmann::ordered_json facts = run_facts(request, forecaster, data.source.info());
        if (!beginning.repeats.empty()) facts["repeats"] = beginning.repeats;
        trainer.recorder().started(facts);
        return trainer.run();
    } catch (...) {
        if (!std::filesystem::exists(run.checkpoint("best"))) run.discard();
        throw;
    }
}

// The threads that the run had before, unless others are asked for: sums in another order have other last bits.
void choose_threads_as(const Beginning& beginning, const Request& request) {
    choose_threads(request);
    if (!beginning.checkpoint || request.has("--threads")) return;
    at::set_num_threads(beginning.checkpoint->get_json("environment").at("threads").get<int>());
}

RunDirectory open_run(const Beginning& beginning, const Request& request, const Config& config) {
    if (beginning.interrupted) return *beginning.interrupted;
    // A run that was interrupted before it had a configuration may be begun again.
    const bool force = request.has("--force") || request.has("--resume");
    const std::string name = request.has("--config") ? request.text("--config") : request.text("--from-run");
    return RunDirectory::create(request.text("--output"), name, config, force);
}

// What has changed since a run began that goes on now, or that is repeated.
void check_against_before(const Beginning& beginning, const SourceInfo& info, const Request& request,
                          torch::Device device) {
    if (!beginning.repeats.empty()) compare_with(beginning.repeats, info, device);
    if (!beginning.checkpoint) return;
    check_same_data(*beginning.checkpoint, info, request.has("--accept-data-change"));
    for (const std::string& change :
         environment_changes(beginning.checkpoint->get_json("environment"), environment(device))) {
        log_warning(change + ": the run will not end with the same bits as without the interruption");
    }
}

int train(const Request& request) {
    const Beginning beginning = Beginning::from(request);
    Config config = beginning.config;
    choose_threads_as(beginning, request);
    const torch::Device device = choose_device(config.text("train.device"));
    make_deterministic(static_cast<std::uint64_t>(config.integer("train.seed")));
    if (config.boolean("train.deterministic")) require_determinism(config);

    const auto source = open_data(DataOptions::from(config));
    settle_period(config, source->info());
    check_against_before(beginning, source->info(), request, device);
    auto [training, validation] = cut_training_windows(config, source->info());
    Forecaster forecaster = beginning.checkpoint
                                ? Forecaster::from(*beginning.checkpoint, beginning.interrupted->path(), device, config)
                                : prepare_forecaster(config, *source, training, device);

    const std::string memory = check_memory(config, source->info(), device);
    const RunDirectory run = open_run(beginning, request, config);
    const RunLock lock(run);
    if (beginning.interrupted) {  // nobody else's: the lock is held
        run.remove_temporaries();
        write_atomically(run.file("config.toml"), config.toml(true));
    }
    const LogFile log(run.file("log.txt"));
    log_info(describe(device));
    log_info(memory);
    log_info(fmt::format("{} training and {} validation windows, {} parameters, run {}", training.size(),
                         validation.size(), forecaster.network().parameter_count(), run.path()));
    const TrainingData data{*source, std::move(training), std::move(validation)};
    const TrainResult result = run_training(data, forecaster, run, beginning, request);
    if (result.signal == 0) {
        const Forecaster best = Forecaster::load(run.path(), device);
        Samples(*source, best.data().window, data.validation, 1)
            .write_first(best, run.file("validation.png"), "validation");
    }
    deliver(request, result_text(result, run, source->info().units), result_json(result, run, source->info().units));
    return static_cast<int>(exit_code_of(result.signal));
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_train(const nowcell::Request& request) { return nowcell::train(request); }
