#include "predict/pictures/score_pictures.h"
#include "predict/pictures/chart.h"
#include "predict/pictures/colour_maps.h"
#include "predict/pictures/panels.h"
#include "predict/pictures/pictures.h"
#include "predict/pictures/uniform_map.h"
#include "src/error.h"

#include <ATen/ATen.h>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace nowcell;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// CIELAB by OpenCV, which knows nothing of OKLab.
std::vector<cv::Vec3f> cielab(const std::string& map, int count) {
    std::vector<cv::Vec3f> rgb, lab;
    for (int i = 0; i < count; ++i) {
        const Rgb c = map_colour(map, static_cast<double>(i) / (count - 1));
        rgb.emplace_back(static_cast<float>(c.r) / 255, static_cast<float>(c.g) / 255, static_cast<float>(c.b) / 255);
    }
    cv::cvtColor(rgb, lab, cv::COLOR_RGB2Lab);
    return lab;
}

std::vector<double> steps_of(const std::string& map, int count) {
    const auto lab = cielab(map, count);
    std::vector<double> steps;
    for (std::size_t i = 1; i < lab.size(); ++i) steps.push_back(cv::norm(lab[i] - lab[i - 1]));
    return steps;
}

double largest_over_smallest(const std::vector<double>& steps) {
    const auto [low, high] = std::minmax_element(steps.begin(), steps.end());
    return *high / *low;
}

// The points of every line of one colour, in the order in which they were drawn.
std::vector<Spot> points_of(const std::string& svg, const std::string& colour) {
    std::vector<Spot> spots;
    const std::regex line("<polyline points=\"([^\"]*)\" stroke=\"" + colour + "\"");
    for (std::sregex_iterator i(svg.begin(), svg.end(), line), end; i != end; ++i) {
        std::istringstream points((*i)[1]);
        for (std::string p; points >> p;) spots.push_back({std::stod(p), std::stod(p.substr(p.find(',') + 1))});
    }
    return spots;
}

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

const std::string kFirst = "#0072b2", kSecond = "#d55e00";

}  // namespace

TEST_CASE("the map of differences is even in OKLab, near even in CIELAB, and as light on both sides") {
    const auto colours = diverging_map(33);
    REQUIRE(colours.size() == 33);
    std::vector<double> steps;
    for (std::size_t i = 1; i < colours.size(); ++i) {
        steps.push_back(distance(oklab_of(colours[i - 1]), oklab_of(colours[i])));
    }
    CHECK(largest_over_smallest(steps) < 1.15);  // eight bits round
    CHECK(largest_over_smallest(steps_of("difference", 33)) < 2.0);
    const auto lab = cielab("difference", 257);
    for (std::size_t i = 0; i < 128; ++i) {
        CHECK(lab[i][0] < lab[i + 1][0] + 0.3f);
        CHECK(std::abs(lab[i][0] - lab[256 - i][0]) < 8.0f);
        CHECK(std::abs(oklab_of(map_colour("difference", static_cast<double>(i) / 256))[0] -
                       oklab_of(map_colour("difference", static_cast<double>(256 - i) / 256))[0]) < 0.01);
    }
    CHECK(lab[0][0] < 40);
    CHECK(lab[128][0] > 98);
}

TEST_CASE("sequential maps grow lighter in even steps") {
    for (const std::string map : {"viridis", "cividis", "magma", "grey"}) {
        INFO(map);
        const auto lab = cielab(map, 65);
        for (std::size_t i = 1; i < lab.size(); ++i) CHECK(lab[i][0] > lab[i - 1][0]);
        // They are even in CAM02-UCS, by their makers; CIELAB sees that roughly.
        CHECK(largest_over_smallest(steps_of(map, 17)) < 3.2);
    }
    // What the test is for: the radar convention does not pass.
    CHECK(largest_over_smallest(steps_of("radar", 17)) > 5.0);
}

