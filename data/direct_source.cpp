#include "data/direct_source.h"

#include "data/formats/frame_reader.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>

namespace nowcell {
namespace {

void check_missing(const std::string& missing) {
    static const std::vector<std::string> known = {"error", "zero", "mask", "hold"};
    if (std::find(known.begin(), known.end(), missing) != known.end()) return;
    throw Error(ExitCode::usage,
                fmt::format("data.missing: got '{}', expected one of {}", missing, fmt::join(known, ", ")));
}

class DirectSource : public FrameSource {
 public:
    explicit DirectSource(const SourceOptions& options) : missing_(options.missing) {
        check_missing(missing_);
        reader_ = open_frames(options);
    }

    const SourceInfo& info() const override { return reader_->info(); }

    torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const override {
        check_range(recording, first, count);
        const SourceInfo& about = info();
        torch::Tensor frames = torch::empty({count, about.channels, about.height, about.width}, torch::kFloat32);
        const std::lock_guard<std::mutex> guard(mutex_);
        const std::int64_t missing = reader_->read(recording, first, count, frames.data_ptr<float>());
        if (missing > 0 && missing_ == "error") refuse(frames, missing, recording, first);
        if (missing > 0 && missing_ == "zero") frames.nan_to_num_(0.0);
        return frames;
    }

 private:
    void check_range(std::int64_t recording, std::int64_t first, std::int64_t count) const {
        const auto& frames = info().frames;
        const auto recordings = static_cast<std::int64_t>(frames.size());
        if (recording >= 0 && recording < recordings && first >= 0 && count >= 0 &&
            count <= frames[static_cast<std::size_t>(recording)] - first) {
            return;
        }
        throw Error(ExitCode::internal, fmt::format("{} frames from {} on of recording {} asked of {}, which has {} "
                                                    "recordings",
                                                    count, first, recording, info().path, recordings));
    }

    [[noreturn]] void refuse(const torch::Tensor& frames, std::int64_t missing, std::int64_t recording,
                             std::int64_t first) const {
        const float* begin = frames.const_data_ptr<float>();
        const float* found = std::find_if(begin, begin + frames.numel(), [](float value) { return value != value; });
        const std::int64_t at = found - begin;
        const std::int64_t width = frames.size(3), height = frames.size(2), channels = frames.size(1);
        throw Error(
            ExitCode::data,
            fmt::format("{} of {} values read from {} are missing or not finite", missing, frames.numel(), info().path),
            position_text(info(), recording, first + at / (channels * height * width), at / (height * width) % channels,
                          at / width % height, at % width),
            "--missing zero, or --set data.missing=zero in training, takes them as 0");
    }

    std::string missing_;
    std::unique_ptr<FrameReader> reader_;
    mutable std::mutex mutex_;
};

}  // namespace

std::unique_ptr<FrameSource> open_direct(const SourceOptions& options) {
    return std::make_unique<DirectSource>(options);
}

}  // namespace nowcell
