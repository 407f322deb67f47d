#include "data/synthetic/glyphs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace nowcell {
namespace {

struct Point {
    std::int64_t x, y;
};

// A stroke starts at its first point; every three further points are a cubic Bezier segment.
using Stroke = std::vector<Point>;

constexpr std::int64_t kDesignWidth = 600;
constexpr std::int64_t kDesignHeight = 1000;
constexpr std::int64_t kCell = kSubpixel / 2;  // spacing of the distance samples

// A straight line is the Bezier segment with its control points on the ends.
Stroke line(Point a, Point b) { return {a, a, b, b}; }

Stroke operator+(Stroke first, const Stroke& second) {
    first.insert(first.end(), second.begin() + 1, second.end());
    return first;
}

Stroke ellipse(Point c, std::int64_t rx, std::int64_t ry) {
    // 0.5523 is the handle length with which four cubic segments make a circle.
    const std::int64_t hx = rx * 5523 / 10000, hy = ry * 5523 / 10000;
    return {{c.x, c.y - ry},      {c.x + hx, c.y - ry}, {c.x + rx, c.y - hy}, {c.x + rx, c.y},
            {c.x + rx, c.y + hy}, {c.x + hx, c.y + ry}, {c.x, c.y + ry},      {c.x - hx, c.y + ry},
            {c.x - rx, c.y + hy}, {c.x - rx, c.y},      {c.x - rx, c.y - hy}, {c.x - hx, c.y - ry},
            {c.x, c.y - ry}};
}

Stroke six() {
    return {{490, 0},   {300, 110}, {50, 380},  {40, 690},  {40, 880},  {150, 1000}, {305, 1000}, {455, 1000},
            {565, 880}, {565, 695}, {565, 515}, {460, 395}, {315, 395}, {170, 395},  {70, 510},   {42, 640}};
}

Stroke turned(Stroke stroke) {
    for (Point& p : stroke) p = {kDesignWidth - p.x, kDesignHeight - p.y};
    return stroke;
}

std::vector<Stroke> design(int digit) {
    switch (digit) {
        case 0: return {ellipse({300, 500}, 260, 500)};
        case 1: return {line({130, 235}, {340, 0}) + line({340, 0}, {340, 1000})};
        case 2:
            return {Stroke{{50, 280},
                           {50, 110},
                           {155, 0},
                           {305, 0},
                           {455, 0},
                           {550, 110},
                           {550, 270},
                           {550, 480},
                           {330, 680},
                           {40, 1000}} +
                    line({40, 1000}, {570, 1000})};
        case 3:
            return {{{55, 170},
                     {100, 60},
                     {195, 0},
                     {300, 0},
                     {445, 0},
                     {530, 100},
                     {530, 235},
                     {530, 375},
                     {430, 465},
                     {250, 465},
                     {455, 465},
                     {560, 575},
                     {560, 730},
                     {560, 895},
                     {445, 1000},
                     {295, 1000},
                     {170, 1000},
                     {75, 930},
                     {35, 805}}};
        case 4: return {line({430, 1000}, {430, 0}) + line({430, 0}, {25, 700}) + line({25, 700}, {590, 700})};
        case 5:
            return {line({525, 0}, {130, 0}) + line({130, 0}, {85, 450}) +
                    Stroke{{85, 450},
                           {145, 390},
                           {220, 360},
                           {305, 360},
                           {460, 360},
                           {565, 490},
                           {565, 675},
                           {565, 870},
                           {455, 1000},
                           {290, 1000},
                           {165, 1000},
                           {75, 935},
                           {35, 830}}};
        case 6: return {six()};
        case 7: return {line({35, 0}, {565, 0}) + Stroke{{565, 0}, {420, 260}, {270, 600}, {225, 1000}}};
        case 8: return {ellipse({300, 230}, 215, 230), ellipse({300, 730}, 265, 270)};
        default: return {turned(six())};
    }
}

Point placed(Point p, const GlyphShape& shape) {
    const std::int64_t from_foot = kDesignHeight - p.y;
    return {p.x * shape.height * shape.width / (kDesignHeight * 1024) +
                from_foot * shape.height * shape.slant / (kDesignHeight * 1024),
            p.y * shape.height / kDesignHeight};
}

Point bezier(const Point* p, std::int64_t i, std::int64_t n) {
    const std::int64_t j = n - i;
    const std::array<std::int64_t, 4> weight = {j * j * j, 3 * j * j * i, 3 * j * i * i, i * i * i};
    Point sum{0, 0};
    for (std::size_t k = 0; k < 4; ++k) {
        sum.x += weight[k] * p[k].x;
        sum.y += weight[k] * p[k].y;
    }
    return {sum.x / (n * n * n), sum.y / (n * n * n)};
}

bool is_line(const Point* p) { return p[0].x == p[1].x && p[0].y == p[1].y; }

// Each polyline is one stroke in place, its curves replaced by short lines.
std::vector<std::vector<Point>> flattened(const GlyphShape& shape) {
    const std::int64_t pieces = std::clamp<std::int64_t>(shape.height / (4 * kSubpixel), 6, 24);
    std::vector<std::vector<Point>> lines;
    for (Stroke stroke : design(shape.digit)) {
        for (Point& p : stroke) p = placed(p, shape);
        std::vector<Point> polyline = {stroke.front()};
        for (std::size_t k = 0; k + 3 < stroke.size(); k += 3) {
            const std::int64_t n = is_line(&stroke[k]) ? 1 : pieces;
            for (std::int64_t i = 1; i <= n; ++i) polyline.push_back(bezier(&stroke[k], i, n));
        }
        lines.push_back(std::move(polyline));
    }
    return lines;
}

// Lowers each sample of one row to its squared distance to one segment. Everything that is added is a whole number
// below 2^53, hence exact in double: no compiler's use of fused multiply-add can change the result.
void lower_row(double* row, std::int64_t columns, double py, double ax, double ay, double bx, double by) {
    const double length2 = bx * bx + by * by;
    const double inverse = length2 > 0 ? 1.0 / length2 : 0.0;
    for (std::int64_t column = 0; column < columns; ++column) {
        const double x = static_cast<double>(column * kCell) - ax, y = py - ay;
        const double along = x * bx + y * by, across = x * by - y * bx;
        const double ex = x - bx, ey = y - by;
        const double inside = across * across * inverse;
        const double near_start = x * x + y * y, near_end = ex * ex + ey * ey;
        const double value = along <= 0 ? near_start : along >= length2 ? near_end : inside;
        row[column] = value < row[column] ? value : row[column];
    }
}

}  // namespace