TEST_CASE("OKLab and back gives the same colour") {
    for (int i = 0; i < 4096; ++i) {
        const auto part = [&](int shift) { return static_cast<std::uint8_t>((i >> shift & 15) * 17); };
        const Rgb colour{part(0), part(4), part(8)};
        CHECK((rgb_of(oklab_of(colour)) == colour));
    }
    CHECK(oklab_of(kWhite)[0] == Catch::Approx(1.0).margin(1e-4));
}

TEST_CASE("curves over lead times are written in units of time, with a mark at each value") {
    const std::vector<Curve> curves = {{"model", {1, 2, 3}, {1, 2, kNan}}, {"persistence", {1, 2, 3}, {2, 3, 4}}};
    const std::string svg = svg_text(lead_curves("MAE", "MAE [K]", 300, curves));
    for (const char* text : {">lead time [min]<", ">MAE [K]<", ">model<", ">persistence<", ">5<", ">15<"}) {
        INFO(text);
        CHECK(holds(svg, text));
    }
    CHECK(count_of(svg, "fill=\"" + kSecond + "\"") == 3);
    CHECK(count_of(svg, "fill=\"" + kFirst + "\"") == 2);
    CHECK(holds(svg_text(lead_curves("", "", 0, curves)), ">lead time [steps]<"));
}

TEST_CASE("more forecasters than colours are told apart by dashes") {
    std::vector<Curve> curves;
    for (int i = 0; i < 9; ++i) curves.push_back({"f" + std::to_string(i), {1, 2}, {1.0 * i, 1.0 * i}});
    const std::string svg = svg_text(lead_curves("", "", 0, curves));
    // The first curve and its legend are two lines; the dashes of the eighth are many.
    CHECK(count_of(svg, "stroke=\"" + kFirst + "\"") > 20);
    CHECK(count_of(svg, "stroke=\"#5a5a5a\"") == 2);
}

TEST_CASE("a power law is a straight line in a spectrum, and long waves stand left") {
    NamedCurve truth{"radar", {}, {}}, smooth{"model", {}, {}};
    for (double length = 2; length <= 64; length *= 2) {
        truth.x.push_back(length);
        truth.y.push_back(std::pow(length, 3));
        smooth.x.push_back(length);
        smooth.y.push_back(length < 4 ? 0.0 : std::pow(length, 3) / 2);
    }
    const std::string svg = svg_text(spectra("", {truth, smooth}, "power [K^2]"));
    CHECK(holds(svg, ">wavelength [px]<"));
    auto line = points_of(svg, kFirst);
    line.erase(line.begin(), line.begin() + 2);  // the legend
    REQUIRE(line.size() == 6);
    for (std::size_t i = 1; i < line.size(); ++i) {
        CHECK(line[i].x < line[i - 1].x);  // the curve begins with the short waves
        CHECK(line[i].x - line[i - 1].x == Catch::Approx(line[1].x - line[0].x).margin(0.03));
        CHECK(line[i].y - line[i - 1].y == Catch::Approx(line[1].y - line[0].y).margin(0.03));
    }
    CHECK(points_of(svg, kSecond).size() == 2 + 5);  // no place for a zero
    truth.name = "truth";
    CHECK(points_of(svg_text(spectra("", {truth, smooth})), "#8c8c8c").size() > 20);  // grey dashes
    const auto long_waves = by_wavelength({{"a", {0.0, 0.25, 0.5}, {9, 4, 1}}});
    CHECK(std::isnan(long_waves[0].x[0]));
    CHECK(long_waves[0].x[1] == 4.0);
    CHECK(long_waves[0].y == std::vector<double>{9, 4, 1});
    const std::string km = svg_text(spectra("", {truth}, "power", "wavelength [km]"));
    CHECK(holds(km, ">wavelength [km]<"));
}

