#include "predict/evaluation.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nowcell {

std::vector<Contender> contenders(const Forecaster& model, const std::vector<std::unique_ptr<Baseline>>& baselines) {
    std::vector<Contender> all;
    all.push_back(
        {"model", [&model](const torch::Tensor& past, std::int64_t horizon) { return model.forecast(past, horizon); }});
    for (const auto& baseline : baselines) {
        const Baseline* one = baseline.get();
        all.push_back({one->name(), [one](const torch::Tensor& past, std::int64_t horizon) {
                           return one->forecast(past, horizon);
                       }});
    }
    return all;
}

const Scores& ScoreTable::of(const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) throw Error(ExitCode::internal, "no scores of " + name);
    return scores[static_cast<std::size_t>(found - names.begin())];
}

namespace {

// What is scored together: all windows with so many input frames.
struct Round {
    const EvaluationSet& set;
    std::int64_t input_steps;
    const std::vector<Contender>& contenders;
    const Normalizer& normalizer;
    const std::function<void(std::int64_t)>& progress;
};

// Adds to the table. Returns whether any target is known.
bool score(const Round& round, ScoreTable& table) {
    WindowOptions window = round.set.window;
    window.input_steps = round.input_steps;
    if (round.set.min_input_steps > 0) window.history = 0;
    bool known = false;
    Loader loader(round.set.source, window, round.set.windows, {.batch = round.set.batch});
    loader.start_epoch(0);
    for (Batch batch; loader.next(batch);) {
        for (std::size_t i = 0; i < round.contenders.size(); ++i) {
            const Contender& contender = round.contenders[i];
            const torch::Tensor forecast = contender.forecast(batch.past, window.output_steps);
            if (forecast.sizes() != batch.target.sizes()) {
                throw Error(ExitCode::internal, contender.name + " returned another shape than the truth");
            }
            table.scores[i].add(forecast, batch.target, round.normalizer, batch.valid);
        }
        known = known || !batch.valid.defined() || batch.valid.any().item<bool>();
        const auto begin = round.set.windows.begin() + batch.first;
        for (auto one = begin; one != begin + batch.target.size(0); ++one) {
            table.times.push_back({one->recording, one->start + window.reach(window.input_steps) - 1});
        }
        if (round.progress) round.progress(static_cast<std::int64_t>(table.times.size()));
    }
    return known;
}

}  // namespace

ScoreTable evaluate(const EvaluationSet& set, const std::vector<Contender>& contenders, const Normalizer& normalizer,
                    const std::function<void(std::int64_t)>& progress) {
    ScoreTable table{{},
                     {},
                     set.source.info().units,
                     set.source.info().step_s * static_cast<double>(set.window.frame_step),
                     set.window.reach(set.window.steps()),
                     {}};
    for (const Contender& contender : contenders) {
        table.names.push_back(contender.name);
        table.scores.emplace_back(set.window.output_steps, set.images);
    }
    bool known = false;
    const std::int64_t last = set.window.input_steps;
    for (std::int64_t steps = set.min_input_steps > 0 ? set.min_input_steps : last; steps <= last; ++steps) {
        known = score({set, steps, contenders, normalizer, progress}, table) || known;
    }
    if (!known && !table.times.empty()) {
        throw Error(ExitCode::data,
                    fmt::format("every target value of the {} windows to score is missing", table.times.size()),
                    set.source.info().path, "choose another part");
    }
    return table;
}

std::int64_t min_input_steps(const Forecaster& model) {
    const std::int64_t steps = model.config().integer("eval.min_input_steps");
    const std::int64_t least = model.least_history();
    const std::int64_t most = model.data().window.input_steps;
    if (steps == 0 || (steps >= least && steps <= most)) return steps;
    throw Error(ExitCode::usage,
                fmt::format("eval.min_input_steps = {}, but this network forecasts from {} to {} input frames", steps,
                            least, most));
}

std::optional<Comparison> compare_with_best(const ScoreTable& table) {
    std::size_t best = 0;
    const auto mae = [&](std::size_t i) { return table.scores[i].value(Metric::mae, 0); };
    for (std::size_t i = 1; i < table.names.size(); ++i) {
        if (best == 0 || mae(i) < mae(best)) best = i;
    }
    if (best == 0) return {};
    std::vector<PairedParts> parts;
    for (std::size_t i = 0; i < table.times.size(); ++i) {
        const double weight = table.scores[0].window_weights()[i];
        parts.push_back({table.times[i].recording,
                         table.times[i].frame,
                         {table.scores[0].window_errors()[i], weight},
                         {table.scores[best].window_errors()[i], weight}});
    }
    const auto difference = [](const std::vector<double>& one, const std::vector<double>& other) {
        return (one[0] - other[0]) / one[1];
    };
    return Comparison{table.names[best], paired_bootstrap(std::move(parts), table.window_frames, difference)};
}

}  // namespace nowcell
