#include "predict/evaluation.h"

#include "src/error.h"
#include "src/log.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace nowcell {
namespace {

bool has(const std::vector<Quantity>& all, const Quantity& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

void append_new(std::vector<Quantity>& all, const std::vector<Quantity>& more) {
    for (const Quantity& one : more) {
        if (!has(all, one)) all.push_back(one);
    }
}

torch::Tensor forecast_of(const Contender& contender, const Batch& batch, std::int64_t horizon,
                          const std::vector<torch::Tensor>& others) {
    if (contender.of.empty()) return contender.forecast(batch, horizon);
    std::vector<torch::Tensor> members;
    for (const std::size_t one : contender.of) members.push_back(others[one]);
    return at::stack(members, 1);
}

void check_shape(const Contender& contender, const torch::Tensor& forecast, const torch::Tensor& truth) {
    std::vector<std::int64_t> expected = truth.sizes().vec();
    if (contender.members > 1) expected.insert(expected.begin() + 1, contender.members);
    if (forecast.sizes() == expected) return;
    throw Error(ExitCode::internal, contender.name + " returned another shape than the truth");
}

// A score without a value is explained.
void warn_of_missing(const ScoreTable& table) {
    for (const ForecasterScores& row : table.rows) {
        const MissingForecasts& missing = row.fields.missing();
        if (missing.values == 0) continue;
        const ForecastTime& at = table.times[static_cast<std::size_t>(missing.window)];
        log_warning(
            fmt::format("{} has no finite value at {} places of {} frames where the truth is known, first in "
                        "recording {}, made after frame {}, at lead {}: {}",
                        row.name, missing.values, missing.frames, at.recording, at.frame, missing.lead,
                        table.dialect == "pysteps" ? "they take no part" : "those lead times have no score"));
    }
}

// Windows in the order of a loader that does not shuffle.
NextCases cases_of(Loader& loader, const std::vector<Window>& windows, const WindowOptions& window) {
    return [&loader, &windows, window](Batch& batch, std::vector<ForecastTime>& times) {
        if (!loader.next(batch)) return false;
        const auto begin = windows.begin() + batch.first;
        for (auto one = begin; one != begin + batch.target.size(0); ++one) {
            times.push_back({one->recording, one->start + window.reach(window.input_steps) - 1});
        }
        return true;
    };
}

std::vector<std::int64_t> sides(const Config& config, const std::string& key) {
    std::vector<std::int64_t> out;
    for (const double side : config.numbers(key)) {
        if (side != std::floor(side)) {
            throw Error(ExitCode::usage, fmt::format("{} has {}, expected whole numbers of pixels", key, side),
                        config.where(key));
        }
        out.push_back(static_cast<std::int64_t>(side));
    }
    return out;
}

}  // namespace

Contender contender(const Baseline& baseline) {
    return {baseline.name(),
            [&baseline](const Batch& batch, std::int64_t horizon) { return baseline.forecast(batch.past, horizon); },
            /*baseline=*/true};
}

std::vector<Contender> contenders(const Forecaster& model, const std::vector<std::unique_ptr<Baseline>>& baselines) {
    std::vector<Contender> all;
    all.push_back(
        {"model", [&model](const Batch& batch, std::int64_t horizon) { return model.forecast(batch.past, horizon); }});
    for (const auto& baseline : baselines) all.push_back(contender(*baseline));
    return all;
}

std::vector<Quantity> ForecasterScores::quantities() const {
    std::vector<Quantity> all = fields.quantities();
    if (ensemble) append_new(all, ensemble->quantities());
    return all;
}

double ForecasterScores::value(const Quantity& quantity, std::int64_t lead) const {
    const bool of_members = ensemble && !has(fields.quantities(), quantity);
    return of_members ? ensemble->value(quantity, lead) : fields.value(quantity, lead);
}

std::vector<ScoreCurve> ForecasterScores::curves() const {
    std::vector<ScoreCurve> all = fields.curves();
    if (!ensemble) return all;
    for (ScoreCurve& curve : ensemble->curves()) all.push_back(std::move(curve));
    return all;
}

const Scores& ScoreTable::of(const std::string& name) const {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
    if (found == rows.end()) throw Error(ExitCode::internal, "no scores of " + name);
    return found->fields;
}

std::vector<Quantity> ScoreTable::quantities() const {
    std::vector<Quantity> all;
    for (const ForecasterScores& row : rows) append_new(all, row.quantities());
    return all;
}

ScoreTable empty_table(const std::vector<Contender>& contenders, std::int64_t leads, const ScoreOptions& options,
                       const SourceInfo& info, const WindowOptions& window) {
    ScoreTable table{{},
                     info.units,
                     info.step_s * static_cast<double>(window.frame_step),
                     options.dialect,
                     window.reach(window.steps()),
                     {}};
    for (const Contender& contender : contenders) {
        std::optional<EnsembleScores> ensemble;
        if (contender.members > 1) ensemble.emplace(leads, contender.members, options);
        table.rows.push_back({contender.name, contender.baseline, Scores(leads, options), std::move(ensemble)});
    }
    return table;
}

bool score(const NextCases& next, const std::vector<Contender>& contenders, ScoreTable& table,
           const std::function<void(std::int64_t)>& progress) {
    bool known = false;
    std::vector<torch::Tensor> forecasts(contenders.size());
    for (Batch batch; next(batch, table.times);) {
        for (std::size_t i = 0; i < contenders.size(); ++i) {
            forecasts[i] = forecast_of(contenders[i], batch, batch.target.size(1), forecasts);
            check_shape(contenders[i], forecasts[i], batch.target);
            ForecasterScores& row = table.rows[i];
            if (row.ensemble) row.ensemble->add(forecasts[i], batch.target, batch.valid);
            row.fields.add(row.ensemble ? forecasts[i].mean(1) : forecasts[i], batch.target, batch.valid);
        }
        known = known || !batch.valid.defined() || batch.valid.any().item<bool>();
        if (progress) progress(static_cast<std::int64_t>(table.times.size()));
    }
    warn_of_missing(table);
    return known;
}

ScoreTable evaluate(const EvaluationSet& set, const std::vector<Contender>& contenders, const ScoreOptions& options,
                    const std::function<void(std::int64_t)>& progress) {
    ScoreTable table = empty_table(contenders, set.window.output_steps, options, set.source.info(), set.window);
    bool known = false;
    const std::int64_t last = set.window.input_steps;
    for (std::int64_t steps = set.min_input_steps > 0 ? set.min_input_steps : last; steps <= last; ++steps) {
        WindowOptions window = set.window;
        window.input_steps = steps;
        if (set.min_input_steps > 0) window.history = 0;
        Loader loader(set.source, window, set.windows, {.batch = set.batch});
        loader.start_epoch(0);
        known = score(cases_of(loader, set.windows, window), contenders, table, progress) || known;
    }
    if (!known && !table.times.empty()) {
        throw Error(ExitCode::data,
                    fmt::format("every target value of the {} windows to score is missing", table.times.size()),
                    set.source.info().path, "choose another part");
    }
    return table;
}

ScoreOptions score_options(const Config& config) {
    ScoreOptions options;
    options.dialect = config.text("eval.dialect");
    options.metrics = config.texts("eval.metrics");
    options.thresholds = config.numbers("eval.thresholds");
    options.fss_scales = sides(config, "eval.fss_scales");
    options.csi_pools = sides(config, "eval.csi_pools");
    const std::vector<double> range = config.numbers("eval.range");
    if (range.empty()) return options;
    if (range.size() != 2 || !(range[0] < range[1])) {
        throw Error(ExitCode::usage, "eval.range must be [min, max] with min < max", config.where("eval.range"));
    }
    options.min = range[0];
    options.max = range[1];
    return options;
}

ScoreOptions score_options(const Forecaster& model) {
    ScoreOptions options = score_options(model.config());
    options.units = model.trained_on().units;
    if (!model.config().numbers("eval.range").empty()) return options;
    options.min = model.normalizer().min;
    options.max = model.normalizer().max;
    return options;
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

}  // namespace nowcell
