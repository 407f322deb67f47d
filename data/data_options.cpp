#include "data/data_options.h"

#include "data/period.h"

namespace nowcell {

DataOptions DataOptions::from(const Config& config) {
    DataOptions options;
    options.source = {config.text("data.path"), config.text("data.dataset"), config.text("data.layout"),
                      config.text("data.missing")};
    options.source.step_s = config.has("data.step") ? config.number("data.step") : 0.0;
    options.period = config.has("data.period") ? config.integer("data.period") : 0;
    options.prefetch = config.integer("data.prefetch");
    options.augment = AugmentOptions::from(config);
    options.window.input_steps = config.integer("data.input_steps");
    options.window.output_steps = config.integer("data.output_steps");
    options.window.stride = config.integer("data.stride");
    options.window.frame_step = config.integer("data.frame_step");
    options.window.history = history_for(options.period);
    options.split = {config.text("data.split_by"), config.numbers("data.split.train"),
                     config.numbers("data.split.validation"), config.numbers("data.split.test")};
    options.normalize = config.text("data.normalize");
    return options;
}

}  // namespace nowcell
