#include "predict/pictures/score_pictures.h"
#include "predict/report/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

namespace nowcell {
namespace {

constexpr std::size_t kMostPoints = 200;      // of a curve
constexpr std::size_t kMostForecasters = 12;  // of a drawing
constexpr std::size_t kMostPlainScores = 4, kMostThresholdScores = 4, kMostOfAKind = 4;

// Scores that are worth a drawing, the most wanted first.
constexpr std::array kPlain = {"mae", "crps", "ssim", "rmse", "bias", "psnr", "mse"};

Curve over_leads(const EvaluationFile& scores, const std::string& forecaster, const Quantity& quantity) {
    Curve curve{forecaster, {}, {}};
    for (const ScoreRow& row : scores.rows) {
        if (row.lead == 0 || row.forecaster != forecaster || row.quantity != quantity) continue;
        curve.x.push_back(static_cast<double>(row.lead));
        curve.y.push_back(row.value);
    }
    return curve;
}

void add_lead_figure(Section& section, const EvaluationFile& scores, const Quantity& quantity) {
    std::vector<Curve> curves;
    std::string unit;
    for (const std::string& name : scores.forecasters) {
        Curve curve = over_leads(scores, name, quantity);
        if (!curve.x.empty() && curves.size() < kMostForecasters) curves.push_back(std::move(curve));
    }
    for (const ScoreRow& row : scores.rows) {
        if (row.quantity == quantity && row.unit != "1") unit = row.unit;
    }
    const std::string name = quantity_name(quantity, scores.units);
    section.add({.drawing = lead_curves("", unit.empty() ? name : name + " [" + unit + "]", scores.step_s, curves),
                 .alt = fmt::format("Curves of {} over lead time for {} forecasters", name, curves.size()),
                 .caption = name + " by lead time",
                 .half = true});
}

std::size_t rank(const std::string& metric) {
    return static_cast<std::size_t>(std::find(kPlain.begin(), kPlain.end(), metric) - kPlain.begin());
}

void add_lead_figures(Section& section, const EvaluationFile& scores) {
    std::vector<Quantity> plain, thresholds;
    for (const Quantity& quantity : scores.quantities()) {
        const bool by_lead = std::any_of(scores.rows.begin(), scores.rows.end(),
                                         [&](const ScoreRow& row) { return row.lead > 1 && row.quantity == quantity; });
        if (!by_lead) continue;
        if (!quantity.threshold && rank(quantity.metric) < kPlain.size()) plain.push_back(quantity);
        if (quantity.threshold && quantity.metric == "csi") thresholds.push_back(quantity);
    }
    std::stable_sort(plain.begin(), plain.end(),
                     [](const Quantity& a, const Quantity& b) { return rank(a.metric) < rank(b.metric); });
    plain.resize(std::min(plain.size(), kMostPlainScores));
    thresholds.resize(std::min(thresholds.size(), kMostThresholdScores));
    for (const Quantity& quantity : plain) add_lead_figure(section, scores, quantity);
    for (const Quantity& quantity : thresholds) add_lead_figure(section, scores, quantity);
}

// What stands in one drawing.
struct Group {
    std::string kind;
    std::optional<double> threshold;
    std::int64_t lead;
    bool operator==(const Group&) const = default;
};

NamedCurve drawable_curve(const CurveRow& row, const std::string& name) {
    NamedCurve curve{name, {}, {}, {}};
    const ScoreCurve& from = row.curve;
    const std::size_t count = std::min(from.x.size(), from.y.size());
    const std::size_t stride = std::max<std::size_t>((count + kMostPoints - 1) / kMostPoints, 1);
    for (std::size_t i = 0; i < count; i += stride) {
        curve.x.push_back(from.x[i]);
        curve.y.push_back(from.y[i]);
        if (i < from.weight.size()) curve.weight.push_back(from.weight[i]);
    }
    return curve;
}

// Wavenumbers become wavelengths.
void as_wavelengths(std::vector<NamedCurve>& curves, std::string& x_label) {
    if (x_label.find("wavenumber") == std::string::npos) return;
    curves = by_wavelength(std::move(curves));
    x_label = "wavelength" + std::string(x_label.find("km") != std::string::npos ? " [km]" : " [px]");
}

std::string of_group(const Group& group, const EvaluationFile& scores) {
    std::string text;
    if (group.threshold) {
        text += fmt::format(" of values of {:g}{} and more", *group.threshold,
                            scores.units == "1" ? "" : " " + scores.units);
    }
    return group.lead > 0 ? text + fmt::format(", lead time {}", group.lead) : text;
}

bool is_truth(const CurveRow& row) { return row.curve.kind == "spectrum of truth"; }

std::string kind_of(const CurveRow& row) { return is_truth(row) ? "spectrum" : row.curve.kind; }

void add_group(Section& section, const EvaluationFile& scores, const Group& group) {
    std::vector<NamedCurve> curves;
    std::string x_label, y_label;
    bool with_truth = false;
    for (const CurveRow& row : scores.curves) {
        if (group != Group{kind_of(row), row.curve.threshold, row.curve.lead}) continue;
        if (curves.size() == kMostForecasters || (is_truth(row) && with_truth)) continue;
        with_truth = with_truth || is_truth(row);
        curves.push_back(drawable_curve(row, is_truth(row) ? "truth" : row.forecaster));
        x_label = row.curve.x_label;
        y_label = row.curve.y_label;
    }
    const std::string of = of_group(group, scores);
    Figure figure{.alt = "", .caption = "", .half = true};
    if (group.kind == "spectrum") {
        as_wavelengths(curves, x_label);
        figure.drawing =
            spectra("", curves, y_label.empty() ? "power" : y_label, x_label.empty() ? "wavelength [px]" : x_label);
        figure.caption = "Radially averaged spectrum" + of + ": a curve below that of the truth is too smooth";
    } else if (group.kind == "reliability") {
        figure.drawing = reliability("", curves);
        figure.caption = "Reliability" + of;
    } else if (group.kind == "roc") {
        figure.drawing = roc("", curves);
        figure.caption = "ROC" + of;
    } else if (group.kind == "rank histogram") {
        figure.drawing = rank_histogram("", curves);
        figure.caption = "Rank histogram" + of;
    } else {
        return section.add(group.kind,
                           element("p", "Not drawn: a curve of the kind \"" + group.kind + "\".", {{"class", "note"}}));
    }
    figure.alt = figure.caption + fmt::format(", {} curve{}", curves.size(), curves.size() == 1 ? "" : "s");
    section.add(std::move(figure));
}

void add_curve_figures(Section& section, const EvaluationFile& scores) {
    std::vector<Group> groups;
    std::set<std::pair<std::string, std::optional<double>>> over_all;
    for (const CurveRow& row : scores.curves) {
        const Group group{kind_of(row), row.curve.threshold, row.curve.lead};
        if (group.lead == 0) over_all.insert({group.kind, group.threshold});
        if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
    }
    // Single lead times are drawn where there is nothing over all of them.
    std::erase_if(groups, [&](const Group& g) { return g.lead > 0 && over_all.count({g.kind, g.threshold}) > 0; });
    if (!groups.empty()) section.add_heading("Spectra and probabilities");
    std::map<std::string, std::size_t> drawn;
    for (const Group& group : groups) {
        if (++drawn[group.kind] <= kMostOfAKind) add_group(section, scores, group);
    }
}

// The GIF of the median sample, else the first one by name, else "".
std::string animation_in(const std::filesystem::path& folder) {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        if (entry.path().extension() == ".gif") found.push_back(entry.path().string());
    }
    std::sort(found.begin(), found.end());
    const auto median = std::find_if(found.begin(), found.end(), [](const std::string& path) {
        return std::filesystem::path(path).filename().string().find("median") != std::string::npos;
    });
    return median != found.end() ? *median : found.empty() ? "" : found.front();
}

}  // namespace

void add_score_curves(Section& section, const EvaluationFile& scores) {
    add_lead_figures(section, scores);
    add_curve_figures(section, scores);
}

void add_samples(Section& section, const EvaluationFile& scores) {
    const std::filesystem::path folder = std::filesystem::path(scores.path).parent_path();
    bool any = false;
    section.add_heading("Samples");
    for (const char* which : {"best", "median", "worst"}) {
        const std::string path = (folder / fmt::format("strip_{}.png", which)).string();
        if (!std::filesystem::exists(path)) continue;
        any = true;
        section.add(
            {.path = path,
             .alt = fmt::format("Strip of frames of the {} sample: input, truth, forecast and their difference", which),
             .caption = fmt::format("The {} sample", which)});
    }
    const std::string movie = animation_in(folder.empty() ? "." : folder);
    if (!movie.empty()) {
        section.add({.path = movie,
                     .alt = "Animation of a sample: truth, forecast and their difference, lead time by lead time",
                     .caption = "A sample in motion: " + std::filesystem::path(movie).filename().string(),
                     .moving = true});
    }
    if (!any && movie.empty())
        section.add("samples", element("p", "No pictures of samples beside the scores.", {{"class", "note"}}));
}

}  // namespace nowcell
