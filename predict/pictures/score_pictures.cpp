#include "predict/pictures/score_pictures.h"

#include "predict/pictures/ticks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace nowcell {
namespace {

constexpr int kWidth = 600, kHeight = 390;
constexpr int kSquareWidth = 500, kSquareHeight = 500;
constexpr int kHistogramHeight = 210;
constexpr int kNumberRoom = 56;  // of counts, so that the two charts of a reliability diagram align
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<Curve> plain(const std::vector<NamedCurve>& curves) {
    std::vector<Curve> out;
    for (const NamedCurve& curve : curves) out.push_back({curve.name, curve.x, curve.y});
    return out;
}

std::vector<double> all_of(const std::vector<NamedCurve>& curves, std::vector<double> NamedCurve::*values) {
    std::vector<double> all;
    for (const NamedCurve& curve : curves) all.insert(all.end(), (curve.*values).begin(), (curve.*values).end());
    return all;
}

// How often the event was observed, over all curves; NaN without counts.
double observed_share(const std::vector<NamedCurve>& curves) {
    double cases = 0, events = 0;
    for (const NamedCurve& curve : curves) {
        for (std::size_t i = 0; i < std::min(curve.weight.size(), curve.y.size()); ++i) {
            if (!std::isfinite(curve.y[i]) || !(curve.weight[i] > 0)) continue;
            cases += curve.weight[i];
            events += curve.weight[i] * curve.y[i];
        }
    }
    return cases > 0 ? events / cases : kNan;
}

// 0..1, and room for the bars around the outermost probabilities.
Axis probability_axis(const std::vector<NamedCurve>& curves) {
    auto places = all_of(curves, &NamedCurve::x);
    std::erase_if(places, [](double place) { return !std::isfinite(place); });
    std::sort(places.begin(), places.end());
    double gap = 0.1;
    for (std::size_t i = 1; i < places.size(); ++i) {
        if (places[i] - places[i - 1] > 1e-6) gap = std::max(gap, places[i] - places[i - 1]);
    }
    Axis axis = unit_axis();
    axis.low = std::min(0.0, (places.empty() ? 0.0 : places.front()) - gap / 2);
    axis.high = std::max(1.0, (places.empty() ? 1.0 : places.back()) + gap / 2);
    return axis;
}

Chart counts_below(const std::vector<NamedCurve>& curves) {
    Chart chart{.x_label = "forecast probability",
                .y_label = "cases",
                .x = probability_axis(curves),
                .number_room = kNumberRoom,
                .legend = false};
    for (const NamedCurve& curve : curves) chart.bars.push_back({curve.name, curve.x, curve.weight});
    chart.y = y_axis(all_of(curves, &NamedCurve::weight));
    if (!chart.y->logarithmic && chart.y->low > 0) chart.y->low = 0;
    return chart;
}

}  // namespace

Picture lead_curves(const std::string& title, const std::string& y_label, double step_s, std::vector<Curve> curves) {
    const TimeUnit unit = step_s > 0 ? time_unit(step_s) : TimeUnit{1, "steps"};
    const double factor = step_s > 0 ? step_s / unit.seconds : 1.0;
    for (Curve& curve : curves) {
        for (double& x : curve.x) x *= factor;
    }
    return picture_of(
        {.title = title, .x_label = "lead time [" + unit.name + "]", .y_label = y_label, .curves = std::move(curves)},
        kWidth, kHeight);
}

Picture spectra(const std::string& title, const std::vector<NamedCurve>& curves, const std::string& y_label,
                const std::string& x_label) {
    Chart chart{.title = title, .x_label = x_label, .y_label = y_label};
    auto all = plain(curves);
    for (Curve& curve : all) (curve.name == "truth" ? chart.guides : chart.curves).push_back(std::move(curve));
    chart.x = log_axis(all_of(curves, &NamedCurve::x));
    std::swap(chart.x->low, chart.x->high);
    chart.y = log_axis(all_of(curves, &NamedCurve::y));
    return picture_of(std::move(chart), kWidth, kHeight);
}

std::vector<NamedCurve> by_wavelength(std::vector<NamedCurve> curves) {
    for (NamedCurve& curve : curves) {
        for (double& x : curve.x) x = x > 0 ? 1 / x : kNan;
    }
    return curves;
}

