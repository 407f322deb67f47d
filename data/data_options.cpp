#include "data/data_options.h"

#include <algorithm>

namespace nowcell {

DataOptions DataOptions::from(const Config& config) {
    DataOptions options;
    options.source = {config.text("data.path"), config.text("data.dataset"), config.text("data.layout"),
                      config.text("data.missing")};
    options.source.step_s = config.has("data.step") ? config.number("data.step") : 0.0;
    options.period = config.integer("data.period");
    options.window.input_steps = config.integer("data.input_steps");
    options.window.output_steps = config.integer("data.output_steps");
    options.window.stride = config.integer("data.stride");
    // What the baselines of the score table look back: two frames for motion, a cycle and one for the anomaly.
    options.window.history = std::max<std::int64_t>(2, options.period > 0 ? options.period + 1 : 0);
    options.split = {config.text("data.split_by"), config.numbers("data.split.train"),
                     config.numbers("data.split.validation"), config.numbers("data.split.test")};
    options.normalize = config.text("data.normalize");
    return options;
}

}  // namespace nowcell
