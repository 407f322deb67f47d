#include "predict/pictures/canvas.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "src/error.h"

namespace nowcell {
namespace {

constexpr int kFine = 4;               // everything soft is drawn this much larger and averaged down
constexpr double kCapAtScale1 = 21.0;  // Hershey capitals at scale 1, px
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;

// Letters of one size and height, drawn with one call.
struct Piece {
    std::string text;
    bool raised = false;
    bool degree = false;
};

bool starts_with(const std::string& text, std::size_t at, const char* prefix) {
    return text.compare(at, std::string(prefix).size(), prefix) == 0;
}

struct Special {
    const char* utf8;
    const char* ascii;
    bool raised;
};

// What units need beyond ASCII; the font has no such letters.
constexpr Special kSpecials[] = {
    {"\u00b0", "", false},  {"\u00b9", "1", true},  {"\u00b2", "2", true},  {"\u00b3", "3", true},
    {"\u207b", "-", true},  {"\u2074", "4", true},  {"\u2212", "-", false}, {"\u2013", "-", false},
    {"\u00b7", " ", false}, {"\u00b5", "u", false}, {"\u03bc", "u", false},
};

std::size_t letter_bytes(unsigned char first) {
    if (first < 0xc0) return 1;
    if (first < 0xe0) return 2;
    return first < 0xf0 ? 3 : 4;
}

void append(std::vector<Piece>& pieces, const std::string& text, bool raised) {
    if (pieces.empty() || pieces.back().degree || pieces.back().raised != raised) pieces.push_back({"", raised, false});
    pieces.back().text += text;
}

std::vector<Piece> pieces_of(const std::string& text) {
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < text.size();) {
        const auto* special = std::find_if(std::begin(kSpecials), std::end(kSpecials),
                                           [&](const Special& s) { return starts_with(text, i, s.utf8); });
        const auto first = static_cast<unsigned char>(text[i]);
        if (special == std::end(kSpecials)) {
            append(pieces, first >= 0x20 && first < 0x7f ? std::string(1, text[i]) : "?", false);
            i += letter_bytes(first);
        } else {
            if (special->ascii[0] == '\0')
                pieces.push_back({"", false, true});
            else
                append(pieces, special->ascii, special->raised);
            i += std::string(special->utf8).size();
        }
    }
    return pieces;
}

// Sizes below are on the fine grid.
double fine_scale(double cap_px, bool raised) { return cap_px * kFine / kCapAtScale1 * (raised ? 0.68 : 1.0); }

// Titles are a little heavier than their size asks for.
int fine_thickness(double cap_px) {
    return std::max(2, static_cast<int>(std::lround(cap_px * kFine * 0.118))) + (cap_px >= kTitleCap ? 1 : 0);
}

int fine_width(const Piece& piece, double cap_px) {
    if (piece.degree) return static_cast<int>(cap_px * kFine * 0.62);
    int base = 0;
    return cv::getTextSize(piece.text, kFont, fine_scale(cap_px, piece.raised), fine_thickness(cap_px), &base).width;
}

// Coverage 0..255 of a line of text; the base line is at row `base` of the result, the text begins at column 2.
cv::Mat text_mask(const std::string& text, double cap_px, int& base) {
    base = static_cast<int>(std::ceil(cap_px * 1.5));
    const int height = base + static_cast<int>(std::ceil(cap_px * 0.7));
    cv::Mat fine = cv::Mat::zeros(height * kFine, (text_width(text, cap_px) + 4) * kFine, CV_8U);
    int x = 2 * kFine;
    for (const Piece& piece : pieces_of(text)) {
        const int cap = static_cast<int>(cap_px * kFine);
        const int width = fine_width(piece, cap_px), thickness = fine_thickness(cap_px);
        if (piece.degree) {
            cv::circle(fine, {x + width / 2, base * kFine - cap * 4 / 5}, cap / 5, 255, thickness * 4 / 5, cv::LINE_AA);
        } else {
            const cv::Point at(x, base * kFine - (piece.raised ? cap / 2 : 0));
            cv::putText(fine, piece.text, at, kFont, fine_scale(cap_px, piece.raised), 255, thickness, cv::LINE_AA);
        }
        x += width;
    }
    cv::Mat mask;
    cv::resize(fine, mask, {}, 1.0 / kFine, 1.0 / kFine, cv::INTER_AREA);
    return mask;
}

double start_of(Align align, double at, double length) {
    return align == Align::left ? at : align == Align::centre ? at - length / 2 : at - length;
}

}  // namespace

int text_width(const std::string& text, double cap_px) {
    int fine = 0;
    for (const Piece& piece : pieces_of(text)) fine += fine_width(piece, cap_px);
    return (fine + kFine - 1) / kFine;
}

std::string fitted(const std::string& text, double cap_px, int width) {
    if (text_width(text, cap_px) <= width) return text;
    std::string part = text;
    while (!part.empty() && text_width(part + "...", cap_px) > width) {
        // A letter of several bytes goes as a whole.
        while (!part.empty() && (static_cast<unsigned char>(part.back()) & 0xc0) == 0x80) part.pop_back();
        if (!part.empty()) part.pop_back();
    }
    return part + "...";
}

