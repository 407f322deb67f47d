#include "train/training_state.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace nowcell {
namespace {

using Json = nlohmann::json;

// JSON has no infinity and no NaN.
Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(); }

// Walks through all fields, so that writing and reading cannot differ.
template <typename State, typename Visitor>
void for_each_field(State& state, Visitor visit) {
    visit("epoch", state.epoch);
    visit("epoch_step", state.epoch_step);
    visit("step", state.step);
    visit("validated", state.validated);
    visit("best_epoch", state.best_epoch);
    visit("best_validation_mae", state.best_mae);
    visit("validation_mae", state.last_mae);
    visit("loss_sum", state.loss_sum);
    visit("losses", state.losses);
    visit("sequences", state.sequences);
    visit("skipped", state.skipped);
    visit("rollbacks", state.rollbacks);
    visit("seconds", state.seconds);
    visit("epoch_seconds", state.epoch_seconds);
}

}  // namespace

Json TrainingState::json() const {
    Json json;
    for_each_field(*this, [&](const char* name, const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
            json[name] = finite(value);
        } else {
            json[name] = value;
        }
    });
    return json;
}

TrainingState TrainingState::from(const Json& json) {
    TrainingState state;
    for_each_field(state, [&](const char* name, auto& value) {
        const Json& found = json.at(name);
        if (!found.is_null()) found.get_to(value);
    });
    return state;
}

}  // namespace nowcell
