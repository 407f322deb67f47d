#include "predict/report/section.h"

#include "predict/pictures/score_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace nowcell {
namespace {

constexpr std::size_t kMostPoints = 400;  // of a curve: more than a screen shows

Markup facts_list(const std::vector<std::pair<std::string, std::string>>& facts) {
    Markup items;
    for (const auto& [name, value] : facts) {
        if (!value.empty()) items += element("div", element("dt", name) + element("dd", value));
    }
    return element("dl", items, {{"class", "facts"}});
}

std::string state_of(const RunFiles& run) {
    const std::string state = run.fact("state");
    if (state.empty()) return "unknown: run.json is missing or does not say";
    if (state == "running") return "running, or killed";
    const std::string why = run.fact("error");
    return why.empty() ? state : state + ": " + why;
}

// "2026-01-02T10:00:00Z" as people write it; else as it is.
std::string time_of(std::string time) {
    if (time.size() != 20 || time[10] != 'T' || time.back() != 'Z') return time;
    return time.replace(10, 1, " ").replace(19, 1, " UTC");
}

std::string counted(const std::string& count, const std::string& noun) {
    return grouped(count) + " " + noun + (count == "1" ? "" : "s");
}

std::string data_of(const RunFiles& run) {
    const std::string path = run.fact("data", "path"), dataset = run.fact("data", "dataset");
    if (path.empty()) return "";
    std::string text = path + (dataset.empty() ? "" : ", " + dataset);
    const std::string recordings = run.fact("data", "recordings"), frames = run.fact("data", "frames");
    if (!frames.empty()) text += "; " + counted(frames, "frame") + " in " + counted(recordings, "recording");
    const auto data = run.facts.find("data");
    const auto frame = data != run.facts.end() && data->is_object() ? data->find("frame") : data;
    if (data != run.facts.end() && data->is_object() && frame != data->end() && frame->is_array() &&
        frame->size() == 3) {
        text += fmt::format("; each {} of {} \u00d7 {} px", counted((*frame)[0].dump(), "channel"), (*frame)[1].dump(),
                            (*frame)[2].dump());
    }
    return text;
}

std::string best_of_run(const RunFiles& run) {
    const std::string epoch = run.fact("best", "epoch"), mae = run.fact("best", "val_mae");
    if (epoch.empty()) return "";
    const std::string unit = run.fact("best", "unit");
    return fmt::format("epoch {}, validation MAE {}{}", epoch, mae, unit.empty() || unit == "1" ? "" : " " + unit);
}

// Every n-th point, and always the last.
std::vector<EpochRow> thinned_rows(const std::vector<EpochRow>& rows) {
    const std::size_t stride = (rows.size() + kMostPoints - 1) / kMostPoints;
    std::vector<EpochRow> kept;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (i % std::max<std::size_t>(stride, 1) == 0 || i + 1 == rows.size()) kept.push_back(rows[i]);
    }
    return kept;
}

void add_curves(Section& section, const RunFiles& run) {
    if (run.epochs.empty()) {
        section.add("curves",
                    element("p", "No curves: the run has no metrics.csv, or not a row in it.", {{"class", "note"}}));
        return;
    }
    Curve validation{"", {}, {}}, training{"", {}, {}};
    for (const EpochRow& row : thinned_rows(run.epochs)) {
        validation.x.push_back(row.epoch);
        validation.y.push_back(row.validation_mae);
        training.x.push_back(row.epoch);
        training.y.push_back(row.train_loss);
    }
    const std::string unit = run.fact("best", "unit");
    const std::string label = unit.empty() || unit == "1" ? "MAE" : "MAE [" + unit + "]";
    const double first = run.epochs.front().validation_mae, last = run.epochs.back().validation_mae;
    section.add({.drawing = picture_of({.x_label = "epoch", .y_label = label, .curves = {validation}}, 600, 360),
                 .alt = fmt::format("Curve of the validation error over {} epochs, from {:.4g} to {:.4g}",
                                    run.epochs.size(), first, last),
                 .caption = "Error on the validation part after each epoch",
                 .half = true});
    section.add({.drawing = picture_of({.x_label = "epoch", .y_label = "loss", .curves = {training}}, 600, 360),
                 .alt = "Curve of the training loss over the epochs",
                 .caption = "Training loss of each epoch, in the units of the network",
                 .half = true});
}

}  // namespace

void add_run(Section& section, const RunFiles& run) {
    const std::string parameters = run.fact("parameters");
    section.add("facts", facts_list({{"State", state_of(run)},
                                     {"Best", best_of_run(run)},
                                     {"Parameters", grouped(parameters)},
                                     {"Data", data_of(run)},
                                     {"Data fingerprint", run.fact("data", "fingerprint")},
                                     {"Device", run.fact("device")},
                                     {"Threads", run.fact("threads")},
                                     {"Seed", run.fact("seed")},
                                     {"Started", time_of(run.fact("started"))},
                                     {"Ended", time_of(run.fact("ended"))},
                                     {"Nowcell", run.fact("versions", "nowcell")},
                                     {"LibTorch", run.fact("versions", "libtorch")}}));
    const std::string command = run.fact("command");
    if (command.empty()) {
        section.add("command", element("p", "How the run was started is not recorded.", {{"class", "note"}}));
    } else {
        section.add("command", element("p", "To reproduce:", {{"class", "label"}}) +
                                   element("pre", element("code", text(command, 4000))));
    }
    section.add_heading("Training");
    add_curves(section, run);
    if (!run.sample.empty()) {
        section.add({.path = run.sample,
                     .alt = "Strip of frames: input, truth, forecast and their difference for one validation window",
                     .caption = "A validation window: " + std::filesystem::path(run.sample).filename().string()});
    }
}

}  // namespace nowcell
