// The data that users name for a trained model, opened as the model needs them.
#pragma once

#include "predict/forecaster.h"
#include "src/verb.h"

#include <memory>
#include <optional>
#include <string>

namespace nowcell {

/// What a forecast or a score is made from.
struct InputChoice {
    std::string path;
    std::optional<std::string> dataset = {};  ///< not set: as in training, else the only one
    std::optional<std::string> target = {};   ///< of pairs, the file of what is to be forecast; not set: as in training
};

/// --input, --dataset and --target of a request.
InputChoice input_choice(const Request& request);

/// The model that `name` (RUN or FILE) means, with --device and what the request overrides.
/// Throws as Forecaster::load and choose_device do.
Forecaster load_model(const Request& request, const std::string& name);

/// The source that is named: read as in training where that fits, else as the file itself suggests.
/// Throws as open_source and Forecaster::check_source do.
std::unique_ptr<FrameSource> open_input(const InputChoice& input, const Forecaster& model);

/// The input with the targets of its pairs, which are in its own file unless a file was named.
std::unique_ptr<FrameSource> open_scored(const InputChoice& input, const Forecaster& model);

}  // namespace nowcell
