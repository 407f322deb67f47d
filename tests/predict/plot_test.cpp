#include "predict/pictures/pictures.h"
#include "src/json.h"

#include <torch/types.h>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <regex>

namespace {

using namespace nowcell;

struct Files {
    std::string svg;
    cv::Mat png;
};

Files plotted(const std::string& title, const std::string& y_label, const std::vector<Curve>& curves) {
    const TemporaryFolder folder;
    for (const char* name : {"plot.svg", "plot.png"}) write_plot(folder.path(name), title, "epoch", y_label, curves);
    std::ifstream in(folder.path("plot.svg"), std::ios::binary);
    return {{std::istreambuf_iterator<char>(in), {}}, cv::imread(folder.path("plot.png"), cv::IMREAD_COLOR)};
}

std::vector<std::string> all(const std::string& text, const std::string& pattern) {
    const std::regex regex(pattern);
    std::vector<std::string> found;
    for (std::sregex_iterator i(text.begin(), text.end(), regex), end; i != end; ++i) found.push_back((*i)[1]);
    return found;
}

// Whether tags close in the order in which they open, and nothing else holds a '<' or a bare '&'.
bool well_formed(const std::string& text) {
    const std::regex tag("<(/?)([a-z]+)((?: [a-zA-Z-]+=\"[^\"<&]*\")*)(/?)>");
    std::vector<std::string> open;
    std::string rest = text;
    for (std::sregex_iterator i(text.begin(), text.end(), tag), end; i != end; ++i) {
        if ((*i)[4] == "/") continue;
        if ((*i)[1] != "/") {
            open.push_back((*i)[2]);
        } else if (open.empty() || open.back() != (*i)[2]) {
            return false;
        } else {
            open.pop_back();
        }
    }
    rest = std::regex_replace(std::regex_replace(rest, tag, ""), std::regex("&(amp|lt|gt);"), "");
    return open.empty() && rest.find_first_of("<&") == std::string::npos;
}

}  // namespace

TEST_CASE("an SVG plot has the places of the PNG plot") {
    const Curve curve{"validation", {0, 1, 2, 3, 4}, {5, 3, 4, std::nan(""), 2}};
    const Files files = plotted("Error", "MAE [K]", {curve});
    CHECK(well_formed(files.svg));
    REQUIRE(files.png.cols == 1000);
    CHECK(holds(files.svg, "viewBox=\"0 0 1000 600\""));
    const auto lines = all(files.svg, "<polyline points=\"([^\"]*)\" stroke=\"#0072b2\" stroke-width=\"2.20\"");
    REQUIRE(lines.size() == 1);  // a single point after the gap is a dot, not a line
    std::istringstream points(lines[0]);
    int count = 0;
    for (std::string point; points >> point; ++count) {
        const double x = std::stod(point), y = std::stod(point.substr(point.find(',') + 1));
        INFO(point);
        CHECK(files.png.at<cv::Vec3b>(static_cast<int>(y), static_cast<int>(x)) == cv::Vec3b(178, 114, 0));
    }
    CHECK(count == 3);
    CHECK(all(files.svg, "(<circle) ").size() == 5);  // a dot a value, and the last one's own
    for (const char* text : {">Error<", ">MAE [K]<", ">epoch<", ">validation<", ">0<", ">4<"}) {
        INFO(text);
        CHECK(holds(files.svg, text));
    }
    CHECK(all(files.svg, "(rotate\\(-90 )").size() == 1);
}

TEST_CASE("text of an SVG plot is escaped and stays UTF-8") {
    const Files files = plotted("a < b & c", "kg m\u207b\u00b2 \xB0 \x01", {{"x>y", {1, 2}, {1, 2}}});
    CHECK(well_formed(files.svg));
    CHECK(holds(files.svg, "a &lt; b &amp; c"));
    CHECK(holds(files.svg, "x&gt;y"));
    CHECK(files.svg.find('\x01') == std::string::npos);
    CHECK(as_utf8(files.svg) == files.svg);  // though one byte of the label is no UTF-8
}

TEST_CASE("a single curve without a name has no legend, an empty plot says so") {
    CHECK(all(plotted("Learning rate", "", {{"", {0, 1}, {1, 2}}}).svg, "<polyline points=\"([^\"]*)\"").size() == 1);
    CHECK(all(plotted("Error", "", {{"a", {0, 1}, {1, 2}}}).svg, "<polyline points=\"([^\"]*)\"").size() == 2);
    CHECK(holds(plotted("Error", "", {}).svg, ">no data<"));
}
