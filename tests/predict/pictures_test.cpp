#include "predict/pictures/pictures.h"

#include <ATen/ATen.h>
#include <gif_lib.h>
#include <sys/stat.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <set>
#include <string>
#include <vector>

#include "predict/pictures/canvas.h"
#include "predict/pictures/colour_maps.h"
#include "predict/pictures/fields.h"
#include "predict/pictures/gif.h"
#include "predict/pictures/panels.h"
#include "predict/pictures/plot_axis.h"
#include "predict/pictures/strip_layout.h"
#include "predict/pictures/ticks.h"
#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

namespace {

using namespace nowcell;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

torch::Tensor noise(std::int64_t frames, std::int64_t channels, std::int64_t height, std::int64_t width) {
    torch::manual_seed(1);
    return at::rand({frames, channels, height, width});
}

Forecast forecast_of(std::int64_t inputs, std::int64_t horizon, std::int64_t channels, std::int64_t height,
                     std::int64_t width, std::int64_t known) {
    Forecast f;
    f.input = noise(inputs, channels, height, width);
    f.forecast = noise(horizon, channels, height, width) * 0.9f;
    if (known > 0) f.truth = noise(known, channels, height, width);
    f.step_s = 3600;
    f.title = "A title";
    return f;
}

cv::Mat strip_of(const Forecast& f, const ColourScale& scale, int columns = 10) {
    const TemporaryFolder folder;
    write_strip(folder.path("strip.png"), f, scale, columns);
    return cv::imread(folder.path("strip.png"), cv::IMREAD_COLOR);
}

// Width of the white border, px; 0 as soon as something touches the edge.
int white_border(const cv::Mat& picture) {
    for (int border = 0; border < std::min(picture.cols, picture.rows) / 2; ++border) {
        for (const cv::Rect& edge : {cv::Rect(0, border, picture.cols, 1), cv::Rect(border, 0, 1, picture.rows),
                                     cv::Rect(0, picture.rows - 1 - border, picture.cols, 1),
                                     cv::Rect(picture.cols - 1 - border, 0, 1, picture.rows)}) {
            const cv::Mat line = picture(edge).clone().reshape(1, 1);
            if (cv::countNonZero(line < 255) > 0) return border;
        }
    }
    return 0;
}

int pixels_of(const cv::Mat& picture, Rgb colour) {
    cv::Mat same;
    const cv::Scalar bgr(colour.b, colour.g, colour.r);
    cv::inRange(picture, bgr, bgr, same);
    return cv::countNonZero(same);
}

struct Gif {
    int width = 0, height = 0;
    bool loops = false;
    std::vector<int> delays;               // 1/100 s
    std::vector<std::vector<Rgb>> frames;  // whole pictures, as a viewer shows them
};

void paint_over(std::vector<Rgb>& picture, const GifFileType& file, const SavedImage& image, int transparent) {
    const auto& d = image.ImageDesc;
    for (int y = 0; y < d.Height; ++y) {
        for (int x = 0; x < d.Width; ++x) {
            const int index = image.RasterBits[y * d.Width + x];
            if (index == transparent) continue;
            const GifColorType& c = file.SColorMap->Colors[index];
            picture[static_cast<std::size_t>((d.Top + y) * file.SWidth + d.Left + x)] = {c.Red, c.Green, c.Blue};
        }
    }
}

Gif read_gif(const std::string& path) {
    int code = 0;
    GifFileType* file = DGifOpenFileName(path.c_str(), &code);
    REQUIRE(file != nullptr);
    REQUIRE(DGifSlurp(file) == GIF_OK);
    Gif gif{file->SWidth, file->SHeight, false, {}, {}};
    std::vector<Rgb> picture(static_cast<std::size_t>(gif.width * gif.height));
    for (int i = 0; i < file->ImageCount; ++i) {
        GraphicsControlBlock control{};
        REQUIRE(DGifSavedExtensionToGCB(file, i, &control) == GIF_OK);
        CHECK(file->SavedImages[i].ImageDesc.ColorMap == nullptr);
        for (int k = 0; k < file->SavedImages[i].ExtensionBlockCount; ++k) {
            const auto& block = file->SavedImages[i].ExtensionBlocks[k];
            gif.loops = gif.loops || block.Function == APPLICATION_EXT_FUNC_CODE;
        }
        paint_over(picture, *file, file->SavedImages[i], control.TransparentColor);
        gif.delays.push_back(control.DelayTime);
        gif.frames.push_back(picture);
    }
    DGifCloseFile(file, &code);
    return gif;
}

Gif gif_of(const Forecast& f, const ColourScale& scale, double frames_per_s = 5.0) {
    const TemporaryFolder folder;
    write_gif(folder.path("forecast.gif"), f, scale, frames_per_s);
    return read_gif(folder.path("forecast.gif"));
}

cv::Mat plot_of(const std::string& title, const std::vector<Curve>& curves) {
    const TemporaryFolder folder;
    write_plot(folder.path("plot.png"), title, "epoch", "loss (K)", curves);
    return cv::imread(folder.path("plot.png"), cv::IMREAD_COLOR);
}

}  // namespace

