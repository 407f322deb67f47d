#include "train/train_options.h"

namespace nowcell {

TrainOptions TrainOptions::from(const Config& config) {
    TrainOptions options;
    options.loss = config.text("loss.name");
    options.optimizer = config.text("optim.name");
    options.lr = config.number("optim.lr");
    options.weight_decay = config.number("optim.weight_decay");
    options.grad_clip = config.number("optim.grad_clip");
    options.schedule = config.text("schedule.name");
    options.warmup_steps = config.integer("schedule.warmup_steps");
    options.min_lr = config.number("schedule.min_lr");
    options.epochs = config.integer("train.epochs");
    options.max_time_s = config.has("train.max_time") ? config.number("train.max_time") : 0.0;
    options.batch = config.integer("train.batch");
    options.epoch_windows = config.integer("train.epoch_windows");
    options.seed = static_cast<std::uint64_t>(config.integer("train.seed"));
    options.patience = config.integer("train.patience");
    options.ema = config.number("train.ema");
    return options;
}

}  // namespace nowcell
