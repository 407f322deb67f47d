#include "data/formats/frame_reader.h"
#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <gif_lib.h>
#include <opencv2/videoio.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>

using namespace nowcell;

namespace {

SourceOptions options(const std::string& path) {
    SourceOptions out;
    out.path = path;
    return out;
}

std::string refusal(const std::string& path) {
    try {
        open_frames(options(path));
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::data);
        return error.what();
    }
    return "opened";
}

// One image of an animation: a rectangle of one index, the first pixel of another.
struct Drawn {
    int left, top, width, height;
    int index;
    int disposal = DISPOSE_DO_NOT;
    int transparent = NO_TRANSPARENT_COLOR;
    bool interlaced = false;
};

constexpr int kSide = 8;

void write_gif(const std::string& path, const std::vector<GifColorType>& colours, const std::vector<Drawn>& images) {
    int code = 0;
    GifFileType* gif = EGifOpenFileName(path.c_str(), false, &code);
    REQUIRE(gif != nullptr);
    EGifSetGifVersion(gif, true);
    ColorMapObject* map = GifMakeMapObject(static_cast<int>(colours.size()), colours.data());
    EGifPutScreenDesc(gif, kSide, kSide, 8, 0, map);
    for (const Drawn& image : images) {
        const GraphicsControlBlock block = {image.disposal, false, 25, image.transparent};
        GifByteType bytes[4];
        EGifGCBToExtension(&block, bytes);
        EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, 4, bytes);
        EGifPutImageDesc(gif, image.left, image.top, image.width, image.height, image.interlaced, nullptr);
        std::vector<GifPixelType> line(static_cast<std::size_t>(image.width), static_cast<GifPixelType>(image.index));
        line.front() = 1;
        for (int y = 0; y < image.height; ++y) EGifPutLine(gif, line.data(), image.width);
    }
    EGifCloseFile(gif, &code);
    GifFreeMapObject(map);
}

const std::vector<GifColorType> kGrey = {{0, 0, 0}, {10, 10, 10}, {20, 20, 20}, {200, 200, 200}};

// The value of frame t at row y and column x.
float value_at(FrameReader& reader, std::int64_t t, int y, int x, int c = 0) {
    const SourceInfo& info = reader.info();
    std::vector<float> frame(static_cast<std::size_t>(info.channels * info.height * info.width));
    reader.read(0, t, 1, frame.data());
    return frame[static_cast<std::size_t>((c * info.height + y) * info.width + x)];
}

}  // namespace

TEST_CASE("an animation is composed as it is seen", "[movies]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("a.gif");
    write_gif(path, kGrey,
              {{0, 0, kSide, kSide, 2},
               {2, 2, 3, 3, 3, DISPOSE_PREVIOUS},
               {4, 4, 2, 2, 3, DISPOSE_BACKGROUND},
               {0, 0, 4, 4, 3, DISPOSE_DO_NOT, 3},
               {0, 0, kSide, kSide, 3, DISPOSE_DO_NOT, NO_TRANSPARENT_COLOR, true}});
    const auto reader = open_frames(options(path));
    CHECK(reader->info().frames == std::vector<std::int64_t>{5});
    CHECK(reader->info().channels == 1);
    CHECK(reader->info().channel_order == "grey");
    CHECK(reader->info().step_s == Approx(0.25));
    // Backwards and forwards.
    for (const bool back : {true, false}) {
        for (int i = 0; i < 5; ++i) {
            const int t = back ? 4 - i : i;
            CAPTURE(t);
            const float corner = value_at(*reader, t, 3, 3);
            const float middle = value_at(*reader, t, 5, 5);
            CHECK(corner == (t == 1 || t == 4 ? 200.0F : 20.0F));  // disposed of "previous", then transparent
            CHECK(middle == (t == 2 || t == 4 ? 200.0F : t == 3 ? 0.0F : 20.0F));  // disposed of "background"
            CHECK(value_at(*reader, t, 7, 0) == 10.0F);
        }
    }
    SourceOptions slow = options(path);
    slow.step_s = 300.0;
    CHECK(open_frames(slow)->info().step_s == 300.0);
}

