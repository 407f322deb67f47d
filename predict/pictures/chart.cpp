#include "predict/pictures/chart.h"

#include "predict/pictures/canvas.h"
#include "predict/pictures/svg_drawing.h"
#include "predict/pictures/ticks.h"
#include "src/files.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace nowcell {
namespace {

constexpr int kMargin = 26;
constexpr int kAxisText = 46;  // tick labels and axis name below the plot
constexpr int kLegendLine = 34;
constexpr double kCurveWidth = 2.2;
constexpr double kGuideWidth = 1.4;
constexpr double kDash = 7.0, kDashGap = 5.0;
constexpr int kFewPoints = 25;     // up to here each point gets a dot
constexpr double kBarShare = 0.8;  // of the room between neighbours
constexpr Rgb kGuide{140, 140, 140};

// Source: Okabe and Ito, "Color universal design", 2008.
constexpr std::array<Rgb, 7> kCurveColours = {Rgb{0, 114, 178},  Rgb{213, 94, 0},  Rgb{0, 158, 115}, Rgb{204, 121, 167},
                                              Rgb{86, 180, 233}, Rgb{230, 159, 0}, Rgb{90, 90, 90}};

bool dashed(std::size_t curve) { return curve >= kCurveColours.size(); }

// Where data lies on the sheet.
struct Plot {
    Drawing& sheet;
    const Chart& chart;
    Box place, area;
    Axis x, y;
    std::vector<std::string> y_names;

    double to_x(double value) const { return area.x + x.part(value) * area.width; }
    double to_y(double value) const { return area.y + (1 - y.part(value)) * area.height; }
    int right() const { return place.x + place.width - kMargin; }
    bool holds(double at_x, double at_y) const { return x.holds(at_x) && y.holds(at_y); }
};

struct Entry {
    const std::string& name;
    Rgb colour;
    bool dashes;
    int x = 0, y = 0;
};

std::vector<Entry> entries_of(const Chart& chart) {
    std::vector<Entry> entries;
    std::size_t i = 0;
    for (const auto* group : {&chart.curves, &chart.bars}) {
        for (const Curve& curve : *group) {
            entries.push_back({curve.name, curve_colour(i), dashed(i)});
            ++i;
        }
    }
    for (const Curve& guide : chart.guides) {
        if (!guide.name.empty()) entries.push_back({guide.name, kGuide, true});
    }
    const bool alone = entries.size() == 1 && entries.front().name.empty();
    return alone || !chart.legend ? std::vector<Entry>{} : entries;
}

// In lines above the plot.
std::vector<Entry> placed(std::vector<Entry> entries, int left, int right, int y) {
    int x = left;
    for (Entry& entry : entries) {
        const int width = kLegendLine + text_width(entry.name, kTickCap);
        if (x > left && x + width > right) {
            x = left;
            y += 20;
        }
        entry.x = x;
        entry.y = y;
        x += width + 24;
    }
    return entries;
}

void stroke_dashed(Drawing& sheet, const std::vector<Spot>& spots, Rgb colour, double width_px) {
    double walked = 0;  // along the line, so that dashes go round its corners
    for (std::size_t i = 1; i < spots.size(); ++i) {
        const Spot a = spots[i - 1], b = spots[i];
        const double length = std::hypot(b.x - a.x, b.y - a.y);
        const auto at = [&](double d) { return Spot{a.x + (b.x - a.x) * d / length, a.y + (b.y - a.y) * d / length}; };
        for (double d = 0; d < length;) {
            const double phase = std::fmod(walked + d, kDash + kDashGap);
            const double step = std::min((phase < kDash ? kDash : kDash + kDashGap) - phase + 1e-6, length - d);
            if (phase < kDash) sheet.stroke({at(d), at(d + step)}, colour, width_px);
            d += step;
        }
        walked += length;
    }
}

void stroke(Drawing& sheet, const std::vector<Spot>& spots, Rgb colour, double width_px, bool dashes) {
    if (dashes && spots.size() > 1) return stroke_dashed(sheet, spots, colour, width_px);
    sheet.stroke(spots, colour, spots.size() == 1 ? 3 * width_px : width_px);
}

void draw_legend(Plot& plot, const std::vector<Entry>& entries) {
    for (const Entry& entry : entries) {
        const double y = entry.y - 4.0;
        stroke(plot.sheet, {{entry.x + 1.0, y}, {entry.x + 25.0, y}}, entry.colour, kCurveWidth + 0.5, entry.dashes);
        const int text = entry.x + kLegendLine;
        plot.sheet.text(text, entry.y, fitted(entry.name, kTickCap, plot.right() - text), {kTickCap, kInk});
    }
}

void draw_axes(Plot& plot) {
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
    sheet.text(area.x + area.width / 2.0, plot.place.y + plot.place.height - kMargin, plot.chart.x_label,
               {kLabelCap, kInk, Align::centre});
    sheet.text(plot.place.x + kMargin + kLabelCap, area.y + area.height / 2.0,
               fitted(plot.chart.y_label, kLabelCap, area.height), {kLabelCap, kInk, Align::centre, true});
}

void draw_curve(Plot& plot, const Curve& curve, Rgb colour, double width_px, bool dashes, bool dots) {
    std::vector<Spot> run;
    const auto finish = [&] {
        stroke(plot.sheet, run, colour, width_px, dashes);
        run.clear();
    };
    const std::size_t count = std::min(curve.x.size(), curve.y.size());
    for (std::size_t i = 0; i < count; ++i) {
        if (plot.holds(curve.x[i], curve.y[i])) {
            run.push_back({plot.to_x(curve.x[i]), plot.to_y(curve.y[i])});
            if (dots && count <= kFewPoints) plot.sheet.stroke({run.back()}, colour, 2.6 * width_px);
        } else {
            finish();
        }
    }
    finish();
}

void draw_bars(Plot& plot) {
    const auto& groups = plot.chart.bars;
    for (std::size_t g = 0; g < groups.size(); ++g) {
        const Curve& bars = groups[g];
        const std::size_t count = std::min(bars.x.size(), bars.y.size());
        const double room = count > 1 ? std::abs(plot.to_x(bars.x[1]) - plot.to_x(bars.x[0])) : plot.area.width / 2.0;
        const double width = std::max(room * kBarShare / static_cast<double>(groups.size()), 1.0);
        for (std::size_t i = 0; i < count; ++i) {
            if (!plot.holds(bars.x[i], bars.y[i])) continue;
            const double left = plot.to_x(bars.x[i]) - room * kBarShare / 2 + static_cast<double>(g) * width;
            const int x = static_cast<int>(std::lround(left)), end = static_cast<int>(std::lround(left + width));
            const int top = static_cast<int>(std::lround(plot.to_y(bars.y[i])));
            const int gap = width > 6 ? 1 : 0;
            plot.sheet.fill({x, top, std::max(end - x - gap, 1), plot.area.y + plot.area.height - top},
                            curve_colour(plot.chart.curves.size() + g));
        }
    }
}

bool has_points(const Plot& plot) {
    for (const auto* group : {&plot.chart.curves, &plot.chart.bars}) {
        for (const Curve& curve : *group) {
            if (std::any_of(curve.y.begin(), curve.y.end(), [&](double y) { return plot.y.holds(y); })) return true;
        }
    }
    return false;
}

std::vector<double> all_of(const Chart& chart, std::vector<double> Curve::*values) {
    std::vector<double> all;
    for (const auto* group : {&chart.curves, &chart.bars}) {
        for (const Curve& curve : *group) all.insert(all.end(), (curve.*values).begin(), (curve.*values).end());
    }
    return all;
}

// The name of the y axis stands upright at the left edge, the numbers between it and the plot.
Box area_below(const Plot& plot, int top) {
    int numbers = plot.chart.number_room;
    for (const auto& name : plot.y_names) numbers = std::max(numbers, text_width(name, kTickCap));
    const Box& place = plot.place;
    const int left = place.x + kMargin + (plot.chart.y_label.empty() ? 0 : 26) + numbers + 9;
    const int bottom = place.y + place.height - kMargin - kAxisText;
    return {left, top, plot.right() - 12 - left, bottom - top};
}

}  // namespace