Glyph::Glyph(const GlyphShape& shape) : half_thickness_(shape.thickness / 2) {
    auto lines = flattened(shape);
    Point low = lines[0][0], high = low;
    for (const auto& polyline : lines) {
        for (const Point& p : polyline) {
            low = {std::min(low.x, p.x), std::min(low.y, p.y)};
            high = {std::max(high.x, p.x), std::max(high.y, p.y)};
        }
    }
    const std::int64_t border = half_thickness_ + kSubpixel / 2;  // coverage fades to zero half a pixel outside
    width_ = high.x - low.x + 2 * border;
    height_ = high.y - low.y + 2 * border;
    columns_ = width_ / kCell + 2;
    rows_ = height_ / kCell + 2;
    std::vector<double> squares(static_cast<std::size_t>(columns_ * rows_), std::numeric_limits<double>::max());
    const auto local = [&](const Point& p) { return Point{p.x - low.x + border, p.y - low.y + border}; };
    for (const auto& polyline : lines) {
        for (std::size_t k = 0; k + 1 < polyline.size(); ++k) {
            const Point a = local(polyline[k]), b = local(polyline[k + 1]);
            for (std::int64_t row = 0; row < rows_; ++row) {
                lower_row(&squares[static_cast<std::size_t>(row * columns_)], columns_,
                          static_cast<double>(row * kCell), static_cast<double>(a.x), static_cast<double>(a.y),
                          static_cast<double>(b.x - a.x), static_cast<double>(b.y - a.y));
            }
        }
    }
    distance_.reserve(squares.size());
    for (double square : squares) distance_.push_back(static_cast<std::int32_t>(std::sqrt(square)));
}

std::int64_t Glyph::distance_at(std::int64_t x, std::int64_t y) const {
    const std::int64_t column = x / kCell, row = y / kCell;
    const std::int64_t fx = x % kCell, fy = y % kCell;
    const std::int32_t* d = &distance_[static_cast<std::size_t>(row * columns_ + column)];
    const std::int64_t above = d[0] * (kCell - fx) + d[1] * fx;
    const std::int64_t below = d[columns_] * (kCell - fx) + d[columns_ + 1] * fx;
    return (above * (kCell - fy) + below * fy) / (kCell * kCell);
}

void Glyph::draw(std::uint8_t* frame, std::int64_t side, std::int64_t x, std::int64_t y) const {
    // Pixel i covers [i, i + 1) px and is sampled at its centre.
    const auto first = [](std::int64_t start) {
        return std::max<std::int64_t>((start + kSubpixel / 2) / kSubpixel, 0);
    };
    for (std::int64_t row = first(y); row < side; ++row) {
        const std::int64_t gy = row * kSubpixel + kSubpixel / 2 - y;
        if (gy > height_) break;
        for (std::int64_t column = first(x); column < side; ++column) {
            const std::int64_t gx = column * kSubpixel + kSubpixel / 2 - x;
            if (gx > width_) break;
            if (gx < 0 || gy < 0) continue;
            const std::int64_t cover = half_thickness_ + kSubpixel / 2 - distance_at(gx, gy);
            const std::int64_t ink = std::clamp<std::int64_t>(cover, 0, kSubpixel - 1);
            std::uint8_t& pixel = frame[row * side + column];
            pixel = static_cast<std::uint8_t>(std::min<std::int64_t>(pixel + ink, 255));
        }
    }
}

}  // namespace nowcell
