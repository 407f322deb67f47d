#include "train/train_options.h"

#include "src/error.h"
#include "src/model_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nowcell {
namespace {

[[noreturn]] void refuse(const Config& config, const std::string& key, const std::string& what,
                         const std::string& hint = "") {
    throw Error(ExitCode::usage, fmt::format("{} {}", key, what), config.where(key), hint);
}

std::uint64_t seed_of(const Config& config) { return static_cast<std::uint64_t>(config.integer("train.seed")); }

void check_classes(const LossOptions& options, const Config& config) {
    const std::vector<double>& thresholds = options.thresholds;
    if (thresholds.empty() || !std::is_sorted(thresholds.begin(), thresholds.end(), std::less_equal<>())) {
        refuse(config, "loss.thresholds", "must rise from one number to the next", "loss.thresholds = [0.5, 2, 5]");
    }
    const std::size_t classes = thresholds.size() + 1;
    if (options.threshold_weights.size() == classes) return;
    refuse(config, "loss.threshold_weights",
           fmt::format("has {} weights for {} thresholds, expected {}: one below the first threshold and one from each",
                       options.threshold_weights.size(), thresholds.size(), classes));
}

// 1 at the first lead, `upper` at the last. Source: HKO-7 benchmark, its temporal weights.
std::vector<double> growing(const std::string& growth, double upper, std::int64_t leads) {
    std::vector<double> weights;
    for (std::int64_t lead = 0; lead < leads; ++lead) {
        const double share = leads > 1 ? static_cast<double>(lead) / static_cast<double>(leads - 1) : 0.0;
        weights.push_back(growth == "linear" ? 1.0 + share * (upper - 1.0) : std::pow(upper, share));
    }
    return weights;
}

std::vector<double> weights_of_leads(const Config& config) {
    std::vector<double> weights = config.numbers("loss.lead_weights");
    const std::string growth = config.text("loss.lead_growth");
    const std::int64_t leads = config.integer("data.output_steps");
    if (weights.empty() && growth == "none") return {};
    if (!weights.empty() && growth != "none") {
        refuse(config, "loss.lead_growth", "and loss.lead_weights both weigh the lead times", "leave one of them out");
    }
    if (weights.empty()) weights = growing(growth, config.number("loss.lead_upper"), leads);
    if (static_cast<std::int64_t>(weights.size()) != leads) {
        refuse(config, "loss.lead_weights",
               fmt::format("has {} weights, expected data.output_steps = {}", weights.size(), leads));
    }
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    if (sum <= 0.0) refuse(config, "loss.lead_weights", "must not all be 0");
    for (double& weight : weights) weight *= static_cast<double>(leads) / sum;
    return weights;
}

void check_sampling(const SamplingOptions& options, const Config& config) {
    if (options.name == "none") return;
    if (!ModelOptions::from(config).guides().empty()) {
        refuse(config, "train.sampling",
               fmt::format("is \"{}\", but the decoder sees baselines and never its own forecast", options.name),
               "train.sampling = \"none\", or no model.residual_on and model.decoder_inputs");
    }
    if (options.stop > options.start) return;
    refuse(config, "train.sampling_stop",
           fmt::format("is {}, expected more than the {} of train.sampling_start", options.stop, options.start));
}

void check_curriculum(const TrainOptions& options, const Config& config) {
    const std::int64_t leads = config.integer("data.output_steps");
    if (options.curriculum_start <= leads) return;
    refuse(config, "train.curriculum_start",
           fmt::format("is {}, expected at most data.output_steps = {}", options.curriculum_start, leads));
}

}  // namespace

LossOptions LossOptions::from(const Config& config) {
    LossOptions options;
    options.name = config.text("loss.name");
    options.huber_delta = config.number("loss.huber_delta");
    options.thresholds = config.numbers("loss.thresholds");
    options.threshold_weights = config.numbers("loss.threshold_weights");
    options.gradient_weight = config.number("loss.gradient_weight");
    options.ssim_weight = config.number("loss.ssim_weight");
    options.lead_weights = weights_of_leads(config);
    check_classes(options, config);
    return options;
}

