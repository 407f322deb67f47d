#include "data/data_options.h"

#include "data/paired_source.h"
#include "data/period.h"

#include <utility>

namespace nowcell {

static std::vector<std::int64_t> whole_numbers(const std::vector<double>& numbers) {
    return {numbers.begin(), numbers.end()};
}

DataOptions DataOptions::from(const Config& config) {
    DataOptions options;
    options.source = {config.text("data.path"), config.text("data.dataset"), config.text("data.layout"),
                      config.text("data.missing")};
    options.source.step_s = config.has("data.step") ? config.number("data.step") : 0.0;
    options.source.rows = whole_numbers(config.numbers("data.rows"));
    options.source.columns = whole_numbers(config.numbers("data.columns"));
    options.source.trust = config.text("data.trust");
    options.source.readers = static_cast<int>(config.integer("data.readers"));
    options.source.limits = {static_cast<std::int64_t>(config.number("data.limits.memory")),
                             config.number("data.limits.request_s")};
    options.target = options.source;
    options.target.dataset = config.text("data.target");
    const std::string target_path = config.has("data.target_path") ? config.text("data.target_path") : "";
    if (!target_path.empty()) options.target.path = target_path;
    options.window.paired = !target_path.empty() || !options.target.dataset.empty();
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

std::unique_ptr<FrameSource> open_data(const DataOptions& options) {
    std::unique_ptr<FrameSource> source = open_source(options.source);
    return options.window.paired ? pair_sources(std::move(source), open_source(options.target)) : std::move(source);
}

}  // namespace nowcell
