#include "data/formats/checked.h"
#include "data/formats/fingerprint.h"
#include "data/formats/formats.h"
#include "data/formats/gif_decoder.h"
#include "data/formats/stored.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace nowcell {
namespace {

constexpr std::int64_t kMostFrames = 100000;

class AnimationReader : public FrameReader {
 public:
    explicit AnimationReader(const SourceOptions& options) : limit_(options.limits.memory / 16) {
        info_.path = options.path;
        restart();
        std::map<double, std::int64_t> delays;
        std::int64_t frames = 0;
        for (; decoder_->next(); ++frames) {
            if (frames == kMostFrames) refuse(options.path, fmt::format("a GIF of more than {} frames", kMostFrames));
            ++delays[decoder_->delay_s()];
            if (options.alive) options.alive();
        }
        if (frames == 0) refuse(options.path, "the GIF has no frames");
        describe(options, frames);
        describe_step(options, delays);
        restart();
    }

    const SourceInfo& info() const override { return info_; }

    std::int64_t read(std::int64_t, std::int64_t first, std::int64_t count, float* out) override {
        for (std::int64_t t = first; t < first + count; ++t) {
            compose(t);
            const auto step = std::int64_t{3};
            decode({.data = decoder_->pixels().data(),
                    .type = StoredType::u8,
                    .shape = {1, info_.channels, info_.height, info_.width},
                    .strides = {0, 1, step * info_.width, step}},
                   {}, out);
            out += info_.channels * info_.height * info_.width;
        }
        return 0;
    }

 private:
    void restart() {
        decoder_ = std::make_unique<GifDecoder>(info_.path, limit_);
        at_ = -1;
    }

    // The last frame stays composed, so that reading forward decodes each once.
    void compose(std::int64_t t) {
        if (t < at_) restart();
        for (; at_ < t; ++at_) {
            if (!decoder_->next())
                throw Error(ExitCode::data, fmt::format("cannot read frame {} of {}", t, info_.path));
        }
    }

    void describe(const SourceOptions& options, std::int64_t frames) {
        const bool grey = decoder_->grey();
        info_.format = "GIF";
        info_.layout = grey ? "thw" : "thwc";
        info_.stored_type = "uint8";
        info_.units = "1";
        info_.filters = "LZW";
        info_.frames = {frames};
        info_.channels = grey ? 1 : 3;
        info_.height = decoder_->height();
        info_.width = decoder_->width();
        info_.stored_shape = {frames, info_.height, info_.width};
        if (!grey) info_.stored_shape.push_back(3);
        info_.channel_order = grey ? "grey" : "RGB";
        info_.fingerprint = fingerprint(options.path);
        if (!grey) {
            info_.notes.push_back(
                "the colours of a palette are read as RGB; as values they mean nothing by themselves");
        }
    }

    // How long a frame is shown is seldom the time between the fields it shows: what the user says comes first.
    void describe_step(const SourceOptions& options, const std::map<double, std::int64_t>& delays) {
        const auto most = std::max_element(delays.begin(), delays.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
        info_.step_s = options.step_s > 0.0 ? options.step_s : most->first;
        if (options.step_s <= 0.0 && most->first > 0.0) {
            info_.notes.push_back(fmt::format(
                "the time step, {:g} s, is how long a frame is shown; data.step_s says what is meant", most->first));
        }
        if (delays.size() > 1) info_.notes.push_back("the frames of the GIF are shown for different times");
    }

    std::int64_t limit_;
    SourceInfo info_;
    std::unique_ptr<GifDecoder> decoder_;
    std::int64_t at_ = -1;  // the frame that is composed
};

}  // namespace

std::unique_ptr<FrameReader> open_animation(const SourceOptions& options) {
    return std::make_unique<AnimationReader>(options);
}

}  // namespace nowcell
