#include "predict/pictures/animation.h"
#include "predict/pictures/gif.h"
#include "predict/pictures/pictures.h"
#include "predict/pictures/preview_pictures.h"
#include "predict/pictures/video.h"
#include "src/error.h"

#include <ATen/ATen.h>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <filesystem>
#include <string>
#include <vector>

namespace {

using namespace nowcell;

constexpr int kMapLevels = 255;

// 8-bit frames: every value of 0..255 appears in each.
torch::Tensor bytes(std::int64_t frames, std::int64_t height, std::int64_t width) {
    const auto n = frames * height * width;
    return at::arange(n).mul(37).remainder(256).reshape({frames, 1, height, width}).to(torch::kFloat32);
}

Forecast grey_forecast(bool with_truth) {
    Forecast f;
    f.input = bytes(3, 16, 24);
    f.forecast = bytes(4, 16, 24).flip(0);
    if (with_truth) f.truth = bytes(4, 16, 24);
    f.title = "All greys";
    return f;
}

std::vector<cv::Mat> frames_of(const std::string& path) {
    cv::VideoCapture movie(path, cv::CAP_FFMPEG);
    std::vector<cv::Mat> frames;
    for (cv::Mat frame; movie.read(frame);) frames.push_back(frame.clone());
    return frames;
}

cv::Mat bgr(const Image& image) {
    cv::Mat out(image.height, image.width, CV_8UC3);
    for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) {
            out.at<cv::Vec3b>(y, x) = {image.at(x, y).b, image.at(x, y).g, image.at(x, y).r};
        }
    }
    return out;
}

// Where a frame of 8-bit values stands in a picture, enlarged `times` times and not one value off; false: nowhere.
bool shows_exactly(const cv::Mat& picture, const torch::Tensor& frame, int times) {
    const auto values = frame.to(torch::kUInt8).contiguous();
    const auto height = static_cast<int>(frame.size(0)), width = static_cast<int>(frame.size(1));
    cv::Mat grey(height, width, CV_8U, values.data_ptr<std::uint8_t>()), panel, score;
    cv::resize(grey, panel, {}, times, times, cv::INTER_NEAREST);
    cv::cvtColor(panel, panel, cv::COLOR_GRAY2BGR);
    cv::matchTemplate(picture, panel, score, cv::TM_SQDIFF);
    cv::Point best;
    cv::minMaxLoc(score, nullptr, nullptr, &best);
    return cv::norm(picture(cv::Rect(best, panel.size())), panel, cv::NORM_INF) == 0;
}

Animation drawn(const Forecast& f, const ColourScale& scale) {
    return {f, {Colours(scale), Colours(error_scale(f, scale.units), kMapLevels)}};
}

}  // namespace

TEST_CASE("the GIF of grey frames gives every value of 0..255 back, in all panels") {
    const TemporaryFolder folder;
    const std::string path = folder.path("grey.gif");
    for (const bool with_truth : {true, false}) {
        const Forecast f = grey_forecast(with_truth);
        write_gif(path, f, colour_scale(f, "1"));
        const auto frames = frames_of(path);
        REQUIRE(frames.size() == 7);
        for (std::int64_t t = 0; t < 3; ++t) {
            CHECK(shows_exactly(frames[static_cast<std::size_t>(t)], f.input[t][0], 12));
        }
        for (std::int64_t t = 0; t < 4; ++t) {
            INFO("lead " << t + 1);
            const auto& frame = frames[static_cast<std::size_t>(3 + t)];
            CHECK(shows_exactly(frame, f.forecast[t][0], 12));
            if (with_truth) CHECK(shows_exactly(frame, f.truth[t][0], 12));
            CHECK_FALSE(shows_exactly(frame, f.forecast[t][0] + 1 - 2 * f.forecast[t][0].remainder(2), 12));
        }
    }
}

TEST_CASE("so does the GIF of grey frames without a forecast") {
    const TemporaryFolder folder;
    const FrameSequence sequence{bytes(3, 20, 20), {"0", "1", "2"}, "Frames"};
    write_frames_gif(folder.path("frames.gif"), sequence, frames_scale(sequence.frames, "1"));
    const auto frames = frames_of(folder.path("frames.gif"));
    REQUIRE(frames.size() == 3);
    for (std::int64_t t = 0; t < 3; ++t) {
        CHECK(shows_exactly(frames[static_cast<std::size_t>(t)], sequence.frames[t][0], 24));
    }
}

