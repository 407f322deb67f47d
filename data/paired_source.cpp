#include "data/paired_source.h"

#include "src/error.h"

#include <fmt/format.h>

#include <utility>

namespace nowcell {
namespace {

class PairedSource : public FrameSource {
 public:
    PairedSource(std::unique_ptr<FrameSource> input, std::unique_ptr<FrameSource> target)
        : input_(std::move(input)), target_(std::move(target)) {}

    const SourceInfo& info() const override { return input_->info(); }
    torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const override {
        return input_->read(recording, first, count);
    }
    torch::Tensor read_batch(const std::vector<FrameRange>& ranges) const override {
        return input_->read_batch(ranges);
    }
    const FrameSource* target() const override { return target_.get(); }

 private:
    std::unique_ptr<FrameSource> input_;
    std::unique_ptr<FrameSource> target_;
};

std::string shape(const SourceInfo& info) {
    std::int64_t frames = 0;
    for (const std::int64_t count : info.frames) frames += count;
    return fmt::format("{} frames in {} recordings, {} channels of {}x{} px", frames, info.frames.size(), info.channels,
                       info.height, info.width);
}

bool same_shape(const SourceInfo& a, const SourceInfo& b) {
    return a.frames == b.frames && a.channels == b.channels && a.height == b.height && a.width == b.width;
}

}  // namespace

std::unique_ptr<FrameSource> pair_sources(std::unique_ptr<FrameSource> input, std::unique_ptr<FrameSource> target) {
    const SourceInfo& a = input->info();
    const SourceInfo& b = target->info();
    if (!same_shape(a, b)) {
        const std::string seen = shape(a);
        const std::string taught = shape(b);
        throw Error(ExitCode::data,
                    fmt::format("the targets do not fit the input. {} of {} has {}, expected {}{}", b.dataset, b.path,
                                taught, seen, seen == taught ? ", recording by recording" : ""),
                    a.path, "data.target has one frame for each frame of data.dataset");
    }
    return std::make_unique<PairedSource>(std::move(input), std::move(target));
}

}  // namespace nowcell
