#include "data/formats/checked.h"
#include "data/formats/fingerprint.h"
#include "data/formats/formats.h"
#include "data/formats/stored.h"

#include <fmt/format.h>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>

#include <cmath>
#include <cstdlib>
#include <filesystem>

namespace nowcell {
namespace {

constexpr std::int64_t kMostFrames = std::int64_t{1} << 24;

// A file of FFmpeg may name others, on the disk or in the net: only containers that cannot are read, and only files.
void restrict_ffmpeg() {
    static const bool once = [] {
        ::setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS",
                 "protocol_whitelist;file|format_whitelist;mov,matroska,avi,mpeg,mpegvideo,flv", 1);
        ::setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 1);
        cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
        return true;
    }();
    (void)once;
}

class VideoReader : public FrameReader {
 public:
    explicit VideoReader(const SourceOptions& options) {
        restrict_ffmpeg();
        info_.path = options.path;
        restart();
        const std::int64_t limit = options.limits.memory / 8;
        const auto size_of_side = [&](int property) { return static_cast<std::int64_t>(capture_.get(property)); };
        info_.width = size_of_side(cv::CAP_PROP_FRAME_WIDTH);
        info_.height = size_of_side(cv::CAP_PROP_FRAME_HEIGHT);
        const std::int64_t bytes = checked_product({info_.width, info_.height, 3}, 4);
        if (bytes <= 0 || bytes > limit) {
            refuse(options.path,
                   fmt::format("frames of {} x {} pixels, the limit is {} bytes", info_.width, info_.height, limit));
        }
        const double rate = capture_.get(cv::CAP_PROP_FPS);
        const std::int64_t frames = told_count() > 0 ? told_count() : count_frames(options);
        if (frames == 0) refuse(options.path, "the video has no frame that decodes");
        describe(options, frames, rate);
        restart();
    }

    const SourceInfo& info() const override { return info_; }

    std::int64_t read(std::int64_t, std::int64_t first, std::int64_t count, float* out) override {
        for (std::int64_t t = first; t < first + count; ++t) {
            const cv::Mat frame = frame_at(t);
            const auto step = static_cast<std::int64_t>(frame.step[0]);
            // OpenCV's order is blue, green, red.
            decode({.data = frame.data + 2,
                    .type = StoredType::u8,
                    .shape = {1, 3, info_.height, info_.width},
                    .strides = {0, -1, step, 3}},
                   {}, out);
            out += 3 * info_.height * info_.width;
        }
        return 0;
    }

 private:
    void restart() {
        try {
            capture_.open(std::filesystem::absolute(info_.path).string(), cv::CAP_FFMPEG);
        } catch (const cv::Exception& error) {
            refuse(info_.path, "the video does not decode: " + error.err);
        }
        if (!capture_.isOpened())
            refuse(info_.path, "no video that FFmpeg decodes from MP4, MKV, WebM, AVI, MPEG or FLV");
        next_ = 0;
    }

    // The count of the container when its last frame is there and none follows; else 0.
    std::int64_t told_count() {
        const double told = capture_.get(cv::CAP_PROP_FRAME_COUNT);
        if (!(told >= 1.0 && told < static_cast<double>(kMostFrames))) return 0;
        capture_.set(cv::CAP_PROP_POS_FRAMES, told - 1.0);
        return capture_.grab() && !capture_.grab() ? static_cast<std::int64_t>(told) : 0;
    }

    std::int64_t count_frames(const SourceOptions& options) {
        restart();
        std::int64_t frames = 0;
        for (; frames < kMostFrames && capture_.grab(); ++frames) {
            if (options.alive) options.alive();
        }
        return frames;
    }

    // Seeking lands on key frames, or beside them: only decoding forward is exact.
    cv::Mat frame_at(std::int64_t t) {
        if (t < next_) restart();
        cv::Mat frame;
        bool got = true;
        for (; got && next_ < t; ++next_) got = capture_.grab();
        got = got && capture_.read(frame);
        ++next_;
        if (!got || frame.type() != CV_8UC3 || frame.cols != info_.width || frame.rows != info_.height) {
            throw Error(ExitCode::data, fmt::format("cannot read frame {} of {}: it does not decode to {} x {} pixels, "
                                                    "{} frames were expected",
                                                    t, info_.path, info_.width, info_.height, info_.frames.front()));
        }
        return frame;
    }

    void describe(const SourceOptions& options, std::int64_t frames, double rate) {
        info_.format = "video";
        info_.layout = "thwc";
        info_.stored_type = "uint8";
        info_.units = "1";
        info_.filters = "video codec";
        info_.frames = {frames};
        info_.channels = 3;
        info_.stored_shape = {frames, info_.height, info_.width, 3};
        info_.channel_order = "RGB";
        info_.fingerprint = fingerprint(options.path);
        const double step_s = rate > 0.0 && std::isfinite(rate) ? 1.0 / rate : 0.0;
        info_.step_s = options.step_s > 0.0 ? options.step_s : step_s;
        info_.notes.push_back(
            "a video is decoded from its start for every frame that is read out of order, which is slow, and its codec "
            "has changed the values; nowcell data convert makes an HDF5 file for training");
    }

    SourceInfo info_;
    cv::VideoCapture capture_;
    std::int64_t next_ = 0;  // the frame that is decoded next
};

}  // namespace

std::unique_ptr<FrameReader> open_video(const SourceOptions& options) { return std::make_unique<VideoReader>(options); }

}  // namespace nowcell