TEST_CASE("a reliability diagram has its diagonal, the line of no skill and the counts") {
    const NamedCurve model{"model", {0.05, 0.5, 0.95}, {0.1, 0.4, 0.9}, {600, 300, 100}};
    const std::string svg = svg_text(reliability("", {model}));
    for (const char* text : {">perfect<", ">no skill<", ">observed frequency<", ">cases<", ">model<"}) {
        INFO(text);
        CHECK(holds(svg, text));
    }
    // Curve: the point (0.5, 0.4) lies below the diagonal. Bars: as high as the counts.
    auto line = points_of(svg, kFirst);
    line.erase(line.begin(), line.begin() + 2);
    REQUIRE(line.size() == 3);
    const std::regex bar("<rect x=\"[0-9]+\" y=\"[0-9]+\" width=\"[0-9]+\" height=\"([0-9]+)\" fill=\"#0072b2\"");
    std::vector<double> heights;
    for (std::sregex_iterator i(svg.begin(), svg.end(), bar), end; i != end; ++i) heights.push_back(std::stod((*i)[1]));
    REQUIRE(heights.size() == 3);
    CHECK(heights[0] / heights[1] == Catch::Approx(2.0).epsilon(0.05));
    CHECK(heights[1] / heights[2] == Catch::Approx(3.0).epsilon(0.1));
    // (1 + observed share) / 2 at the right end: 0.27 of the cases came true.
    const auto end_of_guides = points_of(svg, "#8c8c8c").back();
    const auto to_y = [&](double y) { return line[0].y + (y - 0.1) / (0.9 - 0.1) * (line[2].y - line[0].y); };
    CHECK(end_of_guides.y == Catch::Approx(to_y(0.635)).margin(1.0));
    CHECK(svg_text(reliability("", {{"model", {0.5}, {0.4}, {}}})).find(">cases<") == std::string::npos);
}

TEST_CASE("the area under a ROC curve is that of its trapezes") {
    CHECK(area_under({"perfect", {0}, {1}}) == Catch::Approx(1.0));
    CHECK(area_under({"none", {0.5}, {0.5}}) == Catch::Approx(0.5));
    CHECK(area_under({"one", {0.4, 0.1}, {0.9, 0.6}}) == Catch::Approx(0.03 + 0.225 + 0.57));
    CHECK(std::isnan(area_under({"empty", {}, {}})));
    CHECK(std::isnan(area_under({"unknown", {kNan}, {0.5}})));
    CHECK(holds(svg_text(roc("", {{"one", {0.4, 0.1}, {0.9, 0.6}}})), ">one, area 0.825<"));
}

TEST_CASE("a rank histogram shows shares beside those of a perfect ensemble") {
    const std::string svg = svg_text(rank_histogram("", {{"model", {}, {10, 20, 10}}}));
    CHECK(holds(svg, ">like the truth<"));
    const std::regex bar("<rect x=\"([0-9]+)\" y=\"([0-9]+)\" width=\"[0-9]+\" height=\"([0-9]+)\" fill=\"#0072b2\"");
    std::vector<double> heights;
    for (std::sregex_iterator i(svg.begin(), svg.end(), bar), end; i != end; ++i) heights.push_back(std::stod((*i)[3]));
    REQUIRE(heights.size() == 3);
    CHECK(heights[1] / heights[0] == Catch::Approx(2.0).epsilon(0.05));
    CHECK(holds(svg_text(rank_histogram("", {{"model", {}, {0, 0}}})), ">no data<"));
}

