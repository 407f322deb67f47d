#include "predict/model_trial.h"

#include "src/device.h"
#include "src/engine_log.h"
#include "src/error.h"
#include "src/log.h"

#include <fmt/format.h>

#include <algorithm>

namespace nowcell {
namespace {

// The part of the data to score, and why.
struct ChosenPart {
    Part part;
    std::string why;
    SplitOptions split;
};

ChosenPart choose_part(const std::string& asked, const Models& models, const SourceInfo& info) {
    const Forecaster* own = nullptr;
    for (const NamedModel& one : models) {
        if (!one.model->trained_on().is(info)) continue;
        if (own == nullptr) own = one.model.get();
        const SplitOptions& split = one.model->data().split;
        if (split.train == own->data().split.train && split.test == own->data().split.test) continue;
        log_warning(fmt::format("{} was trained on another part of {}: what is scored may hold frames that it has seen",
                                one.name, info.path));
    }
    const SplitOptions split = (own != nullptr ? own : models.front().model.get())->data().split;
    if (!asked.empty()) {
        return {part_from(asked), own != nullptr ? "as asked, of the run's own data" : "as asked, of other data",
                split};
    }
    if (own != nullptr) return {Part::test, "the run's own data: the part it never saw", split};
    return {Part::all, "not the run's own data: all windows", split};
}

// The windows of the first model, far enough back for the others.
WindowOptions common_window(const Models& models, std::int64_t leads, std::int64_t least) {
    const Forecaster& first = *models.front().model;
    WindowOptions window = first.data().window;
    window.stride = first.config().integer("eval.stride");
    if (leads > 0) window.output_steps = leads;
    if (least > 0) window.history = 0;
    for (const NamedModel& one : models) {
        const WindowOptions& its = one.model->data().window;
        if (its.frame_step != window.frame_step || its.paired != window.paired) {
            throw Error(ExitCode::usage,
                        fmt::format("{} and {} cannot be scored together: data.frame_step or data.target differ",
                                    models.front().name, one.name));
        }
        if (least == 0) window.history = std::max(window.history, one.model->history());
    }
    return window;
}

std::int64_t shortest_input(const Models& models) {
    const std::int64_t least = min_input_steps(*models.front().model);
    if (least == 0 || models.size() == 1) return least;
    throw Error(ExitCode::usage, "eval.min_input_steps is for one model at a time", "", "--set eval.min_input_steps=0");
}

// What is scored, and the baselines that go with it.
struct Trial {
    std::unique_ptr<FrameSource> source;
    ChosenPart chosen;
    WindowOptions window;
    std::vector<Window> windows;
    std::vector<std::unique_ptr<Baseline>> baselines;
    std::int64_t least = 0;
};

BaselineOptions known_baselines(const Models& models, const SourceInfo& info) {
    const Forecaster& first = *models.front().model;
    BaselineOptions known = first.baselines();
    if (info.height != first.trained_on().height || info.width != first.trained_on().width) {
        known.climatology = torch::Tensor();
        log_warning("frames of another size than in training: no climatology row");
    }
    if (known.period == 0) log_info("data.period = 0: no seasonal and no anomaly row");
    return known;
}

Trial prepare(const Models& models, const TrialChoice& choice) {
    const Forecaster& first = *models.front().model;
    Trial trial;
    trial.source = open_scored(choice.input, first);
    const SourceInfo& info = trial.source->info();
    for (const NamedModel& one : models) one.model->check_source(info);
    trial.chosen = choose_part(choice.split, models, info);
    trial.least = shortest_input(models);
    trial.window = common_window(models, choice.leads, trial.least);
    BaselineOptions known = known_baselines(models, info);
    const auto cut = [&] { return cut_windows(info, trial.window, trial.chosen.split, trial.chosen.part); };
    try {
        trial.windows = cut();
    } catch (const Error&) {  // too short for the cycle, but perhaps not for the model
        if (trial.least > 0) throw;
        trial.window.history = 2;
        for (const NamedModel& one : models)
            trial.window.history = std::max(trial.window.history, one.model->history());
        if (known.period == 0 || trial.window.history > known.period) throw;
        trial.windows = cut();
        known.period = 0;
        log_warning("recordings are too short for a period before each window: no seasonal and no anomaly row");
    }
    trial.baselines = chosen_baselines(known, first.config().texts("eval.baselines"));
    const std::int64_t past = trial.least > 0 ? trial.least : trial.window.past_steps();
    leave_out_longer(
        past,
        trial.least > 0 ? fmt::format("eval.min_input_steps = {}", trial.least) : fmt::format("windows have {}", past),
        trial.baselines);
    return trial;
}

std::vector<Contender> contenders_of(const Models& models, const Trial& trial, bool ensemble) {
    std::vector<Contender> all;
    for (const NamedModel& one : models) {
        all.push_back(
            {models.size() == 1 ? "model" : one.name, [model = one.model](const Batch& batch, std::int64_t horizon) {
                 return model->forecast(batch.past, horizon);
             }});
    }
    if (ensemble) {
        Contender together{"ensemble", {}};
        together.members = static_cast<std::int64_t>(models.size());
        for (std::size_t i = 0; i < models.size(); ++i) together.of.push_back(i);
        all.push_back(std::move(together));
    }
    for (const auto& baseline : trial.baselines) all.push_back(contender(*baseline));
    return all;
}

std::string joined(const Models& models) {
    std::string out;
    for (const NamedModel& one : models) out += (out.empty() ? "" : ", ") + one.name;
    return out;
}

// One window alone, with the forecast of the first contender.
SampleOf sampler(std::shared_ptr<Trial> trial, std::vector<Contender> contenders) {
    return [trial = std::move(trial), contenders = std::move(contenders)](std::int64_t index) {
        WindowOptions window = trial->window;
        const auto windows = static_cast<std::int64_t>(trial->windows.size());
        if (trial->least > 0) window.input_steps = trial->least + index / windows;
        const Window& at = trial->windows[static_cast<std::size_t>(index % windows)];
        const Batch batch = read_windows(*trial->source, window, {at});
        const torch::Tensor input =
            batch.past[0].slice(0, std::max<std::int64_t>(0, batch.past.size(1) - window.input_steps));
        return Forecast{input, contenders.front().forecast(batch, window.output_steps)[0], batch.target[0],
                        fmt::format("recording {}, frame {}", at.recording, at.start + window.input_steps - 1)};
    };
}

void check_ensemble(const TrialChoice& choice, std::size_t models) {
    if (!choice.ensemble || models > 1) return;
    throw Error(ExitCode::usage, "--ensemble needs several models, or forecasts whose channels are members", "",
                "--model A --model B --ensemble");
}

}  // namespace

void leave_out_longer(std::int64_t least, const std::string& why, std::vector<std::unique_ptr<Baseline>>& baselines) {
    const auto longer = [&](const auto& baseline) { return baseline->history() > least; };
    for (const auto& baseline : baselines) {
        if (!longer(baseline)) continue;
        log_info(fmt::format("no {} row: it needs {} frames, {}", baseline->name(), baseline->history(), why));
    }
    baselines.erase(std::remove_if(baselines.begin(), baselines.end(), longer), baselines.end());
}

Scored evaluate_models(const Models& models, const TrialChoice& choice) {
    check_ensemble(choice, models.size());
    const auto trial = std::make_shared<Trial>(prepare(models, choice));
    const Forecaster& first = *models.front().model;
    const std::vector<Contender> all = contenders_of(models, *trial, choice.ensemble);
    ScoreOptions options = score_options(first);
    options.units = trial->source->info().units;
    check_gates(choice.gates,
                empty_table(all, trial->window.output_steps, options, trial->source->info(), trial->window));
    log_info(describe(first.device()));
    ProgressLine progress;
    const EvaluationSet set{*trial->source, trial->window, trial->windows, first.config().integer("eval.batch"),
                            trial->least};
    const std::size_t lengths =
        trial->least > 0 ? static_cast<std::size_t>(trial->window.input_steps - trial->least + 1) : 1;
    ScoreTable table = evaluate(set, all, options, [&](std::int64_t done) {
        progress.update(fmt::format("scored {} of {} windows", done, set.windows.size() * lengths));
    });
    log_engines();
    std::vector<Comparison> comparisons = compare(table);
    ScoreReport report{{joined(models), choice.input.path, to_string(trial->chosen.part), trial->chosen.why},
                       std::move(table),
                       std::move(comparisons)};
    return {std::move(report), sampler(trial, all)};
}

}  // namespace nowcell
