#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "predict/pictures/canvas.h"
#include "predict/pictures/pictures.h"
#include "predict/pictures/plot_axis.h"
#include "predict/pictures/svg_drawing.h"
#include "predict/pictures/ticks.h"
#include "src/files.h"

namespace nowcell {
namespace {

constexpr int kWidth = 1000, kHeight = 600;
constexpr int kMargin = 26;
constexpr int kAxisText = 46;  // tick labels and axis name below the plot
constexpr double kCurveWidth = 2.2;
constexpr int kFewPoints = 25;  // up to here each point gets a dot

// Told apart by people with any colour vision. Source: Okabe and Ito, "Color universal design", 2008.
constexpr std::array<Rgb, 7> kCurveColours = {Rgb{0, 114, 178},  Rgb{213, 94, 0},  Rgb{0, 158, 115}, Rgb{204, 121, 167},
                                              Rgb{86, 180, 233}, Rgb{230, 159, 0}, Rgb{90, 90, 90}};

Rgb colour_of(std::size_t curve) { return kCurveColours[curve % kCurveColours.size()]; }

// The sheet and where data lies on it.
struct Plot {
    Drawing& sheet;
    Box area;
    Axis x, y;
    std::vector<std::string> y_names;

    double to_x(double value) const { return area.x + x.part(value) * area.width; }
    double to_y(double value) const { return area.y + (1 - y.part(value)) * area.height; }
};

struct LegendPlace {
    int x, y;
};

// Entries above the plot, in lines, so that they never cover a curve.
std::vector<LegendPlace> legend_places(const std::vector<Curve>& curves, int left, int right, int y) {
    std::vector<LegendPlace> places;
    if (curves.size() == 1 && curves.front().name.empty()) return places;
    int x = left;
    for (const Curve& curve : curves) {
        const int width = 34 + text_width(curve.name, kTickCap);
        if (x > left && x + width > right) {
            x = left;
            y += 20;
        }
        places.push_back({x, y});
        x += width + 24;
    }
    return places;
}

void draw_legend(Drawing& sheet, const std::vector<Curve>& curves, const std::vector<LegendPlace>& places) {
    for (std::size_t i = 0; i < places.size(); ++i) {
        const auto [x, y] = places[i];
        sheet.stroke({{x + 1.0, y - 4.0}, {x + 25.0, y - 4.0}}, colour_of(i), kCurveWidth + 0.5);
        sheet.text(x + 34, y, fitted(curves[i].name, kTickCap, kWidth - kMargin - x - 34), {kTickCap, kInk});
    }
}

void draw_axes(Plot& plot, const std::string& x_label, const std::string& y_label) {
    Drawing& sheet = plot.sheet;
    const Box& area = plot.area;
    for (std::size_t i = 0; i < plot.y.ticks.size(); ++i) {
        const int y = static_cast<int>(std::lround(plot.to_y(plot.y.ticks[i])));
        sheet.fill({area.x, y, area.width, 1}, kFaint);
        sheet.text(area.x - 9, y + kTickCap / 2, plot.y_names[i], {kTickCap, kSoftInk, Align::right});
    }
    const auto names = tick_labels(plot.x.ticks);
    for (std::size_t i = 0; i < names.size(); ++i) {
        const int x = static_cast<int>(std::lround(plot.to_x(plot.x.ticks[i])));
        sheet.fill({x, area.y + area.height, 1, 5}, kLine);
        sheet.text(x, area.y + area.height + 9 + kTickCap, names[i], {kTickCap, kSoftInk, Align::centre});
    }
    sheet.fill({area.x, area.y + area.height, area.width + 1, 1}, kLine);
    sheet.text(area.x + area.width / 2.0, kHeight - kMargin, x_label, {kLabelCap, kInk, Align::centre});
    sheet.text(kMargin + kLabelCap, area.y + area.height / 2.0, fitted(y_label, kLabelCap, area.height),
               {kLabelCap, kInk, Align::centre, true});
}

void draw_curve(Plot& plot, const Curve& curve, Rgb colour) {
    std::vector<Spot> run;
    const auto finish = [&] {
        plot.sheet.stroke(run, colour, run.size() == 1 ? 3 * kCurveWidth : kCurveWidth);
        run.clear();
    };
    const std::size_t count = std::min(curve.x.size(), curve.y.size());
    for (std::size_t i = 0; i < count; ++i) {
        if (plot.x.holds(curve.x[i]) && plot.y.holds(curve.y[i])) {
            run.push_back({plot.to_x(curve.x[i]), plot.to_y(curve.y[i])});
            if (count <= kFewPoints) plot.sheet.stroke({run.back()}, colour, 2.6 * kCurveWidth);
        } else {
            finish();
        }
    }
    finish();
}

bool has_points(const Plot& plot, const std::vector<Curve>& curves) {
    return std::any_of(curves.begin(), curves.end(), [&](const Curve& curve) {
        return std::any_of(curve.y.begin(), curve.y.end(), [&](double y) { return plot.y.holds(y); });
    });
}

std::vector<double> all_of(const std::vector<Curve>& curves, std::vector<double> Curve::*values) {
    std::vector<double> all;
    for (const Curve& curve : curves) all.insert(all.end(), (curve.*values).begin(), (curve.*values).end());
    return all;
}

// The name of the y axis stands upright at the left edge, the numbers between it and the plot.
Box area_below(int top, const std::string& y_label, const std::vector<std::string>& y_names) {
    int numbers = 0;
    for (const auto& name : y_names) numbers = std::max(numbers, text_width(name, kTickCap));
    const int left = kMargin + (y_label.empty() ? 0 : 26) + numbers + 9;
    return {left, top, kWidth - kMargin - 12 - left, kHeight - kMargin - kAxisText - top};
}

void draw(Drawing& sheet, const std::string& title, const std::string& x_label, const std::string& y_label,
          const std::vector<Curve>& curves) {
    Plot plot{sheet, {}, x_axis(all_of(curves, &Curve::x)), y_axis(all_of(curves, &Curve::y)), {}};
    plot.y_names = tick_labels(plot.y.ticks);
    const int left = area_below(0, y_label, plot.y_names).x;
    const int title_base = kMargin + static_cast<int>(kTitleCap);
    const auto places = legend_places(curves, left, kWidth - kMargin, title.empty() ? title_base : title_base + 30);
    const int header = places.empty() ? title_base : places.back().y;
    plot.area = area_below(header + 18, y_label, plot.y_names);
    plot.sheet.text(left, title_base, fitted(title, kTitleCap, kWidth - kMargin - left), {kTitleCap, kInk});
    draw_legend(plot.sheet, curves, places);
    draw_axes(plot, x_label, y_label);
    if (!has_points(plot, curves)) {
        const double x = plot.area.x + plot.area.width / 2.0, y = plot.area.y + plot.area.height / 2.0 - 14;
        plot.sheet.text(x, y, "no data", {kLabelCap, kSoftInk, Align::centre});
    }
    // The first curve is drawn last: it is the one the plot is about.
    for (std::size_t i = curves.size(); i-- > 0;) draw_curve(plot, curves[i], colour_of(i));
}

}  // namespace

void write_plot(const std::string& path, const std::string& title, const std::string& x_label,
                const std::string& y_label, const std::vector<Curve>& curves) {
    if (path.ends_with(".svg")) {
        SvgDrawing sheet(kWidth, kHeight);
        draw(sheet, title, x_label, y_label, curves);
        write_atomically(path, sheet.svg());
    } else {
        Canvas canvas(kWidth, kHeight);
        draw(canvas, title, x_label, y_label, curves);
        write_atomically(path, canvas.png());
    }
}

}  // namespace nowcell