TEST_CASE("every score picture is a PNG and an SVG, with data and without") {
    const TemporaryFolder folder;
    const std::vector<NamedCurve> some = {{"a", {0.1, 0.5, 0.9}, {0.2, 0.5, 0.7}, {1, 2, 3}}, {"b", {0.5}, {0.1}, {4}}};
    struct Kind {
        const char* name;
        std::function<void(const std::string&, const std::vector<NamedCurve>&)> write;
    };
    const std::vector<Kind> kinds = {
        {"spectra", [](const auto& path, const auto& curves) { write_spectra(path, "Spectra", curves); }},
        {"reliability", [](const auto& path, const auto& curves) { write_reliability(path, "Reliability", curves); }},
        {"roc", [](const auto& path, const auto& curves) { write_roc(path, "ROC", curves); }},
        {"ranks", [](const auto& path, const auto& curves) { write_rank_histogram(path, "Ranks", curves); }},
        {"leads", [](const auto& path, const auto& curves) {
             std::vector<Curve> plain;
             for (const auto& curve : curves) plain.push_back({curve.name, curve.x, curve.y});
             write_lead_curves(path, "MAE", "MAE", 60, plain);
         }}};
    for (const Kind& kind : kinds) {
        for (const auto& curves : {some, std::vector<NamedCurve>{}}) {
            INFO(kind.name << " of " << curves.size());
            const std::string png = folder.path(std::string(kind.name) + ".png");
            const std::string svg = folder.path(std::string(kind.name) + ".svg");
            kind.write(png, curves);
            kind.write(svg, curves);
            const cv::Mat picture = cv::imread(png);
            REQUIRE(!picture.empty());
            CHECK(cv::imread(svg).empty());
            CHECK(cv::countNonZero(picture.reshape(1) < 200) > 300);
        }
        CHECK_THROWS_AS(kind.write(folder.path("no/a.png"), some), Error);
    }
}

TEST_CASE("differences have one scale around zero, blue below and red above") {
    const TemporaryFolder folder;
    Forecast f;
    f.input = torch::zeros({2, 1, 16, 16});
    f.truth = torch::zeros({4, 1, 16, 16});
    f.forecast = torch::zeros({4, 1, 16, 16});
    f.forecast[0].fill_(2.0f);
    f.forecast[1].fill_(-2.0f);
    f.truth[3].fill_(static_cast<float>(kNan));
    write_difference(folder.path("difference.png"), f, {"viridis", 0, 1, "K"});
    const cv::Mat picture = cv::imread(folder.path("difference.png"));
    REQUIRE(!picture.empty());
    const auto pixels = [&](Rgb c) {
        cv::Mat same;
        cv::inRange(picture, cv::Scalar(c.b, c.g, c.r), cv::Scalar(c.b, c.g, c.r), same);
        return cv::countNonZero(same);
    };
    const int panel = 288 * 288;
    CHECK(pixels(map_colour("difference", 1.0)) >= panel);
    CHECK(pixels(map_colour("difference", 0.0)) >= panel);
    CHECK(pixels(map_colour("difference", 0.5)) >= panel);
    CHECK(pixels(kMissing) + pixels(kMissingStripe) >= panel);
    f.truth = torch::Tensor();
    CHECK_THROWS_AS(write_difference(folder.path("none.png"), f, {"viridis", 0, 1, "K"}), Error);
}

TEST_CASE("input, truth and forecast of a strip share one scale: equal values have equal colours") {
    const TemporaryFolder folder;
    Forecast f;
    f.input = torch::full({4, 1, 16, 16}, 3.0f);
    f.truth = torch::full({4, 1, 16, 16}, 3.0f);
    f.forecast = torch::full({4, 1, 16, 16}, 3.0f);
    f.forecast[3].fill_(100.0f);  // a forecast off the scale changes no other panel
    const ColourScale scale{"viridis", 0.0, 10.0, "K"};
    write_strip(folder.path("strip.png"), f, scale);
    const cv::Mat picture = cv::imread(folder.path("strip.png"));
    const auto pixels = [&](Rgb c) {
        cv::Mat same;
        cv::inRange(picture, cv::Scalar(c.b, c.g, c.r), cv::Scalar(c.b, c.g, c.r), same);
        return cv::countNonZero(same);
    };
    CHECK(pixels(Colours(scale).colour(3.0)) >= 11 * 288 * 288);
    CHECK(pixels(Colours(scale).colour(10.0)) >= 288 * 288);
}
