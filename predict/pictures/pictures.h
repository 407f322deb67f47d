// Pictures a person wants to look at: strips, animations and loss curves. All colours come from one scale per picture.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace nowcell {

/// How a field becomes colours.
struct ColourScale {
    std::string map = "auto";  ///< "viridis" | "cividis" | "magma" | "grey" | "radar" | "auto": by units, grey for "1",
                               ///< radar for rain (mm, mm/h, kg m-2, dBZ), else viridis
    double min = 0.0;          ///< physical value of the first colour
    double max = 1.0;          ///< of the last
    std::string units = "1";   ///< written at the colour bar
};

/// One forecast to draw. Tensors are (T,C,H,W) float32, physical units, C 1 or 3 (RGB).
struct Forecast {
    torch::Tensor input;     ///< (T_in,C,H,W)
    torch::Tensor forecast;  ///< (horizon,C,H,W)
    torch::Tensor truth;     ///< (horizon' <= horizon,C,H,W); undefined: rows "truth" and "error" are left out
    std::string title;       ///< may be empty
    double step_s = 0.0;     ///< seconds between frames; 0: lead times are written in steps ("+3")
};

/// A forecast that can be drawn: with another number of channels than 1 or 3, the first channel alone; missing where a
/// pixel is missing in all input frames, since what is forecast there is made up.
Forecast drawable(Forecast forecast);

/// The range of colours for a forecast: of input and truth, so that a bad forecast saturates instead of hiding. Rounded
/// outward; 0..1 or 0..255 for units "1" that fill such a range; from 0 for rain; one pixel in a thousand may lie
/// outside.
ColourScale colour_scale(const Forecast& forecast, const std::string& units);

/// A PNG strip: rows input, truth, forecast, error (diverging colours around zero), one colour scale, a colour bar with
/// units, lead times and the MAE of each lead under its column. Small frames are enlarged by whole factors (nearest),
/// large ones reduced (area); long sequences are thinned evenly to at most `columns` (4 or more). Up to three leads are
/// laid out downward, with columns instead of rows. Missing values are grey with stripes. Written atomically.
/// Throws Error(output).
void write_strip(const std::string& path, const Forecast& forecast, const ColourScale& scale, int columns = 10);

/// An animated GIF, side by side: truth | forecast | error, or the forecast alone, with the lead time; the input frames
/// come first. Exact map colours, no dithering; of grey frames ("grey" maps) all 256 levels, their errors are grey too.
/// Throws Error(output).
void write_gif(const std::string& path, const Forecast& forecast, const ColourScale& scale, double frames_per_s = 5.0);

/// The same as a movie, errors in colours: H.264, else MPEG-4; lossless (FFV1) where `path` ends with ".mkv". Sides are
/// padded to even numbers. Returns the name of the codec. Written atomically. Throws Error(output) when no codec works.
std::string write_mp4(const std::string& path, const Forecast& forecast, const ColourScale& scale,
                      double frames_per_s = 5.0);

/// A PNG of forecast minus truth alone, lead by lead with its MAE, in one scale around zero (99 % of the differences
/// lie inside) that is even to the eye: blue where too little was forecast, red where too much. At most `panels` lead
/// times, evenly thinned. scale: that of the forecast, for its units. Throws Error(output), Error(internal) without a
/// truth.
void write_difference(const std::string& path, const Forecast& forecast, const ColourScale& scale, int panels = 12);

/// A named line of a plot.
struct Curve {
    std::string name;
    std::vector<double> x;
    std::vector<double> y;  ///< NaN breaks the line
};

/// A line plot with axes, ticks, legend and grid: SVG where `path` ends with ".svg", else PNG. A single curve without a
/// name has no legend. Throws Error(output).
void write_plot(const std::string& path, const std::string& title, const std::string& x_label,
                const std::string& y_label, const std::vector<Curve>& curves);

}  // namespace nowcell
