#include "predict/evaluation_folder.h"

#include "predict/pictures/score_pictures.h"
#include "predict/scores/score_files.h"
#include "src/files.h"
#include "src/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace nowcell {
namespace {

// Windows of the first forecaster from the best to the worst by MAE; those without a known value are left out.
std::vector<std::int64_t> ranked(const ScoreTable& table) {
    const Quantity mae{"mae"};
    const Scores& scores = table.rows.front().fields;
    std::vector<std::pair<double, std::int64_t>> errors;
    for (std::int64_t i = 0; i < table.windows(); ++i) {
        const double error = scores.from_parts(mae, scores.window_parts(mae, i));
        if (std::isfinite(error)) errors.emplace_back(error, i);
    }
    std::sort(errors.begin(), errors.end());
    std::vector<std::int64_t> out;
    for (const auto& [error, index] : errors) out.push_back(index);
    return out;
}

struct NamedWindow {
    std::string name;
    std::int64_t index;
};

std::vector<NamedWindow> examples(const ScoreTable& table) {
    const std::vector<std::int64_t> order = ranked(table);
    if (order.empty()) return {};
    return {{"best", order.front()}, {"median", order[order.size() / 2]}, {"worst", order.back()}};
}

using AddFile = std::function<std::string(const std::string& name)>;

// A score of every lead time, a line for each forecaster that has it.
void draw_leads(const ScoreTable& table, const Quantity& quantity, const AddFile& add) {
    std::vector<Curve> curves;
    for (const ForecasterScores& row : table.rows) {
        const std::vector<Quantity> known = row.quantities();
        if (std::find(known.begin(), known.end(), quantity) == known.end()) continue;
        Curve curve{row.name, {}, {}};
        for (std::int64_t lead = 1; lead <= table.leads(); ++lead) {
            curve.x.push_back(static_cast<double>(lead));
            curve.y.push_back(row.value(quantity, lead));
        }
        curves.push_back(std::move(curve));
    }
    write_lead_curves(add(short_name(quantity) + ".svg"), "", axis_label(quantity, table), table.step_s, curves);
}

bool drawn(const Quantity& quantity) {
    const auto is = [&](const char* metric) { return quantity.metric == metric; };
    return quantity.scale == 0 && (is("mae") || is("ssim") || is("csi") || is("crps"));
}

// A curve of all lead times together, and whose it is.
struct RowCurve {
    std::string row;
    ScoreCurve curve;
};

std::vector<RowCurve> whole_curves(const ScoreTable& table) {
    std::vector<RowCurve> out;
    for (const ForecasterScores& row : table.rows) {
        for (ScoreCurve& curve : row.curves()) {
            if (curve.lead == 0) out.push_back({row.name, std::move(curve)});
        }
    }
    return out;
}

// Those of one kind and threshold; what happened is the same beside every forecaster.
std::vector<NamedCurve> curves_of(const std::vector<RowCurve>& all, const std::string& kind,
                                  const std::optional<double>& threshold) {
    std::vector<NamedCurve> out;
    bool known = false;
    for (const auto& [row, curve] : all) {
        const bool truth = curve.kind == kind + " of truth";
        if (curve.threshold != threshold || !(curve.kind == kind || truth) || (truth && known)) continue;
        known = known || truth;
        out.push_back({truth ? "truth" : row, curve.x, curve.y, curve.weight});
    }
    return out;
}

using Draw = void (*)(const std::string& path, const std::string& title, const std::vector<NamedCurve>& curves);

void draw_diagrams(const ScoreTable& table, const AddFile& add) {
    const std::map<std::string, Draw> kinds = {
        {"spectrum", [](const auto& path, const auto& title,
                        const auto& curves) { write_spectra(path, title, by_wavelength(curves)); }},
        {"reliability", write_reliability},
        {"roc", write_roc},
        {"rank histogram", write_rank_histogram}};
    const std::string units = table.units == "1" ? "" : " " + table.units;
    const std::vector<RowCurve> all = whole_curves(table);
    std::set<std::pair<std::string, std::optional<double>>> done;
    for (const auto& [row, curve] : all) {
        const auto found = kinds.find(curve.kind);
        if (found == kinds.end() || !done.insert({curve.kind, curve.threshold}).second) continue;
        std::string name = curve.kind + (curve.threshold ? fmt::format("@{}", *curve.threshold) : "");
        std::replace(name.begin(), name.end(), ' ', '_');
        const std::string title = curve.threshold ? fmt::format("at least {}{}", *curve.threshold, units) : "";
        found->second(add(name + ".svg"), title, curves_of(all, curve.kind, curve.threshold));
    }
}

}  // namespace

void check_evaluation_folder(const std::string& folder, bool force) {
    for (const char* name : {"scores.json", "scores.txt", "per_lead.csv", "per_sample.csv", "strip_best.png"}) {
        check_writable(folder + "/" + name, force);
    }
}

std::vector<std::string> write_evaluation(const std::string& path, const ScoreReport& report, const SampleOf& sample) {
    OutputFolder folder(path);
    std::vector<std::string> written;
    const auto add = [&](const std::string& name) {
        written.push_back(folder.add(name));
        return written.back();
    };
    write_atomically(add("scores.json"), json_text(score_document(report)) + "\n");
    write_atomically(add("scores.txt"), score_text(report));
    write_atomically(add("per_lead.csv"), score_csv(report.table));
    write_atomically(add("per_sample.csv"), sample_csv(report.table));
    for (const Quantity& one : report.table.quantities()) {
        if (drawn(one)) draw_leads(report.table, one, add);
    }
    draw_diagrams(report.table, add);
    for (const NamedWindow& one : examples(report.table)) {
        Forecast forecast = drawable(sample(one.index));
        forecast.step_s = report.table.step_s;
        const ColourScale scale = colour_scale(forecast, report.table.units);
        write_strip(add(fmt::format("strip_{}.png", one.name)), forecast, scale);
        write_difference(add(fmt::format("difference_{}.png", one.name)), forecast, scale);
        write_gif(add(fmt::format("{}.gif", one.name)), forecast, scale);
    }
    folder.commit();
    return written;
}

}  // namespace nowcell
