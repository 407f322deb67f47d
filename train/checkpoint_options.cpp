#include "train/checkpoint_options.h"

namespace nowcell {

CheckpointOptions CheckpointOptions::from(const Config& config) {
    return {config.integer("checkpoint.every"), config.integer("checkpoint.every_steps"),
            config.number("checkpoint.every_time"), config.integer("checkpoint.keep")};
}

std::vector<Key> checkpoint_keys() {
    return {
        {.name = "checkpoint.every",
         .type = KeyType::integer,
         .fallback = "1",
         .help = "epochs from one checkpoint to the next; a new best epoch and the end of a run are always saved",
         .min = 1,
         .aliases = {"checkpoint.every_epochs", "checkpoint.every_n_epochs"}},
        {.name = "checkpoint.every_steps",
         .type = KeyType::integer,
         .fallback = "0",
         .help = "steps from one checkpoint to the next inside an epoch; 0: not by steps",
         .min = 0},
        {.name = "checkpoint.every_time",
         .type = KeyType::duration,
         .fallback = "\"10m\"",
         .help = "also when this long has passed since the last one; 0: not by time"},
        {.name = "checkpoint.keep",
         .type = KeyType::integer,
         .fallback = "2",
         .help = "newest checkpoints that stay on the disk beside the best",
         .min = 1,
         .aliases = {"checkpoint.save_top_k", "checkpoint.keep_last"}},
    };
}

}  // namespace nowcell
