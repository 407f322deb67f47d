// Plots as data, and their drawing: curves, bars, grey guides, axes and a legend.
#pragma once

#include "predict/pictures/drawing.h"
#include "predict/pictures/pictures.h"
#include "predict/pictures/plot_axis.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// Told apart by people with any colour vision; the eighth curve has the colour of the first, and dashes.
Rgb curve_colour(std::size_t curve);

/// A plot before it is drawn. Colours follow the order of `curves`, then of `bars`.
struct Chart {
    std::string title = {}, x_label = {}, y_label = {};
    std::vector<Curve> curves = {};
    std::vector<Curve> bars = {};        ///< side by side around each x, from 0 up; evenly spaced
    std::vector<Curve> guides = {};      ///< thin grey dashes behind all else: what to compare with
    std::optional<Axis> x = {}, y = {};  ///< default: chosen from the data
    int number_room = 0;                 ///< least width of the numbers of the y axis, px: aligns charts
    bool legend = true;                  ///< a single curve without a name never has one
};

/// Draws a chart into a part of a sheet. The legend stands above the plot and never covers a curve.
void draw_chart(Drawing& sheet, const Chart& chart, const Box& place);

/// A picture that becomes a PNG, an SVG file or a part of a page.
struct Picture {
    int width = 0, height = 0;  ///< px
    std::function<void(Drawing&)> draw;
};

/// A chart alone.
Picture picture_of(Chart chart, int width, int height);

/// The picture as the text of an SVG file.
std::string svg_text(const Picture& picture);

/// SVG where `path` ends with ".svg", else PNG. Written atomically. Throws Error(output).
void write_picture(const std::string& path, const Picture& picture);

}  // namespace nowcell