Rgb curve_colour(std::size_t curve) { return kCurveColours[curve % kCurveColours.size()]; }

void draw_chart(Drawing& sheet, const Chart& chart, const Box& place) {
    const Axis x = chart.x ? *chart.x : x_axis(all_of(chart, &Curve::x));
    const Axis y = chart.y ? *chart.y : y_axis(all_of(chart, &Curve::y));
    Plot plot{sheet, chart, place, {}, x, y, tick_labels(y.ticks)};
    const int left = area_below(plot, place.y).x;
    const int title_base = place.y + kMargin + static_cast<int>(kTitleCap);
    const auto entries =
        placed(entries_of(chart), left, plot.right(), chart.title.empty() ? title_base : title_base + 30);
    plot.area = area_below(plot, (entries.empty() ? title_base : entries.back().y) + 18);
    sheet.text(left, title_base, fitted(chart.title, kTitleCap, plot.right() - left), {kTitleCap, kInk});
    draw_legend(plot, entries);
    draw_axes(plot);
    if (!has_points(plot)) {
        const double middle = plot.area.y + plot.area.height / 2.0 - 14;
        sheet.text(plot.area.x + plot.area.width / 2.0, middle, "no data", {kLabelCap, kSoftInk, Align::centre});
    }
    for (const Curve& guide : chart.guides) draw_curve(plot, guide, kGuide, kGuideWidth, true, false);
    draw_bars(plot);
    // The first curve is drawn last: it is the one the plot is about.
    for (std::size_t i = chart.curves.size(); i-- > 0;) {
        draw_curve(plot, chart.curves[i], curve_colour(i), kCurveWidth, dashed(i), true);
    }
}

Picture picture_of(Chart chart, int width, int height) {
    const auto draw = [chart = std::move(chart), width, height](Drawing& sheet) {
        draw_chart(sheet, chart, {0, 0, width, height});
    };
    return {width, height, draw};
}

std::string svg_text(const Picture& picture) {
    SvgDrawing sheet(picture.width, picture.height);
    picture.draw(sheet);
    return sheet.svg();
}

void write_picture(const std::string& path, const Picture& picture) {
    if (path.ends_with(".svg")) return write_atomically(path, svg_text(picture));
    Canvas canvas(picture.width, picture.height);
    picture.draw(canvas);
    write_atomically(path, canvas.png());
}

}  // namespace nowcell