TEST_CASE("a strip of any shape has a white border and a sensible size") {
    struct Shape {
        std::int64_t inputs, horizon, channels, height, width, known;
    };
    for (const Shape& s : {Shape{10, 10, 1, 64, 64, 10}, Shape{24, 12, 1, 33, 49, 12}, Shape{1, 1, 1, 16, 16, 1},
                           Shape{4, 2, 3, 20, 30, 2}, Shape{100, 200, 1, 16, 16, 200}, Shape{4, 12, 1, 16, 900, 5},
                           Shape{4, 12, 3, 900, 16, 0}, Shape{2, 3, 1, 500, 700, 0}, Shape{3, 4, 1, 1, 1, 4}}) {
        INFO(s.inputs << " -> " << s.horizon << ", " << s.channels << "x" << s.height << "x" << s.width);
        const auto f = forecast_of(s.inputs, s.horizon, s.channels, s.height, s.width, s.known);
        const auto picture = strip_of(f, colour_scale(f, "K"));
        CHECK(white_border(picture) >= 10);
        CHECK(picture.cols <= 1760);
        CHECK(picture.rows <= 1500);
    }
}

TEST_CASE("a strip is higher with truth than without") {
    const auto with = forecast_of(6, 6, 1, 32, 32, 6), without = forecast_of(6, 6, 1, 32, 32, 0);
    const auto scale = colour_scale(with, "1");
    CHECK(strip_of(with, scale).rows > strip_of(without, scale).rows + 2 * 128);
}

TEST_CASE("a strip shows values in the colours of its scale, and keeps them when frames are enlarged") {
    Forecast f;
    f.input = torch::full({4, 1, 16, 16}, 0.25f);
    f.forecast = torch::full({4, 1, 16, 16}, 0.75f);
    f.truth = torch::full({4, 1, 16, 16}, 0.25f);
    const ColourScale scale{"viridis", 0.0, 1.0, "K"};
    const auto picture = strip_of(f, scale);
    const int panel = 288 * 288;
    CHECK(pixels_of(picture, Colours(scale).colour(0.25)) >= 8 * panel);
    CHECK(pixels_of(picture, Colours(scale).colour(0.75)) >= 4 * panel);
    // All errors are +0.5, and the scale of errors ends there.
    CHECK(pixels_of(picture, map_colour("difference", 1.0)) >= 4 * panel);
}

TEST_CASE("a perfect forecast has an error of no colour") {
    auto f = forecast_of(4, 4, 1, 16, 16, 4);
    f.forecast = f.truth.clone();
    const auto picture = strip_of(f, colour_scale(f, "K"));
    CHECK(pixels_of(picture, map_colour("difference", 0.5)) >= 4 * 288 * 288);
}