Picture reliability(const std::string& title, const std::vector<NamedCurve>& curves) {
    Chart chart{.title = title,
                .x_label = "forecast probability",
                .y_label = "observed frequency",
                .curves = plain(curves),
                .guides = {{"perfect", {0, 1}, {0, 1}}},
                .x = probability_axis(curves),
                .y = unit_axis(),
                .number_room = kNumberRoom};
    const double share = observed_share(curves);
    if (std::isfinite(share)) chart.guides.push_back({"no skill", {0, 1}, {share / 2, (1 + share) / 2}});
    const bool counted = !all_of(curves, &NamedCurve::weight).empty();
    const auto draw = [chart = std::move(chart), below = counts_below(curves), counted](Drawing& sheet) {
        draw_chart(sheet, chart, {0, 0, kSquareWidth, kSquareHeight});
        if (counted) draw_chart(sheet, below, {0, kSquareHeight - 24, kSquareWidth, kHistogramHeight});
    };
    return {kSquareWidth, kSquareHeight + (counted ? kHistogramHeight - 24 : 0), draw};
}

double area_under(const NamedCurve& curve) {
    std::vector<std::pair<double, double>> points = {{0, 0}, {1, 1}};
    for (std::size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
        if (std::isfinite(curve.x[i]) && std::isfinite(curve.y[i])) points.emplace_back(curve.x[i], curve.y[i]);
    }
    if (points.size() == 2) return kNan;
    std::sort(points.begin(), points.end());
    double area = 0;
    for (std::size_t i = 1; i < points.size(); ++i) {
        area += (points[i].first - points[i - 1].first) * (points[i].second + points[i - 1].second) / 2;
    }
    return area;
}

Picture roc(const std::string& title, const std::vector<NamedCurve>& curves) {
    Chart chart{.title = title,
                .x_label = "false alarm rate",
                .y_label = "hit rate",
                .curves = plain(curves),
                .guides = {{"no skill", {0, 1}, {0, 1}}},
                .x = unit_axis(),
                .y = unit_axis()};
    for (std::size_t i = 0; i < curves.size(); ++i) {
        const double area = area_under(curves[i]);
        if (std::isfinite(area)) chart.curves[i].name += ", area " + number_labels({area})[0];
    }
    return picture_of(std::move(chart), kSquareWidth, kSquareHeight);
}

Picture rank_histogram(const std::string& title, const std::vector<NamedCurve>& curves) {
    Chart chart{.title = title, .x_label = "rank of the truth among the members", .y_label = "share of cases"};
    double ranks = 0;
    for (const NamedCurve& curve : curves) {
        Curve bars{curve.name, {}, curve.y};
        const double sum = std::accumulate(curve.y.begin(), curve.y.end(), 0.0);
        for (std::size_t i = 0; i < bars.y.size(); ++i) {
            bars.x.push_back(static_cast<double>(i + 1));
            bars.y[i] = sum > 0 ? bars.y[i] / sum : kNan;
        }
        ranks = std::max(ranks, static_cast<double>(bars.y.size()));
        chart.bars.push_back(std::move(bars));
    }
    if (ranks > 0) chart.guides = {{"like the truth", {0.5, ranks + 0.5}, {1 / ranks, 1 / ranks}}};
    std::vector<double> shares = {0.0, ranks > 0 ? 1.2 / ranks : 1.0};
    for (const Curve& bars : chart.bars) shares.insert(shares.end(), bars.y.begin(), bars.y.end());
    chart.y = y_axis(shares);
    std::vector<double> places;
    for (int rank = 1; rank <= static_cast<int>(ranks); ++rank) places.push_back(rank);
    chart.x = x_axis(places);
    chart.x->low = 0.4;
    chart.x->high = ranks + 0.6;
    return picture_of(std::move(chart), kWidth, kHeight);
}

void write_lead_curves(const std::string& path, const std::string& title, const std::string& y_label, double step_s,
                       const std::vector<Curve>& curves) {
    write_picture(path, lead_curves(title, y_label, step_s, curves));
}

void write_spectra(const std::string& path, const std::string& title, const std::vector<NamedCurve>& curves,
                   const std::string& y_label, const std::string& x_label) {
    write_picture(path, spectra(title, curves, y_label, x_label));
}

void write_reliability(const std::string& path, const std::string& title, const std::vector<NamedCurve>& curves) {
    write_picture(path, reliability(title, curves));
}

void write_roc(const std::string& path, const std::string& title, const std::vector<NamedCurve>& curves) {
    write_picture(path, roc(title, curves));
}

void write_rank_histogram(const std::string& path, const std::string& title, const std::vector<NamedCurve>& curves) {
    write_picture(path, rank_histogram(title, curves));
}

}  // namespace nowcell