OptimizerOptions OptimizerOptions::from(const Config& config) {
    OptimizerOptions options;
    options.name = config.text("optim.name");
    options.lr = config.number("optim.lr");
    const std::vector<double> betas = config.numbers("optim.betas");
    const auto fits = [](double beta) { return beta >= 0.0 && beta < 1.0; };
    if (betas.size() != 2 || !std::all_of(betas.begin(), betas.end(), fits)) {
        refuse(config, "optim.betas", "must be two numbers of at least 0 and below 1", "optim.betas = [0.9, 0.999]");
    }
    options.beta1 = betas[0];
    options.beta2 = betas[1];
    options.eps = options.name == "adam-keras" ? 1e-7 : 1e-8;
    if (config.has("optim.eps")) options.eps = config.number("optim.eps");
    options.momentum = config.number("optim.momentum");
    options.nesterov = config.boolean("optim.nesterov");
    options.weight_decay = config.number("optim.weight_decay");
    options.grad_clip = config.number("optim.grad_clip");
    options.clip = config.text("optim.clip");
    if (options.momentum > 0.0 && options.name != "sgd") {
        refuse(config, "optim.momentum", fmt::format("is for \"sgd\", got optim.name = \"{}\"", options.name),
               "optim.betas holds Adam's");
    }
    if (options.nesterov && options.momentum == 0.0) {
        refuse(config, "optim.nesterov", "needs a momentum", "optim.momentum = 0.9");
    }
    return options;
}

ScheduleOptions ScheduleOptions::from(const Config& config) {
    ScheduleOptions options;
    options.name = config.text("schedule.name");
    options.lr = config.number("optim.lr");
    options.epochs = config.integer("train.epochs");
    options.warmup_steps = config.integer("schedule.warmup_steps");
    options.min_lr = config.number("schedule.min_lr");
    options.factor = config.number("schedule.factor");
    options.every = config.integer("schedule.every");
    options.unit = config.text("schedule.unit");
    options.rise = config.number("schedule.rise");
    options.divide = config.number("schedule.divide");
    options.divide_final = config.number("schedule.divide_final");
    options.anneal = config.text("schedule.anneal");
    options.rule = config.text("schedule.rule");
    options.patience = config.integer("schedule.patience");
    options.min_delta = config.number("schedule.min_delta");
    options.cooldown = config.integer("schedule.cooldown");
    if (options.name == "one-cycle" && options.warmup_steps > 0) {
        refuse(config, "schedule.warmup_steps", "does not go with \"one-cycle\", which rises by itself",
               "schedule.rise is the share of the run in which it does");
    }
    return options;
}

SamplingOptions SamplingOptions::from(const Config& config) {
    SamplingOptions options;
    options.name = config.text("train.sampling");
    const bool reverse = options.name == "reverse";
    options.decay = reverse ? "exponential" : "linear";
    options.start = reverse ? 25000 : 0;
    if (config.has("train.sampling_decay")) options.decay = config.text("train.sampling_decay");
    if (config.has("train.sampling_start")) options.start = config.integer("train.sampling_start");
    options.stop = config.integer("train.sampling_stop");
    options.alpha = config.number("train.sampling_alpha");
    options.seed = seed_of(config);
    check_sampling(options, config);
    return options;
}

TrainOptions TrainOptions::from(const Config& config) {
    TrainOptions options;
    options.loss = LossOptions::from(config);
    options.optimizer = OptimizerOptions::from(config);
    options.schedule = ScheduleOptions::from(config);
    options.sampling = SamplingOptions::from(config);
    options.epochs = config.integer("train.epochs");
    options.max_time_s = config.has("train.max_time") ? config.number("train.max_time") : 0.0;
    options.batch = config.integer("train.batch");
    options.accumulate = config.integer("train.accumulate");
    options.epoch_windows = config.integer("train.epoch_windows");
    options.seed = seed_of(config);
    options.patience = config.integer("train.patience");
    options.min_delta = config.number("train.min_delta");
    options.ema = config.number("train.ema");
    options.curriculum_start = config.integer("train.curriculum_start");
    options.curriculum_epochs = config.integer("train.curriculum_epochs");
    options.precision = config.text("train.precision");
    options.on_nan = config.text("train.on_nan");
    check_curriculum(options, config);
    return options;
}

}  // namespace nowcell