Canvas::Canvas(int width, int height, Rgb background)
    : image_{width, height,
             std::vector<Rgb>(static_cast<std::size_t>(width) * static_cast<std::size_t>(height), background)} {}

void Canvas::fill(const Box& box, Rgb colour) {
    for (int y = std::max(box.y, 0); y < std::min(box.y + box.height, height()); ++y) {
        for (int x = std::max(box.x, 0); x < std::min(box.x + box.width, width()); ++x) image_.at(x, y) = colour;
    }
}

void Canvas::frame(const Box& box, Rgb colour) {
    fill({box.x - 1, box.y - 1, box.width + 2, 1}, colour);
    fill({box.x - 1, box.y + box.height, box.width + 2, 1}, colour);
    fill({box.x - 1, box.y, 1, box.height}, colour);
    fill({box.x + box.width, box.y, 1, box.height}, colour);
}

void Canvas::place(const Image& image, int x, int y) {
    for (int row = std::max(0, -y); row < std::min(image.height, height() - y); ++row) {
        for (int column = std::max(0, -x); column < std::min(image.width, width() - x); ++column) {
            image_.at(x + column, y + row) = image.at(column, row);
        }
    }
}

void Canvas::blend(int x, int y, Rgb colour, int cover) {
    if (cover == 0 || x < 0 || y < 0 || x >= width() || y >= height()) return;
    const auto mixed = [cover](std::uint8_t below, std::uint8_t above) {
        return static_cast<std::uint8_t>((below * (255 - cover) + above * cover + 127) / 255);
    };
    Rgb& p = image_.at(x, y);
    p = {mixed(p.r, colour.r), mixed(p.g, colour.g), mixed(p.b, colour.b)};
}

void Canvas::text(double x, double y, const std::string& text, const TextStyle& style) {
    if (text.empty()) return;
    int base = 0;
    cv::Mat mask = text_mask(text, style.cap_px, base);
    const double length = text_width(text, style.cap_px);
    int left = 0, top = 0;
    if (style.upward) {
        cv::rotate(mask, mask, cv::ROTATE_90_COUNTERCLOCKWISE);
        left = static_cast<int>(std::lround(x)) - base;
        const Align down = style.align == Align::left    ? Align::right
                           : style.align == Align::right ? Align::left
                                                         : Align::centre;
        top = static_cast<int>(std::lround(start_of(down, y, length))) - 2;
    } else {
        left = static_cast<int>(std::lround(start_of(style.align, x, length))) - 2;
        top = static_cast<int>(std::lround(y)) - base;
    }
    for (int row = 0; row < mask.rows; ++row) {
        for (int column = 0; column < mask.cols; ++column) {
            blend(left + column, top + row, style.colour, mask.at<std::uint8_t>(row, column));
        }
    }
}

void Canvas::stroke(const std::vector<Spot>& spots, Rgb colour, double width_px) {
    if (spots.empty()) return;
    const auto [left_most, right_most] =
        std::minmax_element(spots.begin(), spots.end(), [](const Spot& a, const Spot& b) { return a.x < b.x; });
    const auto [highest, lowest] =
        std::minmax_element(spots.begin(), spots.end(), [](const Spot& a, const Spot& b) { return a.y < b.y; });
    const int x0 = static_cast<int>(left_most->x - width_px) - 1, y0 = static_cast<int>(highest->y - width_px) - 1;
    const int columns = static_cast<int>(right_most->x + width_px) + 2 - x0;
    const int rows = static_cast<int>(lowest->y + width_px) + 2 - y0;
    cv::Mat fine = cv::Mat::zeros(rows * kFine, columns * kFine, CV_8U), mask;
    std::vector<cv::Point> points;
    for (const Spot& s : spots) {
        points.emplace_back(static_cast<int>(std::lround((s.x - x0) * kFine - 0.5)),
                            static_cast<int>(std::lround((s.y - y0) * kFine - 0.5)));
    }
    if (points.size() == 1) points.push_back(points.front());
    cv::polylines(fine, points, false, 255, std::max(1, static_cast<int>(std::lround(width_px * kFine))), cv::LINE_8);
    cv::resize(fine, mask, {}, 1.0 / kFine, 1.0 / kFine, cv::INTER_AREA);
    for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < columns; ++column) {
            blend(x0 + column, y0 + row, colour, mask.at<std::uint8_t>(row, column));
        }
    }
}

std::string Canvas::png() const {
    const cv::Mat rgb(height(), width(), CV_8UC3, const_cast<Rgb*>(image_.pixels.data()));
    cv::Mat bgr;
    cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
    std::vector<unsigned char> bytes;
    if (!cv::imencode(".png", bgr, bytes)) {
        throw Error(ExitCode::output, "cannot encode a PNG picture of " + std::to_string(width()) + "x" +
                                          std::to_string(height()) + " px: this OpenCV was built without PNG");
    }
    return {bytes.begin(), bytes.end()};
}

}  // namespace nowcell