TEST_CASE("an animation in colours has three channels", "[movies]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("a.gif");
    write_gif(path, {{0, 0, 0}, {1, 2, 3}, {40, 50, 60}, {9, 9, 9}}, {{0, 0, kSide, kSide, 2}});
    const auto reader = open_frames(options(path));
    CHECK(reader->info().channel_order == "RGB");
    for (int c = 0; c < 3; ++c) {
        CHECK(value_at(*reader, 0, 1, 0, c) == static_cast<float>(c + 1));
        CHECK(value_at(*reader, 0, 1, 1, c) == static_cast<float>(40 + 10 * c));
    }
}

TEST_CASE("an animation that is truncated, or draws beside itself, is refused", "[movies]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("a.gif");
    write_gif(path, kGrey, {{0, 0, kSide, kSide, 2}, {2, 2, 3, 3, 3}});
    const auto size = std::filesystem::file_size(path);
    for (std::uintmax_t cut = size - 1; cut > 6; --cut) {
        std::filesystem::resize_file(path, cut);
        CHECK(holds(refusal(path), "the GIF is"));
    }
    write_gif(path, kGrey, {{6, 0, 4, 4, 2}});
    CHECK(holds(refusal(path), "an image of 4 x 4 at 6, 0 in a frame of 8 x 8"));
    const std::string bomb = shared_data("hostile_images/decompression_bomb_extents.gif");
    if (!bomb.empty()) CHECK(holds(refusal(bomb), "in a frame of"));
}

TEST_CASE("a video gives its frames in any order", "[movies]") {
    const TemporaryFolder folder;
    struct Kind {
        std::string name;
        int codec;
    };
    int written = 0;
    for (const Kind& kind : {Kind{"a.avi", cv::VideoWriter::fourcc('M', 'J', 'P', 'G')},
                             Kind{"a.mp4", cv::VideoWriter::fourcc('m', 'p', '4', 'v')},
                             Kind{"a.mkv", cv::VideoWriter::fourcc('F', 'F', 'V', '1')}}) {
        CAPTURE(kind.name);
        const std::string path = folder.path(kind.name);
        {
            cv::VideoWriter video(path, cv::CAP_FFMPEG, kind.codec, 10.0, {64, 48});
            if (!video.isOpened()) continue;
            for (int i = 0; i < 30; ++i) video.write(cv::Mat(48, 64, CV_8UC3, cv::Scalar(8 * i, 20, 200)));
        }
        ++written;
        const auto reader = open_frames(options(path));
        CHECK(reader->info().frames == std::vector<std::int64_t>{30});
        CHECK(reader->info().step_s == Approx(0.1));
        CHECK(reader->info().channel_order == "RGB");
        for (const int t : {0, 29, 3, 4, 17, 16}) {
            CHECK(std::abs(value_at(*reader, t, 20, 30, 0) - 200.0F) <= 4.0F);
            CHECK(std::abs(value_at(*reader, t, 20, 30, 2) - static_cast<float>(8 * t)) <= 4.0F);
        }
        // FFmpeg reads what is left of some; what it gives must then be whole frames.
        for (const double part : {0.1, 0.5, 0.9}) {
            const std::string cut = folder.path("cut" + kind.name);
            std::filesystem::copy_file(path, cut, std::filesystem::copy_options::overwrite_existing);
            std::filesystem::resize_file(
                cut, static_cast<std::uintmax_t>(part * static_cast<double>(std::filesystem::file_size(path))));
            try {
                const auto rest = open_frames(options(cut));
                const std::int64_t frames = rest->info().frames.front();
                CHECK(frames < 30);
                CHECK(std::abs(value_at(*rest, frames - 1, 20, 30, 2) - static_cast<float>(8 * (frames - 1))) <= 4.0F);
            } catch (const Error& error) {
                CHECK(error.code() == ExitCode::data);
            }
        }
    }
    if (written == 0) WARN("skipped: this OpenCV writes no video");
}

TEST_CASE("a playlist in the clothes of a video is not followed", "[movies]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("list.mp4");
    std::ofstream(path) << "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n";
    CHECK(holds(refusal(path), "no format that is known here"));
    std::ofstream(path, std::ios::trunc) << "FLV\1ffconcat version 1.0\nfile /etc/passwd\n";
    CHECK(holds(refusal(path), "no video that FFmpeg decodes"));
}
