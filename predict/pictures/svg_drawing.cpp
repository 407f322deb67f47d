#include "predict/pictures/svg_drawing.h"

#include "src/json.h"

#include <fmt/format.h>

namespace nowcell {
namespace {

constexpr double kCapOfFont = 0.72;  // height of capitals over the size of usual sans-serif fonts

std::string colour_text(Rgb colour) { return fmt::format("#{:02x}{:02x}{:02x}", colour.r, colour.g, colour.b); }

// XML knows no control characters.
std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : as_utf8(text)) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            default: out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
        }
    }
    return out;
}

const char* anchor(Align align) { return align == Align::left ? "start" : align == Align::centre ? "middle" : "end"; }

}  // namespace

SvgDrawing::SvgDrawing(int width, int height) : width_(width), height_(height) { fill({0, 0, width, height}, kWhite); }

void SvgDrawing::fill(const Box& box, Rgb colour) {
    elements_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n", box.x, box.y,
                             box.width, box.height, colour_text(colour));
}

void SvgDrawing::text(double x, double y, const std::string& text, const TextStyle& style) {
    if (text.empty()) return;
    const std::string turn = style.upward ? fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", x, y) : "";
    elements_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.1f}\" fill=\"{}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
        style.cap_px / kCapOfFont, colour_text(style.colour), anchor(style.align), turn, escaped(text));
}

void SvgDrawing::stroke(const std::vector<Spot>& spots, Rgb colour, double width_px) {
    if (spots.empty()) return;
    if (spots.size() == 1) {
        elements_ += fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{:.2f}\" fill=\"{}\"/>\n", spots[0].x,
                                 spots[0].y, width_px / 2, colour_text(colour));
        return;
    }
    std::string points;
    for (const Spot& spot : spots) {
        points += fmt::format("{}{:.2f},{:.2f}", points.empty() ? "" : " ", spot.x, spot.y);
    }
    elements_ += fmt::format("<polyline points=\"{}\" stroke=\"{}\" stroke-width=\"{:.2f}\"/>\n", points,
                             colour_text(colour), width_px);
}

std::string SvgDrawing::svg() const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" fill=\"none\" "
        "stroke-linejoin=\"round\" stroke-linecap=\"round\" font-family=\"Arial, Helvetica, sans-serif\">\n{2}</svg>\n",
        width_, height_, elements_);
}

}  // namespace nowcell
