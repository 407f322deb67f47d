// The handler of train.
#include "src/device.h"
#include "src/error.h"
#include "src/json.h"
#include "src/log.h"
#include "src/report.h"
#include "train/prepare.h"
#include "train/run_facts.h"
#include "train/samples.h"
#include "train/trainer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>

namespace nowcell {
namespace {

double waiting_percent(const TrainResult& result) {
    return 100.0 * result.waited_s / std::max(1e-9, result.training_s);
}

std::string result_text(const TrainResult& result, const RunDirectory& run, const std::string& units) {
    return fmt::format(
        "{}\nended by {} after {} epoch{} and {:.0f} s ({:.1f} % of the steps' time waiting for data); best epoch {}: "
        "validation MAE {:.5g}{}\n"
        "next: nowcell evaluate --model {} --input DATA\n",
        run.path(), result.why, result.epochs, result.epochs == 1 ? "" : "s", result.seconds, waiting_percent(result),
        result.best_epoch, result.best_mae, units == "1" ? "" : " " + units, run.path());
}

std::string result_json(const TrainResult& result, const RunDirectory& run, const std::string& units) {
    const nlohmann::ordered_json report = {{"schema", "nowcell.train/1"},
                                           {"run", run.path()},
                                           {"ended_by", result.why},
                                           {"epochs", result.epochs},
                                           {"seconds", result.seconds},
                                           {"waiting_percent", waiting_percent(result)},
                                           {"best_epoch", result.best_epoch},
                                           {"best_validation_mae", result.best_mae},
                                           {"unit", units}};
    return json_text(report);
}

// A run that fails before its first checkpoint leaves nothing behind.
TrainResult run_training(const FrameSource& source, const std::vector<Window>& training,
                         const std::vector<Window>& validation, Forecaster& forecaster, const RunDirectory& run,
                         const Request& request) {
    try {
        Trainer trainer(source, training, validation, forecaster, run);
        trainer.recorder().started(run_facts(request, forecaster, source.info()));
        return trainer.run();
    } catch (...) {
        if (!std::filesystem::exists(run.checkpoint("best"))) run.discard();
        throw;
    }
}

int train(const Request& request) {
    Config config = request.config();
    choose_threads(request);
    const torch::Device device = choose_device(config.text("train.device"));
    make_deterministic(static_cast<std::uint64_t>(config.integer("train.seed")));

    const auto source = open_source(DataOptions::from(config).source);
    settle_period(config, source->info());
    const auto [training, validation] = cut_training_windows(config, source->info());
    Forecaster forecaster = prepare_forecaster(config, *source, training, device);

    const RunDirectory run =
        RunDirectory::create(request.text("--output"), request.text("--config"), config, request.has("--force"));
    const LogFile log(run.file("log.txt"));
    log_info(describe(device));
    log_info(fmt::format("{} training and {} validation windows, {} parameters, run {}", training.size(),
                         validation.size(), forecaster.network().parameter_count(), run.path()));
    const TrainResult result = run_training(*source, training, validation, forecaster, run, request);
    const Forecaster best = Forecaster::load(run.path(), device);
    Samples(*source, best.data().window, validation, 1).write_first(best, run.file("validation.png"), "validation");
    deliver(request, result_text(result, run, source->info().units), result_json(result, run, source->info().units));
    if (result.signal == SIGINT) return static_cast<int>(ExitCode::interrupted);
    return static_cast<int>(result.signal == SIGTERM ? ExitCode::terminated : ExitCode::ok);
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_train(const nowcell::Request& request) { return nowcell::train(request); }
