#include "train/prepare.h"

#include "data/period.h"
#include "predict/scores/ssim.h"
#include "src/error.h"
#include "src/log.h"
#include "train/train_options.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

namespace nowcell {
namespace {

// What ties a network or its inputs to where a pixel stands cannot learn from other views.
void check_augmentation(const AugmentOptions& augment, const SourceInfo& info, const ModelOptions& model) {
    augment.check(info);
    if (!augment.spatial()) return;
    const std::vector<std::string> guides = model.guides();
    if (std::find(guides.begin(), guides.end(), "climatology") != guides.end()) {
        throw Error(ExitCode::usage,
                    "data.augment moves pixels, but the network sees the climatology, which has a value for each", "",
                    "data.augment = [\"reverse-time\"], or no \"climatology\" in model.residual_on and "
                    "model.decoder_inputs");
    }
    if (augment.crop.empty() && !augment.rotate90) return;
    const FrameSize size{augment.height(info.height), augment.width(info.width)};
    if (const std::string tie = model.tie(); !tie.empty() && !augment.crop.empty()) {
        throw Error(ExitCode::usage, fmt::format("data.augment_crop trains on {}x{}, but {} ties the network to {}x{}",
                                                 size.height, size.width, tie, info.height, info.width));
    }
    if (const auto problem = misfit(model, size, {})) {
        throw Error(ExitCode::usage, "data.augment_crop: " + problem->what, "", problem->hint);
    }
}

// Next-frame pairs are taught from the first frame on, so that there is no last input frame to be relative to.
void check_pairs(const DataOptions& data, const ModelOptions& model) {
    if (!data.window.paired || !model.relative || model.strategy != "next-frame") return;
    throw Error(ExitCode::usage, "data.target with model.strategy = \"next-frame\" cannot have model.relative = true",
                "", "model.relative = false");
}

void check_output(const ModelOptions& model, const DataOptions& data, const Normalizer& normalizer) {
    // The normaliser knows what is seen; of pairs, what is taught may have another range.
    if (!data.window.paired) {
        const torch::Tensor range = normalizer.apply(at::tensor({normalizer.min, normalizer.max}, at::kDouble));
        check_output_range(model, range[0].item<double>(), range[1].item<double>());
    }
    if (!model.leaks()) return;
    log_warning(
        "model.time_padding = \"same\" leaks: the network is taught with the very frame that it is to forecast, so its "
        "training loss says little about its forecasts");
}

void check_loss(const LossOptions& loss, const AugmentOptions& augment, const SourceInfo& info, const Config& config) {
    const std::int64_t height = augment.height(info.height), width = augment.width(info.width);
    if (!loss.needs_ssim() || std::min(height, width) >= kSsimWindow) return;
    const std::string key = loss.name == "ssim" ? "loss.name" : "loss.ssim_weight";
    throw Error(
        ExitCode::usage,
        fmt::format("{}: SSIM needs frames of at least {}x{}, got {}x{}", key, kSsimWindow, kSsimWindow, height, width),
        config.where(key), "loss.name = \"mae\", loss.ssim_weight = 0");
}

}  // namespace

void settle_period(Config& config, const SourceInfo& info) {
    if (config.has("data.period")) return;
    const Period found = find_period(info, DataOptions::from(config));
    config.set("data.period", found.steps, found.why);
    if (found.steps > 0) log_info(fmt::format("period {} steps: {}", found.steps, found.why));
    if (found.steps == 0 && info.step_s > 0.0) log_info(fmt::format("no period: {}", found.why));
}

TrainingWindows cut_training_windows(const Config& config, const SourceInfo& info) {
    const DataOptions data = DataOptions::from(config);
    WindowOptions checking = data.window;
    checking.stride = config.integer("eval.validation_stride");
    return {cut_windows(info, data.window, data.split, Part::train),
            cut_windows(info, checking, data.split, Part::validation)};
}

Forecaster prepare_forecaster(const Config& config, const FrameSource& source, const std::vector<Window>& training,
                              torch::Device device) {
    const DataOptions data = DataOptions::from(config);
    const ModelOptions model = ModelOptions::from(config);
    const SourceInfo& info = source.info();
    check_augmentation(data.augment, info, model);
    check_pairs(data, model);
    check_loss(LossOptions::from(config), data.augment, info, config);
    const Normalizer normalizer = Normalizer::fit(data.normalize, source, data.split);
    check_output(model, data, normalizer);
    BaselineOptions baselines{data.period, 0.0, training_mean(source, data.split)};
    if (data.period > 0) baselines.decay = fit_decay(source, training, data.window, data.period);
    TrainedOn trained_on{info.channels, info.height, info.width,   info.units,
                         info.step_s,   info.path,   info.dataset, info.fingerprint};
    auto network = make_sequence_model(info.channels, model, trained_on.frame());
    Forecaster forecaster(config, std::move(network), normalizer, std::move(baselines), std::move(trained_on), device);
    forecaster.check_source(info);
    return forecaster;
}

}  // namespace nowcell