TEST_CASE("missing values are grey in frames and in errors") {
    auto f = forecast_of(4, 4, 1, 16, 16, 4);
    f.truth.slice(2, 0, 8).fill_(kNan);
    const auto scale = colour_scale(f, "K");
    const auto picture = strip_of(f, scale);
    const int half_panels = 8 * 288 * 288 / 2;
    CHECK(pixels_of(picture, kMissing) + pixels_of(picture, kMissingStripe) >= half_panels);
    f.truth.fill_(kNan);
    f.input.fill_(kNan);
    CHECK(white_border(strip_of(f, colour_scale(f, "K"))) >= 10);
}

TEST_CASE("a strip leaves panels empty where the truth ends") {
    auto f = forecast_of(4, 8, 1, 16, 16, 8);
    const ColourScale scale{"magma", 0.0, 1.0, "K"};
    const auto whole = strip_of(f, scale);
    f.truth = f.truth.slice(0, 0, 3);
    const auto part = strip_of(f, scale);
    CHECK(part.size() == whole.size());
    CHECK(pixels_of(part, kWhite) > pixels_of(whole, kWhite) + 9 * 100 * 100);
}

TEST_CASE("red, green and blue are shown as they are") {
    Forecast f;
    f.input = torch::zeros({4, 3, 16, 16});
    f.input.select(1, 0).fill_(1.0f);
    f.forecast = f.input.clone();
    const auto picture = strip_of(f, {"auto", 0.0, 1.0, "1"});
    CHECK(pixels_of(picture, {255, 0, 0}) >= 8 * 288 * 288);
}