TEST_CASE("a .mkv holds the drawn frames without loss, a .mp4 within what its codec loses") {
    const TemporaryFolder folder;
    Forecast f;
    f.input = at::rand({2, 1, 16, 17});
    f.forecast = at::rand({3, 1, 16, 17}) - 0.2;
    f.truth = at::rand({3, 1, 16, 17});
    f.step_s = 300;
    const ColourScale scale{"viridis", 0.0, 1.0, "K"};
    const Animation animation = drawn(f, scale);
    CHECK(write_mp4(folder.path("a.mkv"), f, scale) == "FFV1");
    const std::string codec = write_mp4(folder.path("a.mp4"), f, scale, 2.5);
    CHECK((codec == "H.264" || codec == "MPEG-4"));
    const auto exact = frames_of(folder.path("a.mkv")), near = frames_of(folder.path("a.mp4"));
    REQUIRE(exact.size() == 5);
    REQUIRE(near.size() == 5);
    for (std::int64_t i = 0; i < animation.frames(); ++i) {
        const cv::Mat picture = bgr(animation.frame(i).image());
        const cv::Rect whole(0, 0, picture.cols, picture.rows);
        for (const cv::Mat& read : {exact[static_cast<std::size_t>(i)], near[static_cast<std::size_t>(i)]}) {
            CHECK(read.cols % 2 == 0);
            CHECK(read.rows % 2 == 0);
            CHECK(read.cols - picture.cols < 2);
        }
        CHECK(cv::norm(exact[static_cast<std::size_t>(i)](whole), picture, cv::NORM_INF) == 0);
        const double pixels = static_cast<double>(picture.total()) * 3;
        CHECK(cv::norm(near[static_cast<std::size_t>(i)](whole), picture, cv::NORM_L1) / pixels < 6.0);
        // Another frame would not pass.
        const cv::Mat other = bgr(animation.frame((i + 3) % 5).image());
        CHECK(cv::norm(near[static_cast<std::size_t>(i)](whole), other, cv::NORM_L1) / pixels > 12.0);
    }
    cv::VideoCapture movie(folder.path("a.mp4"), cv::CAP_FFMPEG);
    CHECK(movie.get(cv::CAP_PROP_FPS) == Catch::Approx(2.5));
}

TEST_CASE("a movie of one frame, without truth, or in colour can be read back") {
    const TemporaryFolder folder;
    Forecast f;
    f.input = at::rand({1, 1, 5, 9});
    f.forecast = at::rand({1, 1, 5, 9});
    write_mp4(folder.path("one.mp4"), f, {"auto", 0, 1, "mm"});
    CHECK(frames_of(folder.path("one.mp4")).size() == 2);
    f.input = at::rand({2, 3, 30, 20});
    f.forecast = at::rand({2, 3, 30, 20});
    f.truth = f.forecast.slice(0, 0, 1) * 0.5;
    write_mp4(folder.path("rgb.mp4"), f, {"auto", 0, 1, "1"});
    CHECK(frames_of(folder.path("rgb.mp4")).size() == 4);
}

TEST_CASE("a movie that cannot be written is an output error and leaves nothing") {
    const TemporaryFolder folder;
    const Forecast f = grey_forecast(true);
    try {
        write_mp4(folder.path("no/a.mp4"), f, {"grey", 0, 255, "1"});
        FAIL("written into a folder that is not there");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::output);
        CHECK(holds(error.what(), "No such file or directory"));
    }
    try {
        VideoFile movie(folder.path("a.mp4"), 64, 64, 5.0, {{"a codec of no one", "zzzz"}});
        FAIL("a codec that is not there");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::output);
        CHECK(holds(error.what(), "a codec of no one"));
        CHECK(holds(error.block(""), "hint: write a .gif instead"));
    }
    CHECK_THROWS_AS(write_mp4(folder.path("a.mp4"), f, {"grey", 0, 255, "1"}, 0.0), Error);
    std::filesystem::remove(folder.path("a.mp4"));
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a movie whose end is missing is noticed") {
    const TemporaryFolder folder;
    const std::string path = folder.path("a.mkv");
    VideoFile movie(path, 64, 64, 5.0, codecs_for(path));
    for (int i = 0; i < 3; ++i) movie.add(Canvas(64, 64).image());
    std::filesystem::remove(path);
    CHECK_THROWS_AS(movie.close(), Error);
}
