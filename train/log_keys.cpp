#include "train/log_keys.h"

namespace nowcell {

LogOptions LogOptions::from(const Config& config) {
    return {config.integer("log.every_steps"), config.boolean("log.tensorboard"), config.integer("log.pictures_every"),
            config.integer("log.pictures")};
}

std::vector<Key> log_keys() {
    return {
        {.name = "log.every_steps",
         .type = KeyType::integer,
         .fallback = "20",
         .help = "events.jsonl and TensorBoard get every n-th training step, and every skipped one",
         .min = 1},
        {.name = "log.tensorboard",
         .type = KeyType::boolean,
         .fallback = "true",
         .help = "write the numbers and sample pictures for TensorBoard too, to tb/ in the run directory"},
        {.name = "log.pictures_every",
         .type = KeyType::integer,
         .fallback = "1",
         .help = "epochs after which forecasts of validation windows are drawn to samples/; 0: never",
         .min = 0},
        {.name = "log.pictures",
         .type = KeyType::integer,
         .fallback = "1",
         .help = "how many validation windows are drawn, the first ones",
         .min = 1,
         .max = 100},
    };
}

}  // namespace nowcell
