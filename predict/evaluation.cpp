#include "predict/evaluation.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>

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

ScoreTable evaluate(const EvaluationSet& set, const std::vector<Contender>& contenders, const Normalizer& normalizer,
                    const std::function<void(std::int64_t)>& progress) {
    ScoreTable table{
        {}, {}, set.source.info().units, set.source.info().step_s * static_cast<double>(set.window.frame_step)};
    for (const Contender& contender : contenders) {
        table.names.push_back(contender.name);
        table.scores.emplace_back(set.window.output_steps, set.images);
    }
    Loader loader(set.source, set.window, set.windows, {.batch = set.batch});
    loader.start_epoch(0);
    std::int64_t done = 0;
    bool known = false;
    for (Batch batch; loader.next(batch);) {
        for (std::size_t i = 0; i < contenders.size(); ++i) {
            const torch::Tensor forecast = contenders[i].forecast(batch.past, set.window.output_steps);
            if (forecast.sizes() != batch.target.sizes()) {
                throw Error(ExitCode::internal, contenders[i].name + " returned another shape than the truth");
            }
            table.scores[i].add(forecast, batch.target, normalizer, batch.valid);
        }
        known = known || !batch.valid.defined() || batch.valid.any().item<bool>();
        done += batch.target.size(0);
        if (progress) progress(done);
    }
    if (!known && done > 0) {
        throw Error(ExitCode::data, fmt::format("every target value of the {} windows to score is missing", done),
                    set.source.info().path, "choose another part");
    }
    return table;
}

}  // namespace nowcell