TEST_CASE("pictures into a folder that is not there fail as output errors and leave nothing") {
    const TemporaryFolder folder;
    const auto f = forecast_of(4, 4, 1, 16, 16, 4);
    const auto scale = colour_scale(f, "K");
    const auto fails = [](const auto& write) {
        try {
            write();
        } catch (const Error& error) {
            return error.code() == ExitCode::output;
        }
        return false;
    };
    CHECK(fails([&] { write_strip(folder.path("no/strip.png"), f, scale); }));
    CHECK(fails([&] { write_gif(folder.path("no/forecast.gif"), f, scale); }));
    CHECK(fails([&] { write_plot(folder.path("no/loss.png"), "", "", "", {}); }));
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("tensors that do not fit together are refused") {
    auto f = forecast_of(4, 4, 1, 16, 16, 4);
    const auto scale = colour_scale(f, "K");
    f.truth = noise(4, 1, 16, 15);
    CHECK_THROWS_AS(strip_of(f, scale), Error);
    f.truth = torch::Tensor();
    f.forecast = torch::Tensor();
    CHECK_THROWS_AS(strip_of(f, scale), Error);
}

TEST_CASE("the range of colours comes from input and truth, not from the forecast") {
    auto f = forecast_of(4, 4, 1, 16, 16, 4);
    f.input = f.input * 10 + 280;
    f.truth = f.truth * 10 + 280;
    f.forecast = f.forecast * 1000;
    f.truth[0][0][0][0] = kNan;
    const auto scale = colour_scale(f, "K");
    CHECK(scale.units == "K");
    CHECK(scale.min == Catch::Approx(280.0).margin(0.6));
    CHECK(scale.max == Catch::Approx(290.0).margin(0.6));
}

TEST_CASE("natural ranges, constant and missing frames get a usable scale") {
    auto f = forecast_of(4, 4, 1, 16, 16, 4);
    CHECK(colour_scale(f, "1").max == 1.0);
    CHECK(colour_scale(f, "1").min == 0.0);
    f.input = f.input * 250;
    f.truth = torch::Tensor();
    CHECK(colour_scale(f, "1").max == 255.0);
    f.input.fill_(7.0f);
    CHECK(colour_scale(f, "K").min <= 7.0);
    CHECK(colour_scale(f, "K").max > colour_scale(f, "K").min);
    f.input.fill_(kNan);
    CHECK(colour_scale(f, "K").max > colour_scale(f, "K").min);
}

TEST_CASE("one stray pixel does not set the range") {
    auto f = forecast_of(4, 4, 1, 64, 64, 4);
    f.input[0][0][0][0] = 1e9f;
    CHECK(colour_scale(f, "K").max < 2.0);
}

TEST_CASE("units choose the colour map unless it is named") {
    CHECK(map_name({"auto", 0, 1, "1"}) == "grey");
    CHECK(map_name({"auto", 0, 1, "K"}) == "viridis");
    CHECK(map_name({"auto", 0, 1, "mm"}) == "radar");
    CHECK(map_name({"magma", 0, 1, "mm"}) == "magma");
    CHECK_THROWS_AS(map_colour("virids", 0.5), Error);
}

TEST_CASE("colour maps run from end to end and errors are white in the middle") {
    CHECK(map_colour("grey", 0.0) == Rgb{0, 0, 0});
    CHECK(map_colour("grey", 2.0) == Rgb{255, 255, 255});
    CHECK(map_colour("viridis", 0.0) == Rgb{68, 1, 84});
    const Rgb middle = map_colour("difference", 0.5), low = map_colour("difference", 0.1),
              high = map_colour("difference", 0.9);
    CHECK(std::min({middle.r, middle.g, middle.b}) > 250);
    CHECK(low.b > low.r + 60);
    CHECK(high.r > high.b + 60);
}

TEST_CASE("positions on a scale rise with the value and stop at its ends") {
    for (const ColourScale& scale : {ColourScale{"viridis", 270, 290, "K"}, ColourScale{"radar", 0, 290, "mm"}}) {
        const Colours colours(scale);
        CHECK(colours.position(scale.min - 5) == 0.0);
        CHECK(colours.position(scale.max + 5) == 1.0);
        CHECK(colours.position(280) > colours.position(275));
        CHECK(colours.colour(kNan) == kMissing);
        for (double tick : colours.ticks(5)) {
            CHECK(tick >= scale.min);
            CHECK(tick <= scale.max);
        }
    }
}

TEST_CASE("light rain is told from none") {
    const Colours rain({"auto", 0, 20, "mm"});
    CHECK(rain.position(0.2) > 0.1);
    CHECK_FALSE(rain.colour(0.2) == rain.colour(0.0));
}

TEST_CASE("ticks are round, inside the range and few") {
    CHECK(linear_ticks(0, 1, 6) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
    CHECK(linear_ticks(3, 3, 5) == std::vector<double>{3});
    CHECK(log_ticks(0.1, 100, 5) == std::vector<double>{0.1, 1, 10, 100});
    for (double low : {-3.2e-7, 0.0, 0.17, 271.3, -5e8}) {
        for (double range : {1e-6, 0.3, 7.7, 43.0, 1.9e9}) {
            for (int most : {2, 3, 5, 7}) {
                const auto ticks = linear_ticks(low, low + range, most);
                INFO(low << " + " << range << " by " << most);
                CHECK(static_cast<int>(ticks.size()) <= most);
                const bool told_apart = range > 1e-9 * std::abs(low);
                CHECK(ticks.size() >= (most >= 5 && told_apart ? 3u : 1u));
                CHECK(ticks.front() >= low - 1e-6 * range);
                CHECK(ticks.back() <= low + range * (1 + 1e-6));
            }
        }
    }
}

TEST_CASE("numbers are written with the decimals they need") {
    CHECK(tick_labels({-0.5, 0, 0.5}) == std::vector<std::string>{"-0.5", "0", "0.5"});
    CHECK(tick_labels({270, 275, 280}) == std::vector<std::string>{"270", "275", "280"});
    CHECK(tick_labels({0, 0.01, 0.1, 1}) == std::vector<std::string>{"0", "0.01", "0.1", "1"});
    CHECK(tick_labels({0, 2e-5}) == std::vector<std::string>{"0", "2e-05"});
    CHECK(number_labels({0.8123, 12.04}) == std::vector<std::string>{"0.8", "12.0"});
    CHECK(number_labels({0.0123, std::nan("")}) == std::vector<std::string>{"0.0123", "-"});
}

TEST_CASE("lead times are written in the largest unit in which a step is whole") {
    CHECK(lead_label(3, 3600) == "+3 h");
    CHECK(lead_label(3, 300) == "+15 min");
    CHECK(lead_label(-2, 86400) == "-2 d");
    CHECK(lead_label(1, 5400) == "+90 min");
    CHECK(lead_label(2, 0.04) == "+0.08 s");
    CHECK(lead_label(10, 0) == "+10");
    CHECK(lead_label(0, 3600) == "0");
}

TEST_CASE("thinning keeps the first and the last and spreads the rest") {
    CHECK(thinned(12, 4) == std::vector<std::int64_t>{0, 4, 7, 11});
    CHECK(thinned(3, 10) == std::vector<std::int64_t>{0, 1, 2});
    CHECK(thinned(5, 1) == std::vector<std::int64_t>{4});
    for (std::int64_t count = 2; count <= 200; count += 9) {
        const auto kept = thinned(count, 10);
        CHECK(kept.front() == 0);
        CHECK(kept.back() == count - 1);
        CHECK(std::set<std::int64_t>(kept.begin(), kept.end()).size() == kept.size());
    }
}

TEST_CASE("a strip of many leads runs to the right, one of few leads downward") {
    const auto wide = lay_out_strip(24, 12, 12, 10);
    CHECK(wide.time_runs_right);
    CHECK(wide.rows == 4);
    CHECK(wide.columns == 10);
    CHECK(wide.cells.size() == 40);
    const auto one = lay_out_strip(10, 1, 1, 10);
    CHECK(one.rows == 1);
    CHECK(one.columns == 6);
    CHECK(lay_out_strip(1, 3, 0, 10).columns == 2);
    CHECK(lay_out_strip(5, 8, 0, 10).rows == 2);
}

TEST_CASE("no two panels of a strip share a place") {
    for (std::int64_t inputs : {1, 4, 30}) {
        for (std::int64_t horizon : {1, 2, 3, 4, 11, 200}) {
            for (std::int64_t known : {std::int64_t{0}, horizon}) {
                const auto layout = lay_out_strip(inputs, horizon, known, 10);
                std::set<std::pair<int, int>> places;
                for (const auto& cell : layout.cells) {
                    CHECK(cell.row < layout.rows);
                    CHECK(cell.column < layout.columns);
                    CHECK(places.insert({cell.row, cell.column}).second);
                }
            }
        }
    }
}

TEST_CASE("an animation shows every input frame and every lead, loops and rests at the end") {
    const auto f = forecast_of(3, 5, 1, 16, 16, 5);
    const auto gif = gif_of(f, colour_scale(f, "K"), 4.0);
    REQUIRE(gif.frames.size() == 8);
    CHECK(gif.loops);
    CHECK(gif.delays[0] == 25);
    CHECK(gif.delays[7] > 100);
    CHECK(gif.width > 3 * 200);
    for (std::size_t i = 1; i < gif.frames.size(); ++i)
        CHECK_FALSE((gif.frames[i] == gif.frames[i - 1]));  // in brackets: c10 prints vectors, not Rgb
}

TEST_CASE("an animation shows the exact colours of its maps") {
    Forecast f;
    f.input = torch::full({2, 1, 16, 16}, 0.25f);
    f.forecast = torch::full({2, 1, 16, 16}, 0.75f);
    f.truth = torch::full({2, 1, 16, 16}, 0.25f);
    const ColourScale scale{"viridis", 0.0, 1.0, "K"};
    const auto gif = gif_of(f, scale);
    const Colours colours(scale, 128);
    const auto count = [&](std::size_t frame, Rgb colour) {
        return std::count(gif.frames[frame].begin(), gif.frames[frame].end(), colour);
    };
    const int panel = 288 * 288;
    CHECK(count(0, colours.colour(0.25)) >= 2 * panel);
    CHECK(count(3, colours.colour(0.25)) >= panel);
    CHECK(count(3, colours.colour(0.75)) >= panel);
    CHECK(count(3, map_colour("difference", 1.0)) >= panel);
}

TEST_CASE("an animation without truth, of colour frames, and of large ones can be read back") {
    CHECK(gif_of(forecast_of(2, 2, 1, 20, 30, 0), {"auto", 0, 1, "K"}).frames.size() == 4);
    CHECK(gif_of(forecast_of(2, 3, 3, 20, 30, 1), {"auto", 0, 1, "1"}).frames.size() == 5);
    CHECK(gif_of(forecast_of(1, 1, 1, 600, 400, 1), {"auto", 0, 1, "mm"}).width < 1300);
}

TEST_CASE("frames without change still last their time") {
    GifWriter writer(8, 8, Palette({kWhite, kInk}));
    const Image white{8, 8, std::vector<Rgb>(64, kWhite)};
    writer.add(white, 0.5);
    writer.add(white, 0.5);
    const std::string bytes = writer.bytes();
    CHECK(bytes.substr(0, 6) == "GIF89a");
    CHECK(std::count(bytes.begin(), bytes.end(), ',') >= 2);
}

TEST_CASE("pictures can be read by others") {
    const TemporaryFolder folder;
    const mode_t before = umask(022);
    const auto f = forecast_of(2, 2, 1, 16, 16, 2);
    write_gif(folder.path("forecast.gif"), f, colour_scale(f, "K"));
    umask(before);
    struct stat info {};
    REQUIRE(stat(folder.path("forecast.gif").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0644);
}

TEST_CASE("median cut returns few colours near the given ones") {
    std::vector<Rgb> colours;
    for (int i = 0; i < 256; ++i) colours.push_back({static_cast<std::uint8_t>(i), 10, 20});
    const auto few = median_cut(colours, 16);
    CHECK(few.size() == 16);
    for (Rgb colour : few) CHECK(colour.g == 10);
    CHECK(median_cut({kInk, kInk}, 16).size() == 1);
    CHECK(median_cut({}, 16).empty());
}

TEST_CASE("a plot has a white border and draws each curve in its colour") {
    const std::vector<double> x = {1, 2, 3, 4};
    const auto picture = plot_of("Loss", {{"train", x, {4, 3, 2, 1}}, {"validation", x, {4, 3.5, 3, 2.5}}});
    CHECK(white_border(picture) >= 10);
    CHECK(pixels_of(picture, {0, 114, 178}) > 500);
    CHECK(pixels_of(picture, {213, 94, 0}) > 500);
}

TEST_CASE("a NaN breaks a line of a plot") {
    const std::vector<double> x = {1, 2, 3, 4};
    const auto whole = plot_of("", {{"train", x, {1, 1, 1, 2}}});
    const auto broken = plot_of("", {{"train", x, {1, std::nan(""), 1, 2}}});
    CHECK(pixels_of(broken, {0, 114, 178}) < pixels_of(whole, {0, 114, 178}) - 500);
}

TEST_CASE("plots of nothing, one point, no finite value and many long names are drawn") {
    CHECK(white_border(plot_of("", {})) >= 10);
    CHECK(white_border(plot_of("One", {{"train", {1}, {0.8}}})) >= 10);
    CHECK(white_border(plot_of("", {{"train", {1, 2}, {std::nan(""), INFINITY}}})) >= 10);
    std::vector<Curve> many;
    for (int i = 0; i < 12; ++i)
        many.push_back({"a curve with quite a long name " + std::to_string(i), {0, 1}, {1.0 * i, 2}});
    CHECK(white_border(plot_of(std::string(300, 'W'), many)) >= 10);
}

TEST_CASE("the y axis becomes logarithmic when values span more than two decades") {
    CHECK(y_axis({1, 101}).logarithmic);
    CHECK_FALSE(y_axis({1, 99}).logarithmic);
    CHECK_FALSE(y_axis({0, 1000}).logarithmic);
    CHECK_FALSE(y_axis({-1, 1000}).logarithmic);
    CHECK(y_axis({1, 101}).holds(0) == false);
    CHECK(y_axis({0.2, 0.9}).low == 0.0);
    CHECK(y_axis({5, 5}).high > y_axis({5, 5}).low);
    for (double tick : x_axis({1, 2, 3}).ticks) CHECK(tick == std::floor(tick));
}

TEST_CASE("reduced frames average the known pixels") {
    Field field{4, 2, 1, {1, 3, kNan, kNan, 1, 3, 5, kNan}};
    const Field half = resized(field, {2, 1});
    CHECK(half.values[0] == Catch::Approx(2.0f));
    CHECK(std::isnan(half.values[1]));
    const Field twice = resized(field, {8, 4});
    CHECK(twice.values[0] == 1.0f);
    CHECK(twice.values[7] != twice.values[7]);
}

TEST_CASE("the mean absolute error leaves out missing pixels") {
    const Field truth{2, 2, 1, {1, 2, kNan, 4}}, forecast{2, 2, 1, {2, 2, 3, 2}};
    CHECK(mean_absolute_error(forecast, truth) == Catch::Approx(1.0));
    const Field none{2, 2, 1, {kNan, kNan, kNan, kNan}};
    CHECK(std::isnan(mean_absolute_error(forecast, none)));
}

TEST_CASE("text is as wide as it is measured, and cut to fit") {
    for (const std::string& text : {std::string("Wide text"), std::string("\u00b0C"), std::string("m s\u207b\u00b9")}) {
        Canvas canvas(200, 40);
        canvas.text(20, 25, text, {kLabelCap, kInk});
        int first = 200, last = 0;
        for (int y = 0; y < 40; ++y) {
            for (int x = 0; x < 200; ++x) {
                if (canvas.image().at(x, y) == kWhite) continue;
                first = std::min(first, x);
                last = std::max(last, x);
            }
        }
        INFO(text);
        CHECK(first >= 18);
        CHECK(last <= 22 + text_width(text, kLabelCap));
        CHECK(last >= 10 + text_width(text, kLabelCap));
    }
    const std::string cut = fitted("a very long title", kLabelCap, 60);
    CHECK(cut.substr(cut.size() - 3) == "...");
    CHECK(text_width(cut, kLabelCap) <= 60);
    CHECK(fitted("short", kLabelCap, 60) == "short");
}

TEST_CASE("units are written as people write them") {
    CHECK(readable_units("1").empty());
    CHECK(readable_units("kg m-2 s-1") == "kg m\u207b\u00b2 s\u207b\u00b9");
    CHECK(readable_units("K") == "K");
    CHECK(with_units("MAE", "K") == "MAE (K)");
    CHECK(with_units("MAE", "") == "MAE");
}

TEST_CASE("what no input frame knows is not drawn as a forecast") {
    nowcell::Forecast forecast{at::ones({2, 1, 3, 3}), at::ones({4, 1, 3, 3}), {}, "", 0.0};
    CHECK(nowcell::drawable(forecast).forecast.isfinite().all().item<bool>());
    forecast.input[0][0][1][1] = std::nan("");
    CHECK(nowcell::drawable(forecast).forecast.isfinite().all().item<bool>());
    forecast.input[1][0][1][1] = std::nan("");
    const torch::Tensor drawn = nowcell::drawable(forecast).forecast;
    CHECK(drawn.isnan().sum().item<std::int64_t>() == 4);
    CHECK(drawn[3][0][1][1].isnan().item<bool>());
    CHECK(forecast.forecast.isfinite().all().item<bool>());
}
