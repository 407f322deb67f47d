// Frames from memory, as a source.
#pragma once

#include "data/frame_source.h"

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace nowcell {

/// Recordings (T,C,H,W) float32 of one frame size; reading past `fail_after` reads throws.
class FakeSource : public FrameSource {
 public:
    explicit FakeSource(std::vector<torch::Tensor> recordings) : recordings_(std::move(recordings)) {
        info_.path = "memory";
        info_.dataset = "/frames";
        for (const torch::Tensor& recording : recordings_) info_.frames.push_back(recording.size(0));
        info_.channels = recordings_.front().size(1);
        info_.height = recordings_.front().size(2);
        info_.width = recordings_.front().size(3);
    }

    const SourceInfo& info() const override { return info_; }

    torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const override {
        if (reads_++ >= fail_after) throw std::runtime_error("disk on fire");
        {
            const std::lock_guard lock(mutex_);
            log_.push_back({recording, first, count});
        }
        const torch::Tensor& frames = recordings_.at(static_cast<std::size_t>(recording));
        if (first < 0 || first + count > frames.size(0)) throw std::out_of_range("frames that do not exist");
        return frames.slice(0, first, first + count).clone();
    }

    torch::Tensor read_batch(const std::vector<FrameRange>& ranges) const override {
        ++batches_;
        return FrameSource::read_batch(ranges);
    }

    int reads() const { return reads_; }      ///< begun so far
    int batches() const { return batches_; }  ///< read_batch calls
    SourceInfo& edit() { return info_; }
    std::vector<FrameRange> log() const {  ///< every range that was read
        const std::lock_guard lock(mutex_);
        return log_;
    }

    int fail_after = 1 << 30;

 private:
    std::vector<torch::Tensor> recordings_;
    SourceInfo info_;
    mutable std::atomic<int> reads_{0};
    mutable std::atomic<int> batches_{0};
    mutable std::mutex mutex_;
    mutable std::vector<FrameRange> log_;
};

/// (T,1,H,W) frames whose values are all `recording * 1000 + t`.
inline torch::Tensor numbered_frames(std::int64_t recording, std::int64_t frames, std::int64_t height = 2,
                                     std::int64_t width = 3) {
    const torch::Tensor times = torch::arange(frames, torch::kFloat32) + 1000.0 * static_cast<double>(recording);
    return times.view({frames, 1, 1, 1}).expand({frames, 1, height, width}).contiguous();
}

}  // namespace nowcell
