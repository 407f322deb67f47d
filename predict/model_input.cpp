#include "predict/model_input.h"

#include "data/paired_source.h"
#include "src/device.h"
#include "src/error.h"
#include "src/log.h"

#include <fmt/format.h>

namespace nowcell {

InputChoice input_choice(const Request& request) {
    InputChoice choice{request.text("--input")};
    if (request.has("--dataset")) choice.dataset = request.text("--dataset");
    if (request.has("--target")) choice.target = request.text("--target");
    return choice;
}

Forecaster load_model(const Request& request, const std::string& name) {
    make_deterministic(0);  // the same bits from run to run, whichever verb forecasts
    return Forecaster::load(name, choose_device(request.text("--device", "auto")), request.overrides());
}

std::unique_ptr<FrameSource> open_input(const InputChoice& input, const Forecaster& model) {
    SourceOptions options = model.data().source;
    options.path = input.path;
    options.dataset = input.dataset.value_or(options.dataset);
    std::unique_ptr<FrameSource> source;
    try {
        source = open_source(options);
    } catch (const Error&) {
        if (input.dataset || (options.dataset.empty() && options.layout == "auto")) throw;
        if (!options.dataset.empty()) {
            log_warning(fmt::format("{} is read as it suggests itself: no dataset {} of layout {} as in training",
                                    options.path, options.dataset, options.layout));
        }
        options.dataset.clear();
        options.layout = "auto";
        source = open_source(options);
    }
    model.check_source(source->info());
    return source;
}

std::unique_ptr<FrameSource> open_scored(const InputChoice& input, const Forecaster& model) {
    std::unique_ptr<FrameSource> source = open_input(input, model);
    if (!model.data().window.paired) return source;
    SourceOptions options = model.data().target;
    if (input.target) {
        options.path = *input.target;
    } else if (!model.config().has("data.target_path") || model.config().text("data.target_path").empty()) {
        options.path = input.path;
    } else if (!model.trained_on().is(source->info())) {
        throw Error(ExitCode::usage, "the model was trained on pairs, and the input is not the data of its run",
                    input.path, "--target FILE: what is to be forecast from this input");
    }
    return pair_sources(std::move(source), open_source(options));
}

}  // namespace nowcell
