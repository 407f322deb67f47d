#include "predict/pictures/video.h"

#include "src/error.h"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

namespace nowcell {
namespace {

int even(int side) { return side + side % 2; }

}  // namespace

struct VideoFile::Writer {
    cv::VideoWriter movie;
    cv::Mat sheet;  // padded, blue first
};

std::vector<Codec> codecs_for(const std::string& path) {
    if (path.ends_with(".mkv")) return {{"FFV1", "FFV1"}};
    return {{"H.264", "avc1"}, {"MPEG-4", "mp4v"}};
}

VideoFile::VideoFile(const std::string& path, int width, int height, double frames_per_s,
                     const std::vector<Codec>& codecs)
    : path_(path), width_(width), height_(height), writer_(std::make_unique<Writer>()) {
    const cv::Size size(even(width), even(height));
    writer_->sheet = cv::Mat(size, CV_8UC3, cv::Scalar::all(255));
    std::string tried;
    for (const Codec& codec : codecs) {
        const char* c = codec.fourcc.c_str();
        const int fourcc = cv::VideoWriter::fourcc(c[0], c[1], c[2], c[3]);
        if (writer_->movie.open(path, cv::CAP_FFMPEG, fourcc, frames_per_s, size)) {
            codec_ = codec.name;
            return;
        }
        tried += (tried.empty() ? "" : ", ") + codec.name;
    }
    throw Error(ExitCode::output,
                "cannot encode a movie of " + std::to_string(size.width) + "x" + std::to_string(size.height) +
                    " px: this OpenCV could not begin one. tried " + tried,
                "", "write a .gif instead; nowcell doctor says which codecs there are");
}

VideoFile::~VideoFile() = default;

void VideoFile::add(const Image& image) {
    const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<Rgb*>(image.pixels.data()));
    cv::cvtColor(rgb, writer_->sheet(cv::Rect(0, 0, width_, height_)), cv::COLOR_RGB2BGR);
    writer_->movie.write(writer_->sheet);
    ++frames_;
}

void VideoFile::close() {
    writer_->movie.release();
    std::int64_t found = 0;
    cv::VideoCapture movie(path_, cv::CAP_FFMPEG);
    while (movie.isOpened() && movie.grab()) ++found;
    if (found == frames_) return;
    throw Error(ExitCode::output,
                "the movie could not be written: " + std::to_string(frames_) + " frames were encoded as " + codec_ +
                    ", " + std::to_string(found) + " can be read back",
                "", "is the disk full? choose another place with --output");
}

}  // namespace nowcell
